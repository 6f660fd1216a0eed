/** Asking a passkey through whatever browser the user has on this computer. */
import { spawn } from 'node:child_process';
import { win32 } from 'node:path';
import type { CredentialsContainer } from '@keepset/places';
import type { OptionSpec, OptionValues } from '../command.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { openRelay, type PageTexts } from './relay.ts';

export const browserOption: Readonly<Record<string, OptionSpec>> = {
  'no-browser': { type: 'boolean', help: 'With --passkey: show the page’s address, but open no browser' },
};

/**
 * Serves the page, says where it is, opens it where somebody sits at a terminal, and runs `work` with what the browser
 * answers.
 * @throws KeepsetError as `openRelay`, and whatever `work` throws.
 */
export const withBrowser = async <T>(
  options: OptionValues,
  terminal: Terminal,
  texts: PageTexts,
  work: (credentials: CredentialsContainer) => Promise<T>,
): Promise<T> => {
  const relay = await openRelay(texts);
  const page = `http://localhost:${relay.port}/`;
  try {
    const isOpened = terminal.canAsk && options['no-browser'] !== true && openInBrowser(page);
    // Never in the address: a terminal starts the browser with what is clicked there.
    terminal.note(
      isOpened
        ? `For the passkey your browser opens  ${page}`
        : `For the passkey open this page in a browser on this computer:  ${page}`,
    );
    terminal.note(`and type this code there:  ${relay.code.slice(0, 4)}-${relay.code.slice(4)}`);
    const done = await work(relay.credentials);
    await relay.close('done');
    return done;
  } catch (error) {
    await relay.close('failed');
    throw error;
  }
};

/** Without the code: everybody on the computer can read what a program was started with. */
const openInBrowser = (page: string): boolean => {
  const [command, ...args] = openers[process.platform] ?? ['xdg-open'];
  const isHeadless =
    command === 'xdg-open' &&
    process.env['DISPLAY'] === undefined &&
    process.env['WAYLAND_DISPLAY'] === undefined;
  if (command === undefined || isHeadless) return false;
  // The passphrase of the device may be in the environment.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^keepset_/i.test(name)));
  const child = spawn(command, [...args, page], { detached: true, stdio: 'ignore', env });
  // The address stands in the terminal as well.
  child.on('error', () => undefined);
  child.unref();
  return true;
};

const openers: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  // By its path: Windows looks for a bare name in the present folder first.
  win32: [
    win32.join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'rundll32.exe'),
    'url.dll,FileProtocolHandler',
  ],
};

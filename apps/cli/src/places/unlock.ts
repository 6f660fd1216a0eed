/** Unlocking a device's keys and shares without its server: what backups need. */
import { KeepsetError } from '@keepset/bytes';
import { shareFileVault, type ShareVault } from '@keepset/ceremony';
import { openFilePlace } from '@keepset/places';
import type { HttpTransport } from '@keepset/transport';
import { openingKeyOf, signerOf, wipeIdentity, type DeviceIdentity, type FileSigner } from '@keepset/wire';
import type { OptionValues } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { readIfThere } from '../home/files.ts';
import { fileJournal } from '../home/journal.ts';
import { openIdentityFile } from '../home/passphrase.ts';
import { homePaths, type HomePaths } from '../home/paths.ts';
import { openServer } from '../home/server.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { ServerKnowledge } from './behind.ts';
import { noteCopies } from './kits-at-server.ts';
import { lastSource } from './numbers.ts';

/** A device whose keys are in memory. */
export interface Unlocked {
  readonly paths: HomePaths;
  readonly vault: ShareVault;
  readonly signer: FileSigner;
  /** The device's server, opened when it is asked for; undefined where it has none. */
  readonly server: () => Promise<ServerKnowledge | undefined>;
}

/**
 * Unlocks the device of the home folder, runs `work`, tells the server of new copies if it can be reached, and wipes the
 * keys.
 * @throws KeepsetError `input/not-enrolled`, `input/wrong-passphrase` or of family `place/`
 */
export const withUnlocked = async <T>(
  options: OptionValues,
  terminal: Terminal,
  work: (unlocked: Unlocked) => Promise<T>,
): Promise<T> => {
  const paths = homePaths(options);
  const identity = await readIdentity(paths, options, terminal);
  const { server, close } = serverOf(paths, identity);
  try {
    if ((await fileJournal(paths.journal).list()).length > 0)
      terminal.note(
        'note: an earlier ceremony was cut off; the share may be about to change. `keepset keys` settles it.',
      );
    const signer = signerOf(identity);
    const vault = shareFileVault({
      place: await openFilePlace(paths.shares),
      recipient: identity.recipient,
      openingKey: openingKeyOf(identity),
      signer,
      now: () => new Date().toISOString(),
      lastGeneration: lastSource(paths),
    });
    const done = await work({ paths, vault, signer, server });
    // What was written without the server is told to it.
    await noteCopies(paths, server, terminal);
    return done;
  } finally {
    close();
    wipeIdentity(identity);
  }
};

/** Opened when it is first asked for. */
const serverOf = (
  paths: HomePaths,
  identity: DeviceIdentity,
): { readonly server: () => Promise<HttpTransport | undefined>; readonly close: () => void } => {
  let opened: ReturnType<typeof openServer> | undefined;
  return {
    server: async () => {
      if ((await readIfThere(paths.account)) === undefined) return undefined;
      opened ??= openServer(await loadAccount(paths.account), identity);
      return opened.transport;
    },
    close: () => opened?.close(),
  };
};

const readIdentity = async (
  paths: HomePaths,
  options: OptionValues,
  terminal: Terminal,
): Promise<DeviceIdentity> => {
  const file = await readIfThere(paths.identity);
  if (file === undefined)
    throw new KeepsetError('input/not-enrolled', `There is no device in ${paths.root}.`, {
      hint: 'Use the folder of an enrolled device with --home DIR.',
    });
  return openIdentityFile(file, options, terminal);
};

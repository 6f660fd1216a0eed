/**
 * Keyrings through the commands their systems come with: no native add-on. Secrets go through standard input, never
 * through an argument, which every user of the machine could read.
 */
import { spawn } from 'node:child_process';
import { KeepsetError } from '@keepset/bytes';
import type { Keyring } from './port.ts';

/** How a command ended. */
interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (command: string, args: readonly string[], input: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (part: Buffer) => stdout.push(part));
    child.stderr.on('data', (part: Buffer) => stderr.push(part));
    child.on('error', (cause) =>
      reject(
        new KeepsetError('place/unreachable', `The command ${command} cannot be run.`, {
          hint: command === 'secret-tool' ? 'Install libsecret-tools.' : 'It is part of macOS.',
          cause,
        }),
      ),
    );
    // A command that ends without reading its input must not end us.
    child.stdin.on('error', () => {});
    child.on('close', (status) =>
      resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
    child.stdin.end(input);
  });

const service = 'org.keepset';

const failed = (command: string, { status }: Outcome): KeepsetError =>
  new KeepsetError(
    'place/locked',
    status === 0 ? 'The keyring is locked.' : `${command} ended with status ${String(status)}.`,
    { hint: 'The keyring is locked, or access was declined. Log in to the desktop, or unlock it there.' },
  );

/** The freedesktop Secret Service (GNOME Keyring, KWallet) through libsecret's `secret-tool`. */
export const secretServiceKeyring = (command = 'secret-tool'): Keyring => {
  const attributes = (account: string): string[] => ['service', service, 'account', account];
  /** Of an item in a locked keyring, `lookup` and `clear` say nothing, as of one that is not there. A search finds it. */
  const refuseHidden = async (account: string): Promise<void> => {
    const outcome = await run(command, ['search', ...attributes(account)], '');
    if (outcome.status !== 0 || outcome.stdout.trim() !== '') throw failed(command, outcome);
  };
  return {
    get: async (account) => {
      const outcome = await run(command, ['lookup', ...attributes(account)], '');
      if (outcome.status === 0) return outcome.stdout;
      if (outcome.status !== 1 || outcome.stderr.trim() !== '') throw failed(command, outcome);
      await refuseHidden(account);
      return null;
    },
    set: async (account, secret) => {
      const outcome = await run(
        command,
        ['store', '--label', `Keepset ${account}`, ...attributes(account)],
        secret,
      );
      if (outcome.status !== 0) throw failed(command, outcome);
    },
    remove: async (account) => {
      const outcome = await run(command, ['clear', ...attributes(account)], '');
      if (outcome.status === 0) return;
      if (outcome.stderr.trim() !== '') throw failed(command, outcome);
      await refuseHidden(account);
    },
  };
};

/** Status of macOS' `security` when an item is not there (errSecItemNotFound, modulo 256). */
const macNotFound = 44;

/** The login keychain of macOS through its `security` command, in its interactive mode. */
export const macKeychain = (command = 'security'): Keyring => ({
  get: async (account) => {
    const outcome = await run(command, ['find-generic-password', '-s', service, '-a', account, '-w'], '');
    if (outcome.status === 0) return outcome.stdout.trimEnd();
    if (outcome.status === macNotFound) return null;
    throw failed(command, outcome);
  },
  set: async (account, secret) => {
    // Hexadecimal: the interactive mode has its own quoting.
    const hex = Buffer.from(secret, 'utf8').toString('hex');
    const line = `add-generic-password -U -s ${service} -a ${account} -l Keepset -X ${hex}\n`;
    const outcome = await run(command, ['-i'], line);
    if (outcome.status !== 0 || outcome.stderr.trim() !== '') throw failed(command, outcome);
  },
  remove: async (account) => {
    const outcome = await run(command, ['delete-generic-password', '-s', service, '-a', account], '');
    if (outcome.status !== 0 && outcome.status !== macNotFound) throw failed(command, outcome);
  },
});

/** Asking the server about a copy, from a command that does without one. */
import { toKeepsetError } from '@keepset/bytes';
import { isEncryptedIdentity, wipeIdentity } from '@keepset/wire';
import type { OptionValues } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { readIfThere } from '../home/files.ts';
import { givenPassphrase, openIdentityFile } from '../home/passphrase.ts';
import { homePaths } from '../home/paths.ts';
import { openServer } from '../home/server.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { compareWithServer, type AgainstServer, type CopyOfKey } from './kits-at-server.ts';

/**
 * Compares where it can: the device is enrolled, its keys open without a question, and the server answers.
 * @returns undefined where it cannot; why is said.
 * @throws KeepsetError `place/stale`, `place/foreign` as {@link compareWithServer}; those of unlocking
 */
export const askServer = async (
  found: CopyOfKey,
  older: boolean,
  options: OptionValues,
  terminal: Terminal,
): Promise<AgainstServer | undefined> => {
  const paths = homePaths(options);
  const file = await readIfThere(paths.identity);
  if (file === undefined || (await readIfThere(paths.account)) === undefined) return undefined;
  if (isEncryptedIdentity(file) && (await givenPassphrase(options)) === undefined) {
    terminal.note('Not compared with what the server knows: that takes this device’s passphrase.');
    return undefined;
  }
  const identity = await openIdentityFile(file, options, terminal);
  const { transport, close } = openServer(await loadAccount(paths.account), identity);
  try {
    return await compareWithServer(transport, found, older);
  } catch (thrown) {
    const { code, family, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant' || family === 'place') throw thrown;
    terminal.note(`Not compared with what the server knows: ${message}`);
    return undefined;
  } finally {
    close();
    wipeIdentity(identity);
  }
};

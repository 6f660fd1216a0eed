/** Opening an iTunes or Finder backup, asking for its password only where there is one. */
import { join } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { nodeFileSystem, readFinderBackup, type BackupContent } from '@keepset/places';
import type { OptionValues } from '../../command.ts';
import { copyPassphrase } from '../../home/passphrase.ts';
import { withPassphrase } from '../../terminal/attempts.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { tenths } from '../progress.ts';

/** Whether a folder is a backup, by what lies in it. */
export const isFinderBackup = async (folder: string): Promise<boolean> =>
  (await nodeFileSystem.facts(join(folder, 'Manifest.plist'))) !== null;

/**
 * Finds the share files in a backup folder. Alters nothing.
 * @param given the backup's password, where nobody is to be asked.
 * @throws KeepsetError as `readFinderBackup`; `input/invalid-argument` if a password is needed and nobody can type it
 */
export const openFinderBackup = async (
  folder: string,
  given: string | undefined,
  terminal: Terminal,
): Promise<BackupContent> => {
  const content = await openWithPassword(folder, given, terminal);
  if (!content.encrypted)
    terminal.note('note: this backup is not encrypted. Whoever has the folder has what is in it.');
  for (const { domain, path, error } of content.unreadable)
    terminal.note(`note: ${domain}/${path} cannot be read: ${error.message}`);
  return content;
};

const openWithPassword = async (
  folder: string,
  given: string | undefined,
  terminal: Terminal,
): Promise<BackupContent> => {
  const open = (password: string | undefined): Promise<BackupContent> =>
    readFinderBackup(folder, password, { onProgress: tenths(terminal, 'Deriving the backup’s keys') });
  if (given !== undefined) return open(given);
  try {
    return await open(undefined);
  } catch (error) {
    if (!(error instanceof KeepsetError) || error.code !== 'place/locked') throw error;
  }
  if (!terminal.canAsk)
    throw new KeepsetError('input/invalid-argument', 'The backup is encrypted, and its password is needed.', {
      hint: 'Give it with --copy-passphrase-file FILE. It was set in Finder or iTunes.',
    });
  return withPassphrase(terminal, 'Password of the backup', undefined, open);
};

/** Opens a backup folder with the password that the options give, or that is typed. @throws KeepsetError as {@link openFinderBackup} */
export type OpenFinderBackup = (folder: string) => Promise<BackupContent>;

/** Opens each folder once, however many codes are tried on what is in it: its password takes seconds. */
export const finderOpener = (options: OptionValues, terminal: Terminal): OpenFinderBackup => {
  const opened = new Map<string, Promise<BackupContent>>();
  const open = async (folder: string): Promise<BackupContent> =>
    openFinderBackup(folder, await copyPassphrase(options), terminal);
  return (folder) => {
    const content = opened.get(folder) ?? open(folder);
    opened.set(folder, content);
    return content;
  };
};

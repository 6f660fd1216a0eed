/** Opening an iTunes or Finder backup, asking for its password only where there is one. */
import { KeepsetError } from '@keepset/bytes';
import { readFinderBackup, type BackupContent } from '@keepset/places';
import { withPassphrase } from '../terminal/attempts.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { tenths } from './progress.ts';

/**
 * Finds the share files in a backup folder. Alters nothing.
 * @param given the backup's password, where nobody is to be asked.
 * @throws KeepsetError as `readFinderBackup`
 */
export const openFinderBackup = async (
  folder: string,
  given: string | undefined,
  terminal: Terminal,
): Promise<BackupContent> => {
  const open = (password: string | undefined): Promise<BackupContent> =>
    readFinderBackup(folder, password, { onProgress: tenths(terminal, 'Deriving the backup’s keys') });
  if (given === undefined)
    try {
      return await open(undefined);
    } catch (error) {
      if (!(error instanceof KeepsetError) || error.code !== 'place/locked') throw error;
    }
  return withPassphrase(terminal, 'Password of the backup', given, open);
};

/** Looking at a backup without its password. Nothing in the folder is altered. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import { nodeFileSystem } from '../fs/node.ts';
import type { FileSystem } from '../fs/port.ts';
import type { Reach } from '../health/index.ts';
import { hashOf, readDatabase, readManifest, readSealed, type BackupTrace } from './backup.ts';

/**
 * Whether a share file lies in a backup as it did when it was opened there: everything that leads to it is compared.
 * Once the phone was backed up anew, only its absence can be told: what holds its key was written by the phone.
 * @throws KeepsetError `place/unreachable` (no such folder, or none that may be read), `place/not-found` (no backup in
 * it), `place/damaged`, `input/unsupported`
 * @spec spec/health.md §7
 */
export const lookAtFinderBackup = async (
  folder: string,
  trace: BackupTrace,
  files: FileSystem = nodeFileSystem,
): Promise<Reach> => {
  try {
    return await look(folder, trace, files);
  } catch (thrown) {
    const { code, hint } = toKeepsetError(thrown);
    if (code !== 'place/read-only') throw thrown;
    // As macOS answers a terminal that the user did not allow to see backups: that is no damage.
    throw new KeepsetError('place/unreachable', 'The backup may not be read.', {
      ...(hint === undefined ? {} : { hint }),
      cause: thrown,
    });
  }
};

const look = async (folder: string, trace: BackupTrace, files: FileSystem): Promise<Reach> => {
  if ((await files.facts(folder)) === null)
    throw new KeepsetError('place/unreachable', `There is no folder ${folder}.`);
  const { encrypted, sha256 } = await readManifest(files, folder);
  if (!encrypted) return { status: 'damaged', reason: 'the phone was backed up anew, without encryption' };
  const isSameRun = bytesEqual(sha256, trace.plist);
  const sealed = await ifThere(readSealed(files, folder, trace.file));
  if (sealed === null)
    return {
      status: 'damaged',
      reason: isSameRun ? 'it is gone' : 'the phone was backed up anew, without it',
    };
  if (!isSameRun) return { status: 'unseen', reason: 'the phone was backed up anew' };
  const isSame =
    bytesEqual(hashOf(sealed), trace.sealed) &&
    bytesEqual(hashOf(await readDatabase(files, folder)), trace.database);
  return isSame ? { status: 'intact' } : { status: 'damaged', reason: 'it is not what was opened there' };
};

const ifThere = async (read: Promise<Uint8Array>): Promise<Uint8Array | null> => {
  try {
    return await read;
  } catch (thrown) {
    if (toKeepsetError(thrown).code === 'place/not-found') return null;
    throw thrown;
  }
};

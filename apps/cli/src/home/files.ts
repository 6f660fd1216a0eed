import { randomBytes } from 'node:crypto';
import { open, readFile, readdir, rename, rm, mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeepsetError } from '@keepset/bytes';

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const toPlaceError = (path: string, cause: unknown): KeepsetError => {
  const code = codeOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new KeepsetError('place/full', `No space left to write ${path}.`, { cause });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new KeepsetError('place/read-only', `${path} may not be written or read.`, { cause });
  return new KeepsetError('place/unreachable', `${path} cannot be used (${code ?? 'unknown reason'}).`, {
    cause,
  });
};

/** Writes a small private file so that after a crash it is either the old or the new one, and durable on return. */
export const writeDurably = async (path: string, content: string | Uint8Array): Promise<void> => {
  const folder = dirname(path);
  const temporary = join(folder, `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await makeFolderDurably(folder);
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (cause) {
    // The first error is the one to report.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toPlaceError(path, cause);
  }
};

/** Removes what writes that were cut off left in a folder. Only where nobody else writes to it. */
export const removeCutOff = async (folder: string): Promise<void> => {
  for (const name of await listIfThere(folder))
    if (/^\.[0-9a-f]{12}\.tmp$/.test(name)) await removeDurably(join(folder, name));
};

/** A file is no safer than the folders it lies in: each new one is noted in its parent before anything relies on it. */
export const makeFolderDurably = async (folder: string): Promise<void> => {
  const highest = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (highest === undefined) return;
  for (let made = folder; made.length >= highest.length; made = dirname(made))
    await syncFolder(dirname(made));
};

/** Removes a file durably; a missing one is fine. */
export const removeDurably = async (path: string): Promise<void> => {
  try {
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw toPlaceError(path, cause);
  }
};

/** Removes a file durably. Of all who try at once, in whatever process, exactly one is told that it did. */
export const claimDurably = async (path: string): Promise<boolean> => {
  try {
    await unlink(path);
    await syncFolder(dirname(path));
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return false;
    throw toPlaceError(path, cause);
  }
};

const syncFolder = async (folder: string): Promise<void> => {
  // Windows cannot open folders; its rename is durable enough with the file itself synced.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** The file's bytes, or undefined when it does not exist. */
export const readIfThere = async (path: string): Promise<Uint8Array | undefined> => {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw toPlaceError(path, cause);
  }
};

/** Names in a folder; none when it does not exist. */
export const listIfThere = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return [];
    throw toPlaceError(folder, cause);
  }
};

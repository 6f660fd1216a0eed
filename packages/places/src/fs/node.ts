import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { KeepsetError, type ErrorCode } from '@keepset/bytes';
import type { FileFacts, FileSystem, OpenFile } from './port.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** The operating system's files. */
export const nodeFileSystem: FileSystem = {
  facts: async (path) => {
    try {
      return factsOf(await lstat(path));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw placeError(error);
    }
  },
  makeFolder: (path) => typed(() => mkdir(path, { mode: 0o700 })),
  names: async (folder) => {
    try {
      return await readdir(folder);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT')
        throw new KeepsetError('place/unreachable', 'There is no such folder here, or not any more.', {
          cause: error,
        });
      throw placeError(error);
    }
  },
  read: (path, maxBytes) => typed(() => readRegular(path, maxBytes)),
  // O_NOFOLLOW with O_EXCL is implied by POSIX; said for systems that differ.
  create: (path) =>
    typed(async () => writable(await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))),
  truncate: (path) => typed(() => openToTruncate(path)),
  rename: (from, to) => typed(() => rename(from, to)),
  remove: (path) => typed(() => unlink(path)),
  syncFolder: (folder) => typed(() => syncFolder(folder)),
};

const factsOf = (stats: {
  isFile(): boolean;
  isDirectory(): boolean;
  size: number;
  mode: number;
}): FileFacts => ({
  kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other',
  size: stats.size,
  mode: stats.mode & 0o777,
});

const readRegular = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  // O_NONBLOCK: opening a pipe somebody planted must not hang.
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const { kind, size } = factsOf(await handle.stat());
    if (kind !== 'file') throw notRegular();
    if (size > maxBytes)
      throw new KeepsetError('wire/too-large', `The file has more than ${maxBytes} bytes.`);
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    const buffer = new Uint8Array(maxBytes + 1 < size ? maxBytes + 1 : size + 1);
    const length = await fill(handle, buffer);
    if (length === buffer.length) throw new KeepsetError('place/damaged', 'The file grew while it was read.');
    return buffer.slice(0, length);
  } finally {
    await handle.close();
  }
};

const fill = async (handle: FileHandle, buffer: Uint8Array): Promise<number> => {
  let at = 0;
  while (at < buffer.length) {
    const { bytesRead } = await handle.read(buffer, at, buffer.length - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
};

const openToTruncate = async (path: string): Promise<OpenFile> => {
  const handle = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw notRegular();
    await handle.truncate(0);
    return writable(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
};

const writable = (handle: FileHandle): OpenFile => ({
  write: (bytes) => typed(() => handle.writeFile(bytes)),
  sync: () => typed(() => handle.sync()),
  close: () => typed(() => handle.close()),
});

const syncFolder = async (folder: string): Promise<void> => {
  // Windows has no handle to sync a folder by; its metadata journal does the work.
  if (process.platform === 'win32') return;
  const handle = await open(folder, O_RDONLY | O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems have no such call for folders.
    if (!['EINVAL', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
};

const typed = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw placeError(error);
  }
};

const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const codes: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ['ENOENT', ['place/not-found', 'The file is not there.']],
  ['EEXIST', ['place/exists', 'The file is there already.']],
  ['ENOSPC', ['place/full', 'The medium is full.']],
  ['EDQUOT', ['place/full', 'The quota is used up.']],
  ['EFBIG', ['place/full', 'The file system takes no file of this size.']],
  ['EROFS', ['place/read-only', 'The medium is read-only.']],
  ['EACCES', ['place/read-only', 'The permissions forbid it.']],
  ['EPERM', ['place/read-only', 'The permissions forbid it.']],
  ['ELOOP', ['place/foreign', 'A symbolic link stands where a copy should be.']],
  ['ENOTDIR', ['place/foreign', 'Something else stands where the folder should be.']],
  ['EISDIR', ['place/foreign', 'A folder stands where a copy should be.']],
]);

/** Everything else (EIO, ENODEV, ENXIO, ESTALE…) means that the medium does not answer. */
const placeError = (error: unknown): unknown => {
  const errno = errnoOf(error);
  if (error instanceof KeepsetError || errno === undefined) return error;
  const [code, message] = codes.get(errno) ?? [
    'place/unreachable' as const,
    `The medium does not answer (${errno}).`,
  ];
  return new KeepsetError(code, message, { cause: error });
};

const notRegular = (): KeepsetError =>
  new KeepsetError('place/foreign', 'What stands there is not a regular file.');

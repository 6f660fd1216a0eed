/** A file that the user names. */
import { resolve } from 'node:path';
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import { nodeFileSystem } from '@keepset/places';

/** @throws KeepsetError `input/invalid-argument`, with the reason */
export const readGiven = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  try {
    return await nodeFileSystem.read(resolve(path), maxBytes);
  } catch (cause) {
    throw new KeepsetError(
      'input/invalid-argument',
      `${path} cannot be read: ${toKeepsetError(cause).message}`,
      { cause },
    );
  }
};

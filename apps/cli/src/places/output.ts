/** Files that commands make: never over what is there, private, and codes never beside the share they open. */
import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { writeDurably } from '../home/files.ts';
import { isSameMedium, mediumOf } from './medium.ts';

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** @throws KeepsetError `place/exists` if anything has this name, a dangling link included; `place/unreachable`. */
export const refuseExisting = async (path: string): Promise<void> => {
  try {
    await lstat(path);
  } catch (cause) {
    if (isMissing(cause)) return;
    throw new KeepsetError('place/unreachable', `${path} cannot be used.`, { cause });
  }
  throw new KeepsetError('place/exists', `${path} exists already.`, {
    hint: 'Nothing is written over: choose another name.',
  });
};

/** Writes a new private file (0600) durably, and its folder if need be. @throws as {@link refuseExisting} */
export const writeNew = async (path: string, content: Uint8Array): Promise<void> => {
  await refuseExisting(path);
  await writeDurably(path, content);
};

/** @throws KeepsetError `place/foreign` if the file would lie on the medium that holds the share. */
export const refuseSameMedium = async (codeFile: string, medium: string): Promise<void> => {
  if (!isSameMedium(await mediumOf(codeFile), await mediumOf(medium))) return;
  throw new KeepsetError('place/foreign', `${codeFile} would lie on the medium that holds the share.`, {
    hint: 'Whoever finds the stick would have both. Write the code sheet elsewhere, print it and delete it; or use --show-code and copy it by hand.',
  });
};

/** Refuses names before anything is made; gives the full paths. */
export const freshPaths = async (folder: string, names: readonly string[]): Promise<readonly string[]> => {
  const paths = names.map((name) => join(resolve(folder), name));
  for (const path of paths) await refuseExisting(path);
  return paths;
};

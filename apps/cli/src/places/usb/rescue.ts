/** Finding shares on an image of a stick that has lost its file system. */
import { createHash } from 'node:crypto';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { rescueShares, type RawImage } from '@keepset/places';
import type { Terminal } from '../../terminal/terminal.ts';
import { mediumOf, numberOf } from '../medium.ts';
import { freshPaths, writeNew } from '../output.ts';
import { tenths } from '../progress.ts';

/** A share that was found and written out. */
export interface Rescued {
  readonly offset: number;
  readonly keyId: string;
  readonly party: string;
  readonly epoch: number;
  readonly generation: number;
  readonly file: string;
}

/**
 * Writes every share that a code opens to `out`, each once. The image is only read.
 * @throws KeepsetError `input/invalid-argument` (not readable), `place/foreign` (`out` lies on the medium itself),
 * `place/not-found` (nothing that these codes open), `place/exists`.
 */
export const rescueImage = async (
  path: string,
  codes: readonly string[],
  out: string,
  terminal: Terminal,
): Promise<readonly Rescued[]> => {
  await refuseOwnMedium(path, out);
  const handle = await openImage(path);
  try {
    const size = await sizeOf(handle);
    const found = new Map<string, Rescued>();
    for await (const { offset, file, opened } of rescueShares(readerOf(handle, size, terminal), codes)) {
      const { share, generation } = opened;
      share.secret.wipe();
      const hash = createHash('sha256').update(file).digest('hex');
      // Both slots hold the same file.
      if (found.has(hash)) continue;
      const { keyId, epoch } = share.group;
      const [target = ''] = await freshPaths(out, [`${keyId}.${epoch}.${generation}.age`]);
      await writeNew(target, file);
      found.set(hash, { offset, keyId, party: share.party, epoch, generation, file: target });
    }
    if (found.size === 0)
      throw new KeepsetError('place/not-found', 'Nothing on this image is a share that this code opens.', {
        hint: 'Is it the code of this stick? Take the image of the whole device, not of one partition.',
      });
    return [...found.values()];
  } finally {
    await handle.close();
  }
};

/** What is written to a medium that is being searched may lie over what is looked for. */
const refuseOwnMedium = async (path: string, out: string): Promise<void> => {
  const facts = await stat(path).catch(() => null);
  // Not one that merely lies on the same disk: another partition is written to without harm.
  if (facts?.isBlockDevice() === true && (await mediumOf(out)).has(numberOf(facts.rdev)))
    throw new KeepsetError('place/foreign', `${resolve(out)} lies on the medium that is searched.`, {
      hint: 'Choose a folder elsewhere.',
    });
};

const openImage = async (path: string): Promise<FileHandle> => {
  try {
    const handle = await open(path, 'r');
    const facts = await handle.stat();
    if (facts.isFile() || facts.isBlockDevice()) return handle;
    await handle.close();
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${path} cannot be read.`, { cause });
  }
  throw new KeepsetError('input/invalid-argument', `${path} is no image.`, {
    hint: 'Give an image file (`dd if=/dev/DISK of=stick.img`) or the device itself.',
  });
};

/** A device says 0: there the end is searched for. */
const sizeOf = async (handle: FileHandle): Promise<number> => {
  const { size } = await handle.stat();
  if (size > 0) return size;
  const probe = new Uint8Array(1);
  const isInside = async (at: number): Promise<boolean> =>
    (await handle.read(probe, 0, 1, at)).bytesRead === 1;
  if (!(await isInside(0))) throw new KeepsetError('input/invalid-argument', 'The image is empty.');
  let inside = 0;
  let outside = 1;
  while (await isInside(outside)) [inside, outside] = [outside, outside * 2];
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (await isInside(middle)) inside = middle;
    else outside = middle;
  }
  return outside;
};

/** The image is read twice from beginning to end. */
const readerOf = (handle: FileHandle, size: number, terminal: Terminal): RawImage => {
  const show = tenths(terminal, 'Searching');
  let passes = -1;
  return {
    size,
    read: async (offset, length) => {
      if (offset === 0) passes += 1;
      show((Math.max(0, passes) * size + offset) / (2 * size));
      const buffer = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let at = 0;
      while (at < buffer.length) {
        const { bytesRead } = await handle.read(buffer, at, buffer.length - at, offset + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return buffer.subarray(0, at);
    },
  };
};

/** What every adapter checks and says alike. */
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, toKeepsetError, utf8ToBytes } from '@keepset/bytes';
import { maxShareFileBytes } from '@keepset/wire';
import type { CopyEntry, CopyHealth, CopyMeta, CopyName, StoredCopy } from './port.ts';

const ageIntro = utf8ToBytes('age-encryption.org/v1\n');

/** Whether the bytes begin as an age v1 file does. */
export const looksLikeAge = (bytes: Uint8Array): boolean => ageIntro.every((byte, i) => bytes[i] === byte);

/** @throws KeepsetError `input/invalid-argument` */
export const checkName = ({ keyId, epoch }: CopyName): void => {
  if (!/^[a-z2-7]{26}$/.test(keyId))
    throw new KeepsetError('input/invalid-argument', 'A key id has 26 base32 characters.');
  checkCount(epoch, 'epoch');
};

const checkCount = (value: number, what: string): void => {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new KeepsetError('input/invalid-argument', `The ${what} must be a whole number from 0.`);
};

/** Checks what is about to be stored. @throws KeepsetError `input/invalid-argument`, `wire/too-large` */
export const checkCopy = (name: CopyName, bytes: Uint8Array, { generation }: CopyMeta): void => {
  checkName(name);
  checkCount(generation, 'generation');
  if (bytes.length > maxShareFileBytes)
    throw new KeepsetError('wire/too-large', `A copy has at most ${maxShareFileBytes} bytes.`);
  if (!looksLikeAge(bytes)) throw new KeepsetError('input/invalid-argument', 'A copy is an age file.');
};

/** Checks what was read back. @throws KeepsetError `place/damaged` */
export const checkRead = (bytes: Uint8Array): void => {
  if (bytes.length === 0) throw new KeepsetError('place/damaged', 'The copy is empty.');
  if (!looksLikeAge(bytes))
    throw new KeepsetError('place/damaged', 'The copy is not an age file, or its beginning is damaged.');
};

/** @throws KeepsetError `place/stale` */
export const refuseOlder = (offered: number, stored: number): void => {
  if (offered < stored)
    throw new KeepsetError('place/stale', `Generation ${offered} is older than the stored ${stored}.`);
};

/** The same generation with other bytes. */
export const sameGeneration = (generation: number): KeepsetError =>
  new KeepsetError('place/exists', `Generation ${generation} is stored already, with other content.`);

/** No pending copy to promote. */
export const nothingPending = (): KeepsetError =>
  new KeepsetError('place/not-found', 'There is neither a pending nor a current copy of this name.');

/** The order of {@link CopyEntry} lists. */
export const byName = (a: CopyEntry, b: CopyEntry): number =>
  compare(a.keyId, b.keyId) || a.epoch - b.epoch || compare(a.state, b.state);

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b);

/** The health verdict of an adapter whose `get` is `read`. */
export const healthOf = async (
  name: CopyName,
  read: (name: CopyName) => Promise<StoredCopy | null>,
): Promise<CopyHealth> => {
  checkName(name);
  try {
    const copy = await read(name);
    if (copy === null) return { status: 'missing' };
    const { generation, bytes } = copy;
    return { status: 'readable', generation, size: bytes.length, sha256: sha256(bytes) };
  } catch (caught) {
    const { code, message } = toKeepsetError(caught);
    if (code === 'bug/invariant') throw caught;
    const damaged = code === 'place/damaged' || code === 'place/foreign' || code === 'wire/too-large';
    return { status: damaged ? 'damaged' : 'unreachable', code, reason: message };
  }
};

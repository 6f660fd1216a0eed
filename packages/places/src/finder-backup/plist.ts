/** Binary property lists, with what a parser returns checked instead of believed. */
import { parseBuffer } from 'bplist-parser';
import { KeepsetError } from '@keepset/bytes';

/** A dictionary of a property list. */
export type PlistDict = Readonly<Record<string, unknown>>;

const defaultMaxObjects = 100_000;
const maxDepth = 200;
// High halves of an object's first byte.
const [integer, date, data, text, wideText, list, dictionary] = [1, 3, 4, 5, 6, 10, 13];

/**
 * @param maxObjects how many objects the list may have, each counted as often as it is referred to.
 * @throws KeepsetError `place/damaged`
 */
export const parsePlist = (
  bytes: Uint8Array,
  what: string,
  maxObjects: number = defaultMaxObjects,
): PlistDict => {
  try {
    refuseBomb(bytes, maxObjects);
    const [root] = parseBuffer<unknown>(Buffer.from(bytes));
    if (isDict(root)) return root;
  } catch (cause) {
    throw new KeepsetError('place/damaged', `${what} is not a binary property list.`, { cause });
  }
  throw new KeepsetError('place/damaged', `${what} is no dictionary.`);
};

/** How much becomes of an object and all it refers to. */
interface Extent {
  readonly objects: number;
  readonly depth: number;
}

/**
 * Objects may be referred to several times, and the parser makes a new one each time: twenty lists of two references to the next
 * become a million. So all is counted before it is parsed; cycles, what lies outside the file, and numbers of unheard-of size
 * are refused.
 * @spec CFBinaryPList.c, Apple's open-source CoreFoundation
 */
const refuseBomb = (bytes: Uint8Array, maxObjects: number): void => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = (at: number, size: number): number => {
    if (at + size > buffer.length) throw new Error('A number is out of bounds.');
    return size === 8 ? Number(buffer.readBigUInt64BE(at)) : buffer.readUIntBE(at, size);
  };
  const trailer = buffer.length - 32;
  if (trailer < 8) throw new Error('There is no trailer.');
  const [offsetSize, referenceSize] = [number(trailer + 6, 1), number(trailer + 7, 1)];
  const [count, top, table] = [8, 16, 24].map((at) => number(trailer + at, 8)) as [number, number, number];
  if (count > maxObjects) throw new Error('There are too many objects.');

  /** Length of what an object holds, and where that begins. */
  const sizeOf = (at: number): readonly [length: number, start: number] => {
    const info = number(at, 1) & 15;
    if (info !== 15) return [info, at + 1];
    const marker = number(at + 1, 1);
    if (marker >> 4 !== integer) throw new Error('A length is no number.');
    const size = 2 ** (marker & 15);
    return [number(at + 2, size), at + 2 + size];
  };
  const sizeOfLeaf = (at: number, type: number): number => {
    const info = number(at, 1) & 15;
    if (type === integer && info > 4) throw new Error('A number is too large.');
    if (type === date && info !== 3) throw new Error('A date is none.');
    if (type !== data && type !== text && type !== wideText) return 1;
    const [length, start] = sizeOf(at);
    return start - at + (type === wideText ? length * 2 : length);
  };
  const known = new Map<number, Extent | 'open'>();
  const extentOf = (index: number, level: number): Extent => {
    const before = known.get(index);
    if (before === 'open' || index >= count) throw new Error('A reference leads nowhere.');
    if (level + (before?.depth ?? 0) > maxDepth) throw new Error('It is nested too deeply.');
    if (before !== undefined) return before;
    known.set(index, 'open');
    const at = number(table + index * offsetSize, offsetSize);
    const type = number(at, 1) >> 4;
    let [objects, depth] = [1, 0];
    if (type === list || type === dictionary) {
      const [length, start] = sizeOf(at);
      const references = type === list ? length : length * 2;
      for (let i = 0; i < references; i += 1) {
        const inner = extentOf(number(start + i * referenceSize, referenceSize), level + 1);
        objects += inner.objects;
        depth = Math.max(depth, inner.depth + 1);
        if (objects > maxObjects) throw new Error('There are too many objects.');
      }
    } else {
      const size = sizeOfLeaf(at, type);
      if (at + size > buffer.length) throw new Error('An object is out of bounds.');
      // A long text that is referred to often costs as much as many objects.
      objects += size >> 8;
    }
    const extent = { objects, depth };
    known.set(index, extent);
    return extent;
  };
  extentOf(top, 0);
};

/** Whether it is a dictionary: not bytes, a date, a list or an archiver's reference. */
export const isDict = (value: unknown): value is PlistDict =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** A data field, or undefined. */
export const dataOf = (value: unknown): Uint8Array | undefined =>
  value instanceof Uint8Array ? Uint8Array.from(value) : undefined;

/** What a keyed archiver's reference points to; anything else is itself. */
export const dereference = (objects: readonly unknown[], value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'UID' in value && typeof value.UID === 'number'
    ? objects[value.UID]
    : value;

/** Binary property lists, with what a parser returns checked instead of believed. */
import { parseBuffer } from 'bplist-parser';
import { KeepsetError } from '@keepset/bytes';

/** A dictionary of a property list. */
export type PlistDict = Readonly<Record<string, unknown>>;

/** @throws KeepsetError `place/damaged` */
export const parsePlist = (bytes: Uint8Array, what: string): PlistDict => {
  try {
    const [root] = parseBuffer<unknown>(Buffer.from(bytes));
    if (isDict(root)) return root;
  } catch (cause) {
    throw new KeepsetError('place/damaged', `${what} is not a binary property list.`, { cause });
  }
  throw new KeepsetError('place/damaged', `${what} is no dictionary.`);
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

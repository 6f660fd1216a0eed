import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { HASH_LENGTH, emptyRoot, foldRight, nodeHash } from './hashing.ts';

/**
 * What the log needs from storage: roots of complete subtrees. The subtree (level, index) covers the
 * leaves from index·2^level up to but not including (index + 1)·2^level; level 0 is the leaf hashes.
 * A log of n entries stores fewer than 2n of them and never changes one. Tiles are views of them.
 */
export interface HashReader {
  /**
   * The stored root of a complete subtree, 32 bytes. It is asked only for subtrees that lie wholly inside
   * the size the caller names; one that is missing is a damaged store, not an ordinary answer.
   * @throws KeepsetError `store/damaged` when there is none.
   */
  hashAt(level: number, index: number): Uint8Array;
}

/** A hash to write. Keep all that one {@link appendLeaf} returns in the transaction that keeps the entry. */
export interface StoredHash {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** Largest number of entries: sizes are JavaScript integers. */
export const MAX_SIZE: number = Number.MAX_SAFE_INTEGER;

/** True for a number a log can have as size. */
export const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/**
 * The hashes to store when `leaf` becomes entry number `size` (from 0) of a log with `size` entries.
 * It reads and hashes once per subtree that the leaf completes: at most log2(size + 1) times, once on average.
 * Nothing is written here; writing the same hashes again changes nothing.
 * @throws KeepsetError `input/invalid-argument`, or `store/damaged` from the store.
 */
export const appendLeaf = (store: HashReader, size: number, leaf: Uint8Array): readonly StoredHash[] => {
  checkSize(size);
  if (size === MAX_SIZE || leaf.length !== HASH_LENGTH)
    throw new KeepsetError('input/invalid-argument', 'A leaf is 32 bytes and must fit into the log.');
  const stored: StoredHash[] = [{ level: 0, index: size, hash: leaf }];
  let hash = leaf;
  let index = size;
  // An odd index is a right child: its parent is complete now.
  for (let level = 0; index % 2 === 1; level += 1) {
    hash = nodeHash(readHash(store, level, index - 1), hash);
    index = (index - 1) / 2;
    stored.push({ level: level + 1, index, hash });
  }
  return stored;
};

/**
 * Root over the first `size` entries. Any size up to the stored one may be asked; at most log2(size) + 1 reads.
 * @throws KeepsetError `input/invalid-argument`, or `store/damaged` from the store.
 */
export const rootAt = (store: HashReader, size: number): Uint8Array => {
  checkSize(size);
  return size === 0 ? emptyRoot() : rangeHash(store, { start: 0, end: size });
};

/** Leaves from `start` up to but not including `end`, as they occur in proofs. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** A complete subtree's place. */
export interface NodePlace {
  readonly level: number;
  readonly index: number;
}

/**
 * The complete subtrees that make up a range, largest first. `start` must be a multiple of the largest
 * power of two in the range's length, as it is for every range of an RFC 6962 tree.
 */
export const subtreesOf = ({ start, end }: LeafRange): readonly NodePlace[] => {
  const places: NodePlace[] = [];
  let from = start;
  while (from < end) {
    const { width, level } = largestPowerUpTo(end - from);
    places.push({ level, index: from / width });
    from += width;
  }
  return places;
};

/** Root over a range of leaves, from stored hashes. */
export const rangeHash = (store: HashReader, range: LeafRange): Uint8Array => {
  const root = foldRight(subtreesOf(range).map(({ level, index }) => readHash(store, level, index)));
  if (root === undefined) throw new KeepsetError('bug/invariant', 'An empty range has no hash.');
  return root;
};

/** The largest power of two that is at most `count`, and its exponent. `count` must be at least 1. */
export const largestPowerUpTo = (count: number): { readonly width: number; readonly level: number } => {
  let width = 1;
  let level = 0;
  while (width * 2 <= count) {
    width *= 2;
    level += 1;
  }
  return { width, level };
};

/** A store in memory, for tests, auditors and tools. */
export interface MemoryStore extends HashReader {
  /** Keeps the hashes. @throws KeepsetError `store/conflict` for a place that holds another hash. */
  write(hashes: readonly StoredHash[]): void;
}

/** An empty {@link MemoryStore}. */
export const memoryStore = (): MemoryStore => {
  const hashes = new Map<string, Uint8Array>();
  const key = (level: number, index: number): string => `${level}/${index}`;
  return {
    hashAt(level, index) {
      const hash = hashes.get(key(level, index));
      if (hash === undefined)
        throw new KeepsetError('store/damaged', `The log holds no hash at level ${level}, index ${index}.`);
      return hash;
    },
    write(stored) {
      for (const { level, index, hash } of stored) {
        const held = hashes.get(key(level, index));
        if (held !== undefined && !bytesEqual(held, hash))
          throw new KeepsetError('store/conflict', 'The log already holds another hash there.');
      }
      for (const { level, index, hash } of stored) hashes.set(key(level, index), hash.slice());
    },
  };
};

const readHash = (store: HashReader, level: number, index: number): Uint8Array => {
  const hash = store.hashAt(level, index);
  if (hash.length !== HASH_LENGTH)
    throw new KeepsetError('store/damaged', `The log's hash at level ${level}, index ${index} is damaged.`);
  return hash;
};

const checkSize = (size: number): void => {
  if (!isSize(size)) throw new KeepsetError('input/invalid-argument', 'Not a size a log can have.');
};

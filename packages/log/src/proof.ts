import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { HASH_LENGTH, emptyRoot, nodeHash } from './hashing.ts';
import { isSize, largestPowerUpTo, rangeHash, type HashReader, type LeafRange } from './store.ts';

/** A proof: 32-byte hashes in the order of RFC 6962, from the leaf's side to the root's. */
export type Proof = readonly Uint8Array[];

/**
 * Proves that entry `index` stands in the tree over the first `size` entries: about log2(size) hashes,
 * at most 2·log2(size) reads.
 * @throws KeepsetError `input/invalid-argument` unless 0 ≤ index < size; `store/damaged` from the store.
 * @spec RFC 6962 §2.1.1
 */
export const proveInclusion = (store: HashReader, index: number, size: number): Proof =>
  inclusionRanges(index, size).map((range) => rangeHash(store, range));

/**
 * Proves that the tree over `oldSize` entries is a prefix of the tree over `size` entries.
 * Empty when the sizes are equal or the old tree is empty: then there is nothing to prove.
 * @throws KeepsetError `input/invalid-argument` unless 0 ≤ oldSize ≤ size; `store/damaged` from the store.
 * @spec RFC 6962 §2.1.2
 */
export const proveConsistency = (store: HashReader, oldSize: number, size: number): Proof =>
  consistencyRanges(oldSize, size).map((range) => rangeHash(store, range));

/** The leaf ranges whose hashes are the inclusion proof, leaf's side first. Errors as in {@link proveInclusion}. */
export const inclusionRanges = (index: number, size: number): readonly LeafRange[] => {
  if (!isSize(size) || !isSize(index) || index >= size)
    throw new KeepsetError('input/invalid-argument', 'There is no such entry in a log of that size.');
  const path: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = splitOf(start, end);
    const inLeft = index < middle;
    path.push(inLeft ? { start: middle, end } : { start, end: middle });
    [start, end] = inLeft ? [start, middle] : [middle, end];
  }
  return path.reverse();
};

/** The leaf ranges whose hashes are the consistency proof. Errors as in {@link proveConsistency}. */
export const consistencyRanges = (oldSize: number, size: number): readonly LeafRange[] => {
  if (!isSize(size) || !isSize(oldSize) || oldSize > size)
    throw new KeepsetError('input/invalid-argument', 'A log of that size has no such older size.');
  if (oldSize === 0 || oldSize === size) return [];
  const path: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end !== oldSize) {
    const middle = splitOf(start, end);
    const inLeft = oldSize <= middle;
    path.push(inLeft ? { start: middle, end } : { start, end: middle });
    [start, end] = inLeft ? [start, middle] : [middle, end];
  }
  // The verifier knows the old root itself; any other complete part of the old tree it must be told.
  if (start > 0) path.push({ start, end });
  return path.reverse();
};

/** Where a tree over these leaves divides: its left side is the largest power of two below its length. */
const splitOf = (start: number, end: number): number => start + largestPowerUpTo(end - start - 1).width;

/**
 * Whether `proof` shows that `leaf` (a leaf hash) is entry `index` of the tree with `size` and `root`.
 * Anything else, malformed arguments included, is false: it never throws.
 * @spec RFC 9162 §2.1.3.2
 */
export const verifyInclusion = (
  proof: Proof,
  index: number,
  leaf: Uint8Array,
  size: number,
  root: Uint8Array,
): boolean => {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash);
      [fn, sn] = skipAbsentSiblings(fn, sn);
    } else hash = nodeHash(hash, sibling);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && bytesEqual(hash, root);
};

/**
 * Whether `proof` shows that the tree with `oldSize` and `oldRoot` is a prefix of the tree with `size` and
 * `root`. Equal sizes need equal roots and an empty proof; the empty tree is a prefix of every tree and needs an
 * empty proof too. Anything else, malformed arguments included, is false: it never throws.
 * @spec RFC 9162 §2.1.4.2
 */
export const verifyConsistency = (
  proof: Proof,
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
): boolean => {
  if (!isSize(oldSize) || !isSize(size) || oldSize > size || !areHashes([oldRoot, root, ...proof]))
    return false;
  if (size === 0 && !bytesEqual(root, emptyRoot())) return false;
  if (oldSize === size) return proof.length === 0 && bytesEqual(oldRoot, root);
  if (oldSize === 0) return proof.length === 0 && bytesEqual(oldRoot, emptyRoot());

  // A complete old tree is itself the first subtree, and the proof leaves it out.
  const path = largestPowerUpTo(oldSize).width === oldSize ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [fn, sn] = [oldSize - 1, size - 1];
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  let [oldHash, newHash] = [first, first];
  for (const part of rest) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      oldHash = nodeHash(part, oldHash);
      newHash = nodeHash(part, newHash);
      [fn, sn] = skipAbsentSiblings(fn, sn);
    } else newHash = nodeHash(newHash, part);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && bytesEqual(oldHash, oldRoot) && bytesEqual(newHash, root);
};

/** At the ragged right edge a node without sibling rises unchanged, until it is a right child. */
const skipAbsentSiblings = (fn: number, sn: number): [number, number] => {
  let [f, s] = [fn, sn];
  while (!isOdd(f) && f !== 0) [f, s] = [half(f), half(s)];
  return [f, s];
};

// Arithmetic instead of bit operators, which would cut sizes to 32 bits.
const isOdd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);

const areHashes = (values: readonly Uint8Array[]): boolean =>
  values.every((value) => value instanceof Uint8Array && value.length === HASH_LENGTH);

import { KeepsetError, Secret, utf8ToBytes, type ErrorCode } from '@keepset/bytes';
import { expect } from 'vitest';
import {
  appendLeaf,
  leafHash,
  memoryStore,
  nodeHash,
  seedSigner,
  type HashReader,
  type MemoryStore,
  type NoteSigner,
} from '@keepset/log';

/** A log of `size` distinct short entries. */
export const entriesUpTo = (size: number): Uint8Array[] =>
  Array.from({ length: size }, (_, at) => utf8ToBytes(`entry ${at}`));

export const storeOf = (entries: readonly Uint8Array[]): MemoryStore => {
  const store = memoryStore();
  entries.forEach((entry, at) => store.write(appendLeaf(store, at, leafHash(entry))));
  return store;
};

/** RFC 6962 §2.1 word for word: slow, and independent of how the package stores and folds. */
export const definedRoot = (leaves: readonly Uint8Array[]): Uint8Array => {
  const [only] = leaves;
  if (only === undefined) throw new Error('not for the empty tree');
  if (leaves.length === 1) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(definedRoot(leaves.slice(0, k)), definedRoot(leaves.slice(k)));
};

/** Counts what is read. */
export const counting = (store: HashReader): { store: HashReader; reads: () => number } => {
  let reads = 0;
  return {
    store: {
      hashAt(level, index) {
        reads += 1;
        return store.hashAt(level, index);
      },
    },
    reads: () => reads,
  };
};

export const expectCode = (action: () => unknown, code: ErrorCode): KeepsetError => {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(KeepsetError);
  const error = thrown as KeepsetError;
  expect(error.code).toBe(code);
  return error;
};

/** The same bytes with one bit turned. */
export const flipBit = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice();
  const at = Math.floor(bit / 8);
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8));
  return copy;
};

/** A signer whose seed is one byte repeated. */
export const signerOf = (name: string, fill: number): NoteSigner =>
  seedSigner(name, new Secret(new Uint8Array(32).fill(fill)));

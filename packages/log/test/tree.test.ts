/** The tree by its definition: every small size, mutated proofs, sizes up to the largest, and what is stored of it. */
import { toHex } from '@keepset/bytes';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_SIZE,
  appendLeaf,
  emptyRoot,
  leafHash,
  memoryStore,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootAt,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
  type HashReader,
} from '@keepset/log';
import { counting, definedRoot, entriesUpTo, expectCode, flipBit, storeOf } from './support.ts';

describe('every index and size up to 70', () => {
  const LIMIT = 70;
  // Sizes at which every wrong claim is tried as well: all small ones, and some about a power of two.
  const isThorough = (size: number): boolean => size <= 33 || [63, 64, 65, 70].includes(size);
  const leaves = entriesUpTo(LIMIT).map(leafHash);
  const store = storeOf(entriesUpTo(LIMIT));
  const roots = [emptyRoot(), ...leaves.map((_, at) => definedRoot(leaves.slice(0, at + 1)))];

  it('hashes as RFC 6962 defines', () => {
    roots.forEach((root, size) => {
      expect(toHex(rootAt(store, size))).toBe(toHex(root));
      expect(toHex(rootOfLeaves(leaves.slice(0, size)))).toBe(toHex(root));
    });
  });

  it('proves inclusion of each entry, and of no other entry or place', () => {
    for (let size = 1; size <= LIMIT; size += 1)
      for (let index = 0; index < size; index += 1) {
        const proof = proveInclusion(store, index, size);
        expect(verifyInclusion(proof, index, leaves[index]!, size, roots[size]!)).toBe(true);
        if (!isThorough(size)) continue;
        for (let claimed = 0; claimed < size; claimed += 1) {
          expect(verifyInclusion(proof, claimed, leaves[index]!, size, roots[size]!)).toBe(claimed === index);
          expect(verifyInclusion(proof, index, leaves[claimed]!, size, roots[size]!)).toBe(claimed === index);
        }
      }
  });

  it('proves consistency of each pair of sizes, and of no other pair of roots', () => {
    for (let size = 0; size <= LIMIT; size += 1)
      for (let old = 0; old <= size; old += 1) {
        const proof = proveConsistency(store, old, size);
        expect(verifyConsistency(proof, old, roots[old]!, size, roots[size]!)).toBe(true);
        if (!isThorough(size)) continue;
        for (let other = 0; other <= LIMIT; other += 1) {
          expect(verifyConsistency(proof, old, roots[other]!, size, roots[size]!)).toBe(other === old);
          // From the empty tree everything is growth.
          const accepted = other === size || (old === 0 && size > 0);
          expect(verifyConsistency(proof, old, roots[old]!, size, roots[other]!)).toBe(accepted);
        }
      }
  });
});

describe('mutated proofs', () => {
  const SIZE = 23;
  const leaves = entriesUpTo(SIZE).map(leafHash);
  const store = storeOf(entriesUpTo(SIZE));
  const root = rootAt(store, SIZE);

  /** Every proof with each bit turned, each hash left out, doubled, cut or lengthened, and neighbours swapped. */
  const mutationsOf = function* (proof: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
    for (const [at, hash] of proof.entries()) {
      for (let bit = 0; bit < 256; bit += 1) yield proof.with(at, flipBit(hash, bit));
      yield proof.toSpliced(at, 1);
      yield proof.toSpliced(at, 0, hash);
      yield proof.with(at, hash.slice(1));
      yield proof.with(at, Uint8Array.of(...hash, 0));
      yield proof.with(at, new Uint8Array(0));
      const next = proof[at + 1];
      if (next !== undefined) yield proof.with(at, next).with(at + 1, hash);
    }
    yield [...proof, root];
    yield [root, ...proof];
    yield [...proof, ...Array.from({ length: 1000 }, () => root)];
  };

  it('refuses each for inclusion', () => {
    for (let index = 0; index < SIZE; index += 1) {
      const proof = proveInclusion(store, index, SIZE);
      expect(verifyInclusion(proof, index, leaves[index]!, SIZE, root)).toBe(true);
      for (const mutated of mutationsOf(proof))
        expect(verifyInclusion(mutated, index, leaves[index]!, SIZE, root)).toBe(false);
    }
  });

  it('refuses each for consistency', () => {
    for (let old = 0; old <= SIZE; old += 1) {
      const proof = proveConsistency(store, old, SIZE);
      const oldRoot = rootAt(store, old);
      expect(verifyConsistency(proof, old, oldRoot, SIZE, root)).toBe(true);
      for (const mutated of mutationsOf(proof))
        expect(verifyConsistency(mutated, old, oldRoot, SIZE, root)).toBe(false);
    }
  });

  it('refuses turned bits in leaf and roots', () => {
    const inclusion = proveInclusion(store, 20, SIZE);
    const consistency = proveConsistency(store, 20, SIZE);
    const oldRoot = rootAt(store, 20);
    for (let bit = 0; bit < 256; bit += 1) {
      expect(verifyInclusion(inclusion, 20, flipBit(leaves[20]!, bit), SIZE, root)).toBe(false);
      expect(verifyInclusion(inclusion, 20, leaves[20]!, SIZE, flipBit(root, bit))).toBe(false);
      expect(verifyConsistency(consistency, 20, flipBit(oldRoot, bit), SIZE, root)).toBe(false);
      expect(verifyConsistency(consistency, 20, oldRoot, SIZE, flipBit(root, bit))).toBe(false);
    }
  });

  it('refuses proofs of the wrong length even when a dishonest root fits them', () => {
    // A log may sign any 32 bytes as its root: here exactly what a longer or shorter proof would hash to.
    const extra = leaves[0]!;
    for (let size = 2; size <= SIZE; size += 1) {
      const honest = rootAt(store, size);
      for (let index = 0; index < size; index += 1) {
        const proof = proveInclusion(store, index, size);
        for (const stretched of [nodeHash(extra, honest), nodeHash(honest, extra)])
          expect(verifyInclusion([...proof, extra], index, leaves[index]!, size, stretched)).toBe(false);
        for (let kept = 0; kept < proof.length; kept += 1) {
          const cut = proof.slice(0, kept);
          for (const root of partialRoots(cut, leaves[index]!))
            expect(verifyInclusion(cut, index, leaves[index]!, size, root)).toBe(false);
        }
      }
      for (let old = 1; old < size; old += 1) {
        const proof = proveConsistency(store, old, size);
        const oldRoot = rootAt(store, old);
        for (const stretched of [nodeHash(extra, honest), nodeHash(honest, extra)])
          for (const stretchedOld of [oldRoot, nodeHash(extra, oldRoot)])
            expect(verifyConsistency([...proof, extra], old, stretchedOld, size, stretched)).toBe(false);
        for (let kept = 0; kept < proof.length; kept += 1) {
          const cut = proof.slice(0, kept);
          for (const start of [oldRoot, ...cut.slice(0, 1)])
            for (const root of partialRoots(start === oldRoot ? cut : cut.slice(1), start))
              for (const claimedOld of [oldRoot, root, start])
                expect(verifyConsistency(cut, old, claimedOld, size, root)).toBe(false);
        }
      }
    }
  });

  /** Every root that hashing `proof` onto `start` can give, on either side at each step. */
  const partialRoots = (proof: readonly Uint8Array[], start: Uint8Array): Uint8Array[] =>
    proof.reduce(
      (roots, hash) => roots.flatMap((root) => [nodeHash(root, hash), nodeHash(hash, root)]),
      [start],
    );

  it('answers false, without throwing, to numbers that are no sizes', () => {
    for (const bad of [-1, 1.5, Number.NaN, Infinity, -Infinity, MAX_SIZE + 1, -0.5]) {
      expect(verifyInclusion([], bad, root, SIZE, root)).toBe(false);
      expect(verifyInclusion([], 0, root, bad, root)).toBe(false);
      expect(verifyConsistency([], bad, root, SIZE, root)).toBe(false);
      expect(verifyConsistency([], 1, root, bad, root)).toBe(false);
    }
    expect(verifyInclusion([], SIZE, leaves[0]!, SIZE, root)).toBe(false);
    expect(verifyInclusion([], 0, leaves[0]!, 0, emptyRoot())).toBe(false);
    expect(verifyConsistency([], SIZE, root, SIZE - 1, rootAt(store, SIZE - 1))).toBe(false);
    expect(verifyConsistency([], 0, root, SIZE, root)).toBe(false);
    expect(verifyConsistency([], 0, root, 0, root)).toBe(false);
    expect(verifyConsistency([], 0, emptyRoot(), SIZE, root)).toBe(true);
  });

  it('does not take an inner node for a leaf', () => {
    // Two entries' node, offered as the only entry of a tree: the prefixes keep them apart.
    const node = nodeHash(leaves[0]!, leaves[1]!);
    const forged = leafHash(Uint8Array.of(...leaves[0]!, ...leaves[1]!));
    expect(toHex(forged)).not.toBe(toHex(node));
    expect(verifyInclusion([], 0, forged, 1, node)).toBe(false);
  });
});

describe('a large log', () => {
  /** Stored hashes of a tree whose leaves are all alike: depends on the level only, so any size is at hand. */
  const uniform = (): HashReader => {
    const levels = [leafHash(new Uint8Array(0))];
    return {
      hashAt(level) {
        while (levels.length <= level) levels.push(nodeHash(levels.at(-1)!, levels.at(-1)!));
        return levels[level]!;
      },
    };
  };
  const store = uniform();
  const sizes = fc.oneof(fc.integer({ min: 1, max: 2 ** 20 }), fc.integer({ min: 1, max: MAX_SIZE }));

  it('proves inclusion and consistency at any size up to 2^53 − 1, with logarithmic reads', () => {
    fc.assert(
      fc.property(sizes, fc.nat(2 ** 30), (size, draw) => {
        const log2 = Math.ceil(Math.log2(size)) + 1;
        const index = Math.floor((draw / 2 ** 30) * (size - 1));
        const root = rootAt(store, size);
        const reader = counting(store);
        const inclusion = proveInclusion(reader.store, index, size);
        expect(inclusion.length).toBeLessThanOrEqual(log2);
        expect(reader.reads()).toBeLessThanOrEqual(2 * log2);
        expect(verifyInclusion(inclusion, index, store.hashAt(0, index), size, root)).toBe(true);
        expect(verifyInclusion(inclusion, index, root, size, root)).toBe(size === 1);

        const again = counting(store);
        const consistency = proveConsistency(again.store, index + 1, size);
        expect(again.reads()).toBeLessThanOrEqual(3 * log2);
        expect(verifyConsistency(consistency, index + 1, rootAt(store, index + 1), size, root)).toBe(true);
        expect(verifyConsistency(consistency, index + 1, store.hashAt(60, 0), size, root)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('appends with at most log2 reads, at any size', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const before = size - 1;
        const reader = counting(store);
        const stored = appendLeaf(reader.store, before, store.hashAt(0, before));
        expect(reader.reads()).toBeLessThanOrEqual(Math.log2(size));
        expect(stored).toHaveLength(reader.reads() + 1);
        for (const { level, index, hash } of stored) {
          expect((index + 1) * 2 ** level).toBe(size);
          expect(toHex(hash)).toBe(toHex(store.hashAt(level, index)));
        }
      }),
    );
  });
});

describe('the store', () => {
  it('keeps fewer than two hashes per entry and never changes one', () => {
    const store = memoryStore();
    let count = 0;
    for (const [at, entry] of entriesUpTo(100).entries()) {
      const stored = appendLeaf(store, at, leafHash(entry));
      store.write(stored);
      store.write(stored);
      count += stored.length;
    }
    expect(count).toBeLessThan(200);
    expectCode(() => store.write([{ level: 0, index: 3, hash: emptyRoot() }]), 'store/conflict');
    expect(toHex(store.hashAt(0, 3))).toBe(toHex(leafHash(entriesUpTo(4)[3]!)));
  });

  it('writes all of an append or none', () => {
    const store = storeOf(entriesUpTo(2));
    expectCode(
      () =>
        store.write([
          { level: 0, index: 2, hash: emptyRoot() },
          { level: 0, index: 0, hash: emptyRoot() },
        ]),
      'store/conflict',
    );
    expectCode(() => store.hashAt(0, 2), 'store/damaged');
  });

  it('says when hashes are missing or damaged', () => {
    const store = storeOf(entriesUpTo(5));
    expectCode(() => rootAt(store, 6), 'store/damaged');
    expectCode(() => proveInclusion(store, 7, 8), 'store/damaged');
    expectCode(() => rootAt({ hashAt: () => new Uint8Array(31) }, 3), 'store/damaged');
  });

  it('refuses impossible arguments', () => {
    const store = storeOf(entriesUpTo(5));
    for (const bad of [-1, 0.5, Number.NaN, MAX_SIZE + 1]) {
      expectCode(() => rootAt(store, bad), 'input/invalid-argument');
      expectCode(() => appendLeaf(store, bad, emptyRoot()), 'input/invalid-argument');
      expectCode(() => proveInclusion(store, bad, 5), 'input/invalid-argument');
      expectCode(() => proveInclusion(store, 0, bad), 'input/invalid-argument');
      expectCode(() => proveConsistency(store, bad, 5), 'input/invalid-argument');
    }
    expectCode(() => proveInclusion(store, 5, 5), 'input/invalid-argument');
    expectCode(() => proveConsistency(store, 6, 5), 'input/invalid-argument');
    expectCode(() => appendLeaf(store, 5, new Uint8Array(31)), 'input/invalid-argument');
    expectCode(() => appendLeaf(store, MAX_SIZE, emptyRoot()), 'input/invalid-argument');
  });
});

/**
 * From base OTs to all-but-one OT: 64 trees of depth k = 2 whose root has two children given by a base OT. The
 * builder knows all four leaves of a tree, the evaluator all but one; which one is its secret Δ.
 *
 *     children(s) = hash(s) split in two
 *     t_x         = r_x ⊕ (xor of all children on side x)      for each deeper level and side x, r_x from a base OT
 *     leaf, s̃_y   = hash(s_y), hash'(s_y);  t̃ = ⊕_y s̃_y;  digest = hash(s̃_0 ‖ … ‖ s̃_3)
 *
 * The evaluator recovers the missing s̃ from t̃ and compares the digest, which catches wrong corrections t.
 *
 * The evaluator keeps what it knows by the distance e = y ⊕ Δ ≠ 0 from the missing node, so that no array is ever
 * indexed by Δ. Base OT (tree, level) has the number tree·k + (k − 1 − level), and the evaluator's choices are the
 * complement of Δ.
 *
 * @spec eprint 2022/192 Figures 13 and 14
 */
import { bytesEqual, concatBytes } from '@keepset/bytes';
import type { HashPort } from '../curve/port.ts';
import { bitAt, maskOf, selectBytes, xorInto } from './bits.ts';
import { leavesPerTree, seedBytes, treeCount, treeDepth } from './parameters.ts';

/** What the builder sends. */
export interface PunctureMessage {
  /** t_0 ‖ t_1 per tree and level below the first: 16 bytes each. */
  readonly corrections: Uint8Array;
  /** t̃ per tree: 32 bytes. */
  readonly sums: Uint8Array;
  /** 32 bytes per tree. */
  readonly digests: Uint8Array;
}

/** Lengths of the fields of a {@link PunctureMessage}. */
export const punctureLengths: {
  readonly corrections: number;
  readonly sums: number;
  readonly digests: number;
} = {
  corrections: treeCount * (treeDepth - 1) * 2 * seedBytes,
  sums: treeCount * 32,
  digests: treeCount * 32,
};

const use = { children: 0, leaf: 1, check: 2 } as const;

interface Place {
  readonly hash: HashPort;
  /** 32 bytes that bind pair, direction and randomness. */
  readonly tag: Uint8Array;
  readonly tree: number;
}

const expand = (place: Place, seed: Uint8Array, level: number, node: number, purpose: number): Uint8Array =>
  place.hash.sha256Each(
    concatBytes(place.tag, seed, Uint8Array.of(place.tree, level, node, purpose)),
    36 + seedBytes,
    1,
  );

const digestOf = (place: Place, checks: readonly Uint8Array[]): Uint8Array =>
  place.hash.sha256(concatBytes(place.tag, Uint8Array.of(place.tree), ...checks));

/** Both children of a node. */
const childrenOf = (
  place: Place,
  seed: Uint8Array,
  level: number,
  node: number,
): [Uint8Array, Uint8Array] => {
  const both = expand(place, seed, level, node, use.children);
  return [both.subarray(0, seedBytes), both.subarray(seedBytes)];
};

const leafOf = (place: Place, seed: Uint8Array, node: number): Uint8Array =>
  expand(place, seed, treeDepth, node, use.leaf).subarray(0, seedBytes);

const checkOf = (place: Place, seed: Uint8Array, node: number): Uint8Array =>
  expand(place, seed, treeDepth, node, use.check);

const seedAt = (seeds: Uint8Array, index: number): Uint8Array =>
  seeds.slice(seedBytes * index, seedBytes * (index + 1));

const otNumber = (tree: number, level: number): number => tree * treeDepth + (treeDepth - 1 - level);

/**
 * Builder.
 * @param pairs both seeds of 128 base OTs.
 * @returns the message and all leaves, by tree and leaf, 16 bytes each.
 */
export const buildTrees = (
  hash: HashPort,
  tag: Uint8Array,
  pairs: Uint8Array,
): { readonly message: PunctureMessage; readonly leaves: Uint8Array } => {
  const trees = Array.from({ length: treeCount }, (_, tree) => buildTree({ hash, tag, tree }, pairs));
  return {
    message: {
      corrections: concatBytes(...trees.flatMap((tree) => tree.corrections)),
      sums: concatBytes(...trees.map((tree) => tree.sum)),
      digests: concatBytes(...trees.map((tree) => tree.digest)),
    },
    leaves: concatBytes(...trees.flatMap((tree) => tree.leaves)),
  };
};

interface BuiltTree {
  readonly corrections: Uint8Array[];
  readonly sum: Uint8Array;
  readonly digest: Uint8Array;
  readonly leaves: Uint8Array[];
}

const buildTree = (place: Place, pairs: Uint8Array): BuiltTree => {
  const root = otNumber(place.tree, 0);
  let nodes = [seedAt(pairs, 2 * root), seedAt(pairs, 2 * root + 1)];
  const corrections: Uint8Array[] = [];
  for (let level = 1; level < treeDepth; level++) {
    nodes = nodes.flatMap((seed, node) => childrenOf(place, seed, level, node));
    for (let side = 0; side < 2; side++) {
      const correction = seedAt(pairs, 2 * otNumber(place.tree, level) + side);
      nodes.forEach((seed, node) => {
        if (node % 2 === side) xorInto(correction, seed);
      });
      corrections.push(correction);
    }
  }
  const checks = nodes.map((seed, node) => checkOf(place, seed, node));
  const sum = new Uint8Array(32);
  for (const check of checks) xorInto(sum, check);
  return {
    corrections,
    sum,
    digest: digestOf(place, checks),
    leaves: nodes.map((seed, node) => leafOf(place, seed, node)),
  };
};

/**
 * Evaluator.
 * @param choices its 128 choice bits in the base OTs.
 * @param seeds the seeds it chose.
 * @returns the leaves it knows, by tree and distance 1, 2, 3 from the missing one, 16 bytes each; undefined if the
 * builder's message is inconsistent.
 */
export const evaluateTrees = (
  hash: HashPort,
  tag: Uint8Array,
  choices: Uint8Array,
  seeds: Uint8Array,
  message: PunctureMessage,
): Uint8Array | undefined => {
  const digests: Uint8Array[] = [];
  const leaves: Uint8Array[] = [];
  for (let tree = 0; tree < treeCount; tree++) {
    const known = evaluateTree({ hash, tag, tree }, choices, seeds, message);
    digests.push(known.digest);
    leaves.push(...known.leaves);
  }
  // One comparison over all trees: an error tells nothing about which tree it lies in.
  return bytesEqual(concatBytes(...digests), message.digests) ? concatBytes(...leaves) : undefined;
};

const evaluateTree = (
  place: Place,
  choices: Uint8Array,
  seeds: Uint8Array,
  message: PunctureMessage,
): { readonly digest: Uint8Array; readonly leaves: Uint8Array[] } => {
  const deltaBit = (level: number): number => 1 - bitAt(choices, otNumber(place.tree, level));
  // nodes[e − 1] lies at distance e from the missing node, which lies at `missing`.
  let nodes = [seedAt(seeds, otNumber(place.tree, 0))];
  let missing = deltaBit(0);
  for (let level = 1; level < treeDepth; level++) {
    const bit = deltaBit(level);
    const corrections = 2 * (place.tree * (treeDepth - 1) + level - 1);
    const sibling = selectBytes(
      bit,
      seedAt(message.corrections, corrections + 1),
      seedAt(message.corrections, corrections),
    );
    xorInto(sibling, seedAt(seeds, otNumber(place.tree, level)));
    const next = [sibling];
    nodes.forEach((seed, i) => {
      const [left, right] = childrenOf(place, seed, level, (i + 1) ^ missing);
      const far = selectBytes(bit, right, left);
      xorInto(sibling, far);
      next.push(selectBytes(bit, left, right), far);
    });
    nodes = next;
    missing = 2 * missing + bit;
  }
  const lost = message.sums.slice(32 * place.tree, 32 * (place.tree + 1));
  const checks = nodes.map((seed, i) => checkOf(place, seed, (i + 1) ^ missing));
  for (const check of checks) xorInto(lost, check);
  return {
    digest: digestOf(place, reorder([lost, ...checks], missing)),
    leaves: nodes.map((seed, i) => leafOf(place, seed, (i + 1) ^ missing)),
  };
};

/** From order by distance to order by node: swaps along each bit of the secret `missing`. */
const reorder = (byDistance: readonly Uint8Array[], missing: number): Uint8Array[] => {
  const out = byDistance.map((value) => value.slice());
  for (let bit = 0; bit < treeDepth; bit++) {
    const width = 1 << bit;
    const mask = maskOf((missing >> bit) & 1) & 255;
    for (let i = 0; i < leavesPerTree; i++) {
      if ((i & width) !== 0) continue;
      const low = out[i] as Uint8Array;
      const high = out[i | width] as Uint8Array;
      for (let n = 0; n < low.length; n++) {
        const swap = ((low[n] as number) ^ (high[n] as number)) & mask;
        low[n] = (low[n] as number) ^ swap;
        high[n] = (high[n] as number) ^ swap;
      }
    }
  }
  return out;
};

/**
 * Oblivious-transfer extension: from the punctured trees of one pair and one direction to any number of batches of
 * random OTs, with one message from the receiver.
 *
 * For tree i with leaves expanded to bit vectors r_y, and y = 2y_1 + y_0:
 *
 *     receiver   u^i = ⊕_y r_y ⊕ x        v^{2i+b} = ⊕_{y : y_b = 1} r_y          sends u
 *     sender     q^{2i+b} = (⊕_{y≠Δ_i} (y_b ⊕ Δ_{i,b}) r_y) ⊕ Δ_{i,b} u^i  =  v^{2i+b} ⊕ Δ_{i,b} x
 *
 * so row j of the sender is row j of the receiver, plus Δ where the choice bit x_j is 1.
 *
 * Consistency: 128 more random bits are extended, and under a universal hash whose challenge is the hash of u, the
 * receiver's bits go to x̃ and its rows to t̃; the sender's rows must go to t̃ ⊕ x̃·Δ. The challenge round is replaced
 * by Fiat–Shamir, so its statistical parameter is λc = 128.
 *
 * A failed check depends on Δ: whoever meets one must never extend again under this Δ.
 *
 * @spec eprint 2022/192 §5 with the repetition code; eprint 2015/546 Figure 10 (corrected); eprint 2023/765 §5.1
 */
import { concatBytes, utf8ToBytes } from '@keepset/bytes';
import type { HashPort } from '../curve/port.ts';
import { bitAt, bytesOfWords, maskOf, transposeToRows, wordsOf } from './bits.ts';
import { hashBits, hashColumns, hashWeights } from './galois.ts';
import { checkBits, leavesPerTree, securityBits, seedBytes, treeCount, treeDepth } from './parameters.ts';

/** The receiver's half of a direction: all leaves of all trees. */
export interface ExtensionReceiver {
  readonly leaves: Uint8Array;
}

/** The sender's half: Δ as 128 bits and, for each tree, the leaves at distance 1, 2, 3 from the missing one. */
export interface ExtensionSender {
  readonly delta: Uint8Array;
  readonly leaves: Uint8Array;
}

/** What the receiver sends. */
export interface ExtensionMessage {
  /** u: for each tree a vector of `count` + 128 bits. */
  readonly vectors: Uint8Array;
  /** x̃, 16 bytes. */
  readonly choiceCheck: Uint8Array;
  /** t̃: 128 rows of 16 bytes. */
  readonly rowCheck: Uint8Array;
}

/** Lengths of the fields of an {@link ExtensionMessage} that extends to `count` OTs. */
export const extensionLengths = (
  count: number,
): { readonly vectors: number; readonly choiceCheck: number; readonly rowCheck: number } => ({
  vectors: (treeCount * (count + checkBits)) / 8,
  choiceCheck: checkBits / 8,
  rowCheck: (checkBits * securityBits) / 8,
});

/**
 * Receiver: extends to as many OTs as there are choice bits.
 * @param nonce 32 bytes, never used before with these leaves: hash of fresh randomness of the receiver.
 * @param choices secret bits, a multiple of 32.
 * @param padding 16 random bytes.
 * @returns the message, and a row of 4 words per OT.
 */
export const extendAsReceiver = (
  hash: HashPort,
  setup: ExtensionReceiver,
  nonce: Uint8Array,
  choices: Uint8Array,
  padding: Uint8Array,
): { readonly message: ExtensionMessage; readonly rows: Int32Array } => {
  const count = 8 * choices.length;
  const width = (count + checkBits) / 32;
  const streams = expandLeaves(hash, setup.leaves, nonce, leavesPerTree, width);
  const bits = wordsOf(concatBytes(choices, padding));
  const vectors = new Int32Array(treeCount * width);
  const columns = new Int32Array(treeCount * treeDepth * width);
  for (let tree = 0; tree < treeCount; tree++) {
    for (let i = 0; i < width; i++) vectors[tree * width + i] = bits[i] as number;
    for (let leaf = 0; leaf < leavesPerTree; leaf++) {
      const stream = (tree * leavesPerTree + leaf) * width;
      xorWords(vectors, tree * width, streams, stream, width);
      for (let bit = 0; bit < treeDepth; bit++)
        if (((leaf >> bit) & 1) === 1)
          xorWords(columns, (tree * treeDepth + bit) * width, streams, stream, width);
    }
  }
  const rows = transposeToRows(columns, 32 * width);
  const vectorBytes = bytesOfWords(vectors);
  const weights = hashWeights(challengesOf(hash, nonce, vectorBytes, count), count);
  const choiceCheck = hashBits(weights, choices);
  xorWords(choiceCheck, 0, wordsOf(padding), 0, 4);
  const rowCheck = hashColumns(weights, rows.subarray(0, 4 * count));
  xorWords(rowCheck, 0, rows, 4 * count, 4 * checkBits);
  streams.fill(0);
  columns.fill(0);
  return {
    message: {
      vectors: vectorBytes,
      choiceCheck: bytesOfWords(choiceCheck),
      rowCheck: bytesOfWords(rowCheck),
    },
    rows: rows.slice(0, 4 * count),
  };
};

/**
 * Sender.
 * @param count OTs in this batch.
 * @returns a row of 4 words per OT, or undefined if the consistency check fails. See above: that is terminal.
 */
export const extendAsSender = (
  hash: HashPort,
  setup: ExtensionSender,
  nonce: Uint8Array,
  count: number,
  message: ExtensionMessage,
): Int32Array | undefined => {
  const width = (count + checkBits) / 32;
  const known = leavesPerTree - 1;
  const streams = expandLeaves(hash, setup.leaves, nonce, known, width);
  const vectors = wordsOf(message.vectors);
  const columns = new Int32Array(treeCount * treeDepth * width);
  for (let tree = 0; tree < treeCount; tree++)
    for (let bit = 0; bit < treeDepth; bit++) {
      const column = tree * treeDepth + bit;
      const mask = maskOf(bitAt(setup.delta, column));
      for (let i = 0; i < width; i++)
        columns[column * width + i] = (vectors[tree * width + i] as number) & mask;
      for (let distance = 1; distance <= known; distance++)
        if (((distance >> bit) & 1) === 1)
          xorWords(columns, column * width, streams, (tree * known + distance - 1) * width, width);
    }
  const rows = transposeToRows(columns, 32 * width);
  const weights = hashWeights(challengesOf(hash, nonce, message.vectors, count), count);
  const rowCheck = hashColumns(weights, rows.subarray(0, 4 * count));
  xorWords(rowCheck, 0, rows, 4 * count, 4 * checkBits);
  streams.fill(0);
  columns.fill(0);
  return isConsistent(wordsOf(setup.delta), rowCheck, message) ? rows.slice(0, 4 * count) : undefined;
};

/** Whether the sender's hashed rows are t̃ ⊕ x̃·Δ. */
const isConsistent = (delta: Int32Array, rowCheck: Int32Array, message: ExtensionMessage): boolean => {
  const claimed = wordsOf(message.rowCheck);
  let difference = 0;
  for (let p = 0; p < checkBits; p++) {
    const mask = maskOf(bitAt(message.choiceCheck, p));
    for (let i = 0; i < 4; i++)
      difference |=
        (rowCheck[4 * p + i] as number) ^ (claimed[4 * p + i] as number) ^ ((delta[i] as number) & mask);
  }
  return difference === 0;
};

/** Expands each leaf to `width` words: hash(leaf ‖ nonce ‖ tree ‖ block), as many blocks as it takes. */
const expandLeaves = (
  hash: HashPort,
  leaves: Uint8Array,
  nonce: Uint8Array,
  perTree: number,
  width: number,
): Int32Array => {
  const blocks = Math.ceil(width / 8);
  const leafCount = treeCount * perTree;
  const length = seedBytes + 32 + 2;
  const packed = new Uint8Array(leafCount * blocks * length);
  for (let leaf = 0; leaf < leafCount; leaf++)
    for (let block = 0; block < blocks; block++) {
      const start = (leaf * blocks + block) * length;
      packed.set(leaves.subarray(leaf * seedBytes, (leaf + 1) * seedBytes), start);
      packed.set(nonce, start + seedBytes);
      packed[start + length - 2] = Math.floor(leaf / perTree);
      packed[start + length - 1] = block;
    }
  const digests = wordsOf(hash.sha256Each(packed, length, leafCount * blocks));
  packed.fill(0);
  const streams = new Int32Array(leafCount * width);
  for (let leaf = 0; leaf < leafCount; leaf++) {
    const start = leaf * blocks * 8;
    streams.set(digests.subarray(start, start + width), leaf * width);
  }
  digests.fill(0);
  return streams;
};

const challengeLabel = utf8ToBytes('keepset/ecdsa/extension/challenge/v1');

/** χ: one field element per 128 choice bits, from the receiver's message. */
const challengesOf = (hash: HashPort, nonce: Uint8Array, vectors: Uint8Array, count: number): Int32Array => {
  const seed = hash.sha256(concatBytes(challengeLabel, nonce, vectors));
  const blocks = Math.ceil(count / checkBits);
  const packed = concatBytes(
    ...Array.from({ length: blocks }, (_, i) => concatBytes(seed, Uint8Array.of(i))),
  );
  const digests = wordsOf(hash.sha256Each(packed, 33, blocks));
  const challenges = new Int32Array(4 * blocks);
  for (let i = 0; i < blocks; i++) challenges.set(digests.subarray(8 * i, 8 * i + 4), 4 * i);
  return challenges;
};

const xorWords = (target: Int32Array, at: number, source: Int32Array, from: number, length: number): void => {
  for (let i = 0; i < length; i++) target[at + i] = (target[at + i] as number) ^ (source[from + i] as number);
};

/**
 * Breaks the correlation of rows: hash(batch ‖ row ⊕ offset ‖ number of the row ‖ block) for every row.
 * @param batch 32 bytes that bind session, pair and direction.
 * @param offset 4 words added to every row: zero, or the sender's Δ for its second message.
 * @returns `blocks` digests of 32 bytes per row, one row after another.
 * @spec eprint 2015/546 Figure 10, with a random oracle that takes session, batch and row
 */
export const hashRows = (
  hash: HashPort,
  batch: Uint8Array,
  rows: Int32Array,
  offset: Int32Array,
  blocks: number,
): Uint8Array => {
  const count = rows.length / 4;
  const length = 32 + seedBytes + 3;
  const packed = new Uint8Array(count * blocks * length);
  const view = new DataView(packed.buffer);
  for (let row = 0; row < count; row++)
    for (let block = 0; block < blocks; block++) {
      const start = (row * blocks + block) * length;
      packed.set(batch, start);
      for (let i = 0; i < 4; i++)
        view.setInt32(start + 32 + 4 * i, (rows[4 * row + i] as number) ^ (offset[i] as number), true);
      view.setUint16(start + length - 3, row);
      packed[start + length - 1] = block;
    }
  const digests = hash.sha256Each(packed, length, count * blocks);
  packed.fill(0);
  return digests;
};

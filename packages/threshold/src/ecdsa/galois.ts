/**
 * The universal hash behind the consistency check of the OT extension: blocks of 128 bits, each times a public
 * challenge in GF(2^128) = GF(2)[X] / (X^128 + X^7 + X^2 + X + 1), summed.
 *
 * The challenges are public, the hashed bits are secret. So the hash is laid out as a public bit matrix: only its
 * bits steer branches, the secrets are merely xored.
 */
import { invariant } from '@keepset/bytes';
import { maskOf } from './bits.ts';
import { checkBits } from './parameters.ts';

const words = checkBits / 32;

/** element · X in GF(2^128), in place; bit i of the element is the coefficient of X^i. */
const timesX = (element: Int32Array): void => {
  const carry = (element[3] as number) >>> 31;
  for (let i = 3; i > 0; i--)
    element[i] = ((element[i] as number) << 1) | ((element[i - 1] as number) >>> 31);
  element[0] = ((element[0] as number) << 1) ^ (maskOf(carry) & 0x87);
};

/**
 * Weights of the universal hash: bit j of the input counts as χ_⌊j/128⌋ · X^(j mod 128).
 * @param challenges one field element of 4 words per block of 128 bits.
 * @returns `count` field elements of 4 words.
 */
export const hashWeights = (challenges: Int32Array, count: number): Int32Array => {
  invariant(challenges.length * 32 >= count, 'a challenge for every block');
  const weights = new Int32Array(count * words);
  let element = new Int32Array(words);
  for (let j = 0; j < count; j++) {
    if (j % checkBits === 0) {
      const block = (j / checkBits) * words;
      element = challenges.slice(block, block + words);
    }
    weights.set(element, j * words);
    timesX(element);
  }
  return weights;
};

/** The hash of one secret bit vector: Σ_j bit_j · weight_j. */
export const hashBits = (weights: Int32Array, bits: Uint8Array): Int32Array => {
  const sum = new Int32Array(words);
  for (let j = 0; j * words < weights.length; j++) {
    const mask = maskOf(((bits[j >> 3] as number) >> (j & 7)) & 1);
    for (let i = 0; i < words; i++) sum[i] = (sum[i] as number) ^ ((weights[j * words + i] as number) & mask);
  }
  return sum;
};

/**
 * The hash of all 128 columns of a matrix at once, given by its rows of 4 words.
 * @returns 128 rows of 4 words: row p holds bit p of every column's hash.
 */
export const hashColumns = (weights: Int32Array, rows: Int32Array): Int32Array => {
  const out = new Int32Array(checkBits * words);
  for (let j = 0; j * words < weights.length; j++) {
    const r0 = rows[4 * j] as number;
    const r1 = rows[4 * j + 1] as number;
    const r2 = rows[4 * j + 2] as number;
    const r3 = rows[4 * j + 3] as number;
    for (let p = 0; p < checkBits; p++) {
      if ((((weights[j * words + (p >> 5)] as number) >>> (p & 31)) & 1) === 0) continue;
      const at = 4 * p;
      out[at] = (out[at] as number) ^ r0;
      out[at + 1] = (out[at + 1] as number) ^ r1;
      out[at + 2] = (out[at + 2] as number) ^ r2;
      out[at + 3] = (out[at + 3] as number) ^ r3;
    }
  }
  return out;
};

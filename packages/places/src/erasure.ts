/**
 * A systematic erasure code over GF(2^8): from `k` data blocks it makes `m` parity blocks, and any `k` of the
 * `k + m` give everything back. Not secret data's business: blocks are ciphertext, tables are indexed freely.
 * @spec J. Bloemer et al., "An XOR-Based Erasure-Resilient Coding Scheme", ICSI TR-95-048 (Cauchy matrices);
 * field polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), generator 2, as in RFC 5510.
 */
import { invariant } from '@keepset/bytes';

const exp = new Uint8Array(510);
const log = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i++) {
  exp[i] = value;
  exp[i + 255] = value;
  log[value] = i;
  value = value << 1 >= 256 ? (value << 1) ^ 0x11d : value << 1;
}

const at = (table: Uint8Array, i: number): number => table[i] ?? 0;

/** Product in GF(2^8). */
export const multiply = (a: number, b: number): number =>
  a === 0 || b === 0 ? 0 : at(exp, at(log, a) + at(log, b));

/** Multiplicative inverse of a non-zero element. */
export const invert = (a: number): number => {
  invariant(a !== 0, 'Zero has no inverse.');
  return at(exp, 255 - at(log, a));
};

/** Most blocks, data and parity together, of one code word. */
export const maxBlocks = 256;

/** Cauchy matrix entry: parity row `j`, data column `i`. Rows stand for elements 255, 254…, columns for 0, 1…. */
const coefficient = (j: number, i: number): number => invert((255 - j) ^ i);

/** Adds `factor` times `source` to `target`. */
const addScaled = (target: Uint8Array, source: Uint8Array, factor: number): void => {
  if (factor === 0) return;
  const logFactor = at(log, factor);
  for (let n = 0; n < target.length; n++) {
    const value = at(source, n);
    if (value !== 0) target[n] = at(target, n) ^ at(exp, logFactor + at(log, value));
  }
};

/**
 * The `parity` blocks of `data`. All blocks have one length.
 * @throws KeepsetError `bug/invariant` if there are more than {@link maxBlocks}.
 */
export const encodeParity = (data: readonly Uint8Array[], parity: number): Uint8Array[] => {
  invariant(data.length + parity <= maxBlocks, 'Too many blocks for one code word.');
  return Array.from({ length: parity }, (_, j) => {
    const block = new Uint8Array(data[0]?.length ?? 0);
    data.forEach((source, i) => addScaled(block, source, coefficient(j, i)));
    return block;
  });
};

/**
 * Gives the data blocks back; lost ones, data or parity, are null.
 * @returns null if more data blocks are lost than parity blocks are left.
 */
export const recoverData = (
  data: readonly (Uint8Array | null)[],
  parity: readonly (Uint8Array | null)[],
): Uint8Array[] | null => {
  const lost = data.flatMap((block, i) => (block === null ? [i] : []));
  const rows = parity.flatMap((block, j) => (block === null ? [] : [{ j, block }])).slice(0, lost.length);
  if (rows.length < lost.length) return null;
  const equations = rows.map(({ j, block }) => {
    const sum = Uint8Array.from(block);
    data.forEach((known, i) => {
      if (known !== null) addScaled(sum, known, coefficient(j, i));
    });
    return { factors: Uint8Array.from(lost, (i) => coefficient(j, i)), sum };
  });
  solve(equations);
  const recovered = new Map(lost.map((i, n) => [i, equations[n]?.sum]));
  return data.map((block, i) => block ?? recovered.get(i) ?? new Uint8Array(0));
};

interface Equation {
  readonly factors: Uint8Array;
  readonly sum: Uint8Array;
}

/** Gauss-Jordan. Every square part of a Cauchy matrix is invertible, and leading minors too: pivots are never zero. */
const solve = (equations: readonly Equation[]): void => {
  equations.forEach((pivot, n) => {
    const scale = invert(at(pivot.factors, n));
    for (const part of [pivot.factors, pivot.sum])
      for (let i = 0; i < part.length; i++) part[i] = multiply(at(part, i), scale);
    equations.forEach((other, row) => {
      if (row === n) return;
      const factor = at(other.factors, n);
      addScaled(other.factors, pivot.factors, factor);
      addScaled(other.sum, pivot.sum, factor);
    });
  });
};

/**
 * Scalar multiplication with fixed windows over complete addition formulas: the same number of additions and
 * doublings for every scalar, zero digits included. The table is read at a place that depends on the digit,
 * as in the curve library's own multiplication.
 */

import type { Arithmetic } from './complete.ts';

const windowBits = 4;
const combBits = 6;
const scalarBits = 256;
const combRows = Math.ceil(scalarBits / combBits);

/** Little-endian bytes of a value below 2^256. */
const bytesOf = (scalar: bigint): Uint8Array => {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, BigInt.asUintN(64, scalar >> BigInt(64 * i)), true);
  return bytes;
};

const at = <T>(table: readonly T[], index: number): T => table[index] as T;

/** scalar · point by 64 windows of 4 bits: 76 additions and 249 doublings. Addition must be complete. */
export const multiplyWindowed = <P>({ zero, add, double }: Arithmetic<P>, point: P, scalar: bigint): P => {
  const table: P[] = [zero, point, double(point)];
  for (let i = 3; i < 1 << windowBits; i++) table.push(add(at(table, i - 1), point));
  const bytes = bytesOf(scalar);
  let sum = zero;
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes[i] ?? 0;
    if (i < bytes.length - 1) sum = double(double(double(double(sum))));
    sum = double(double(double(double(add(sum, at(table, byte >> 4))))));
    sum = add(sum, at(table, byte & 15));
  }
  bytes.fill(0);
  return sum;
};

/** Multiples of one point for {@link multiplyComb}: row i holds 0, 1, … 63 times 2^(6i) · point. */
export const combOf = <P>({ zero, add }: Arithmetic<P>, point: P): readonly (readonly P[])[] => {
  const rows: P[][] = [];
  let step = point;
  for (let i = 0; i < combRows; i++) {
    const row = [zero];
    for (let digit = 1; digit < 1 << combBits; digit++) row.push(add(at(row, digit - 1), step));
    step = add(at(row, row.length - 1), step);
    rows.push(row);
  }
  return rows;
};

/** scalar · point by 43 additions from the table of {@link combOf}. Addition must be complete. */
export const multiplyComb = <P>(
  { zero, add }: Arithmetic<P>,
  comb: readonly (readonly P[])[],
  scalar: bigint,
): P => {
  const bytes = bytesOf(scalar);
  let sum = zero;
  for (let i = 0; i < combRows; i++) {
    const bit = combBits * i;
    const pair = (bytes[bit >> 3] ?? 0) | ((bytes[(bit >> 3) + 1] ?? 0) << 8);
    sum = add(sum, at(at(comb, i), (pair >> (bit & 7)) & 63));
  }
  bytes.fill(0);
  return sum;
};

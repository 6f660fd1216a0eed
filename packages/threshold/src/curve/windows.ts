/**
 * Scalar multiplication with fixed windows over complete addition formulas: the same number of additions and
 * doublings for every scalar, zero digits included. The table is read at a place that depends on the digit,
 * as in the curve library's own multiplication.
 */

/** What a point must offer. Addition must be complete: right for equal, opposite and identity operands. */
export interface WindowPoint<P> {
  add(other: P): P;
  double(): P;
}

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

/** scalar · point by 64 windows of 4 bits: 14 + 64 additions and 253 doublings. */
export const multiplyWindowed = <P extends WindowPoint<P>>(zero: P, point: P, scalar: bigint): P => {
  const table: P[] = [zero, point, point.double()];
  for (let i = 3; i < 1 << windowBits; i++) table.push(at(table, i - 1).add(point));
  const bytes = bytesOf(scalar);
  let sum = zero;
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes[i] ?? 0;
    if (i < bytes.length - 1) sum = sum.double().double().double().double();
    sum = sum.add(at(table, byte >> 4));
    sum = sum.double().double().double().double();
    sum = sum.add(at(table, byte & 15));
  }
  bytes.fill(0);
  return sum;
};

/** Multiples of one point for {@link multiplyComb}: row i holds 0, 1, … 63 times 2^(6i) · point. */
export const combOf = <P extends WindowPoint<P>>(
  zero: P,
  point: P,
  normalize: (points: P[]) => P[],
): readonly (readonly P[])[] => {
  const rows: P[][] = [];
  let step = point;
  for (let i = 0; i < combRows; i++) {
    const row: P[] = [];
    let multiple = step;
    for (let digit = 1; digit < 1 << combBits; digit++) {
      row.push(multiple);
      multiple = multiple.add(step);
    }
    rows.push([zero, ...normalize(row)]);
    step = multiple;
  }
  return rows;
};

/** scalar · point by 43 additions from the table of {@link combOf}. */
export const multiplyComb = <P extends WindowPoint<P>>(
  zero: P,
  comb: readonly (readonly P[])[],
  scalar: bigint,
): P => {
  const bytes = bytesOf(scalar);
  let sum = zero;
  for (let i = 0; i < combRows; i++) {
    const bit = combBits * i;
    const pair = (bytes[bit >> 3] ?? 0) | ((bytes[(bit >> 3) + 1] ?? 0) << 8);
    sum = sum.add(at(at(comb, i), (pair >> (bit & 7)) & 63));
  }
  bytes.fill(0);
  return sum;
};

/**
 * How a secret is shared so that exactly the quorums can put it together: a tree of Shamir gates, written out
 * as a monotone span programme. Row i times (secret, random …) is the sub-share of leaf i.
 * @spec Benaloh and Leichter, Generalized Secret Sharing and Monotone Functions, 1988
 * @spec Karchmer and Wigderson, On Span Programs, 1993
 * @spec spec/policy.md §3
 */
import { KeepsetError } from '@keepset/bytes';
import { leavesOf, normalise, thresholdOf, type PartyName, type Policy } from './policy.ts';

/** One leaf of the policy: a sub-share. A party that stands several times has several. */
export interface SharingRow {
  readonly party: PartyName;
  /**
   * Positions from 1 on the way from the root to the leaf. Each is also the point at which the polynomial of
   * its gate is evaluated. Empty for a policy of one party.
   */
  readonly path: readonly number[];
  /** One coefficient per column, each from 0 to order − 1. */
  readonly vector: readonly bigint[];
}

/** The sharing of a policy over the integers modulo a prime. */
export interface SharingMatrix {
  readonly order: bigint;
  /** Column 0 is the secret; the others are the random coefficients of the gates, each gate's together. */
  readonly columns: number;
  readonly rows: readonly SharingRow[];
}

/**
 * The sharing matrix of the policy in its normal form, so that `thresh(2,a,b)` and `and(a,b)` share alike and a
 * flat policy is one Shamir sharing with party i at point i.
 * @param order a prime larger than the number of parts of any gate.
 * @throws KeepsetError `input/invalid-argument`
 */
export const sharingMatrix = (policy: Policy, order: bigint): SharingMatrix => {
  const normal = normalise(policy);
  if (order <= BigInt(leavesOf(normal).length))
    throw new KeepsetError(
      'input/invalid-argument',
      'The order must be a prime larger than the number of shares.',
    );
  const columns = 1 + randomColumns(normal);
  const top = Array.from({ length: columns }, (_, column) => (column === 0 ? 1n : 0n));
  const rows: SharingRow[] = [];
  let used = 1;
  const visit = (part: Policy, vector: readonly bigint[], path: readonly number[]): void => {
    if (part.kind === 'party') {
      rows.push({ party: part.name, path, vector });
      return;
    }
    const first = used;
    used += thresholdOf(part) - 1;
    const last = used;
    for (const [index, child] of part.parts.entries()) {
      const point = BigInt(index + 1);
      // The polynomial's constant is what this gate shares; its other coefficients are columns of its own.
      let power = 1n;
      const row = vector.map((entry, column) => {
        if (column < first || column >= last) return entry;
        power = (power * point) % order;
        return power;
      });
      visit(child, row, [...path, index + 1]);
    }
  };
  visit(normal, top, []);
  return { order, columns, rows };
};

const randomColumns = (policy: Policy): number =>
  policy.kind === 'party'
    ? 0
    : policy.parts.reduce((sum, part) => sum + randomColumns(part), thresholdOf(policy) - 1);

/** What one leaf contributes. */
export interface Coefficient {
  /** Index into the rows of the {@link SharingMatrix}. */
  readonly row: number;
  /** From 1 to order − 1. */
  readonly value: bigint;
}

/**
 * Coefficients that combine the sub-shares of a quorum into the secret: Σ value · sub-share = secret. Each gate
 * takes the first parts that suffice, in policy order, so parties that are not needed may not occur.
 * `undefined` when `present` is no quorum.
 * @throws KeepsetError `input/invalid-argument` as {@link sharingMatrix}.
 */
export const reconstruction = (
  policy: Policy,
  present: Iterable<PartyName>,
  order: bigint,
): readonly Coefficient[] | undefined => {
  const names = new Set(present);
  let leaf = 0;
  const visit = (part: Policy): readonly Coefficient[] | undefined => {
    if (part.kind === 'party') {
      leaf += 1;
      return names.has(part.name) ? [{ row: leaf - 1, value: 1n }] : undefined;
    }
    const solved = part.parts.flatMap((child, index) => {
      const inner = visit(child);
      return inner === undefined ? [] : [{ point: BigInt(index + 1), inner }];
    });
    const chosen = solved.slice(0, thresholdOf(part));
    if (chosen.length < thresholdOf(part)) return undefined;
    const points = chosen.map(({ point }) => point);
    return chosen.flatMap(({ point, inner }) => {
      const factor = lagrangeAtZero(points, point, order);
      return inner.map(({ row, value }) => ({ row, value: (value * factor) % order }));
    });
  };
  sharingMatrix(policy, order);
  return visit(normalise(policy));
};

/** Π over the other points x of x / (x − point), modulo the order. */
const lagrangeAtZero = (points: readonly bigint[], point: bigint, order: bigint): bigint => {
  let above = 1n;
  let below = 1n;
  for (const x of points) {
    if (x === point) continue;
    above = (above * x) % order;
    below = mod(below * (x - point), order);
  }
  return (above * invert(below, order)) % order;
};

/**
 * Whether (1, 0, …, 0) is a linear combination of the rows modulo the prime `order`: whether these sub-shares
 * determine the secret. Of any rows that do not, every secret is equally likely.
 */
export const targetInSpan = (rows: readonly (readonly bigint[])[], order: bigint): boolean => {
  const width = rows[0]?.length ?? 0;
  const left = rows.map((row) => row.map((entry) => mod(entry, order)));
  // Elimination from the last column to the second; what then still has an entry in column 0 only is the target.
  for (let column = width - 1; column > 0; column -= 1) {
    const at = left.findIndex((row) => row[column] !== 0n);
    const [pivot] = at < 0 ? [] : left.splice(at, 1);
    if (pivot === undefined) continue;
    const scale = invert(pivot[column] ?? 1n, order);
    for (const row of left) {
      const factor = mod((row[column] ?? 0n) * scale, order);
      if (factor === 0n) continue;
      for (const [i, entry] of pivot.entries()) row[i] = mod((row[i] ?? 0n) - factor * entry, order);
    }
  }
  return left.some((row) => row[0] !== 0n);
};

const mod = (value: bigint, order: bigint): bigint => ((value % order) + order) % order;

/** Inverse modulo a prime, by the extended Euclidean algorithm. Its time depends on `value`, which is public. */
const invert = (value: bigint, order: bigint): bigint => {
  let [r0, r1] = [order, mod(value, order)];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  if (r0 !== 1n) throw new KeepsetError('input/invalid-argument', 'The order must be a prime.');
  return mod(t0, order);
};

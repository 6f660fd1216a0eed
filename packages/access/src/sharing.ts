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
  /** The gates on the way from the root to the leaf. Empty for a policy of one party. */
  readonly path: readonly SharingStep[];
  /** One coefficient per column, each from 0 to order − 1. Column 0 is 1 in every row. */
  readonly vector: readonly bigint[];
}

/** One gate on the way to a leaf. Its polynomial is evaluated at `point`. */
export interface SharingStep {
  /** Position of the part among the gate's parts, from 1. */
  readonly point: number;
  /** First column of the gate's own coefficients, that of degree 1. */
  readonly first: number;
  /** One past the last column of the gate's coefficients. */
  readonly end: number;
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
  const visit = (part: Policy, vector: readonly bigint[], path: readonly SharingStep[]): void => {
    if (part.kind === 'party') {
      rows.push({ party: part.name, path, vector });
      return;
    }
    const first = used;
    used += thresholdOf(part) - 1;
    const end = used;
    for (const [index, child] of part.parts.entries()) {
      const point = index + 1;
      // The polynomial's constant is what this gate shares; its other coefficients are columns of its own.
      let power = 1n;
      const row = vector.map((entry, column) => {
        if (column < first || column >= end) return entry;
        power = (power * BigInt(point)) % order;
        return power;
      });
      visit(child, row, [...path, { point, first, end }]);
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
 * Coefficients that combine the sub-shares of a quorum into the secret: Σ value · sub-share = secret. At each gate
 * every part that is satisfied contributes, also where fewer would suffice; a leaf below a part that is not
 * satisfied has none. `undefined` when `present` is no quorum.
 * @throws KeepsetError `input/invalid-argument` as {@link sharingMatrix}.
 */
export const reconstruction = (
  policy: Policy,
  present: Iterable<PartyName>,
  order: bigint,
): readonly Coefficient[] | undefined => {
  sharingMatrix(policy, order);
  return valueBelow(numbered(normalise(policy), new Set(present)), order);
};

/**
 * For each leaf of `target`, coefficients that combine the helpers' sub-shares into the leaf's. `undefined` when the
 * helpers do not determine them all, which is so exactly when they are no quorum of {@link helpersOf}. The target
 * itself does not count as a helper.
 * @throws KeepsetError `input/invalid-argument` as {@link sharingMatrix}.
 */
export const repairing = (
  policy: Policy,
  helpers: Iterable<PartyName>,
  target: PartyName,
  order: bigint,
): readonly (readonly Coefficient[])[] | undefined => {
  sharingMatrix(policy, order);
  const present = new Set(helpers);
  present.delete(target);
  const found: (readonly Coefficient[] | undefined)[] = [];
  /** `above`: what combines into the value of this part, from the leaves that are not below it. */
  const visit = (part: Numbered, above: readonly Coefficient[] | undefined): void => {
    if (part.kind === 'leaf') {
      if (part.name === target) found.push(above);
      return;
    }
    const inner = part.parts.map((child) => valueBelow(child, order));
    for (const [index, child] of part.parts.entries()) {
      const known = [above, ...inner].flatMap((value, point) =>
        value === undefined || point === index + 1 ? [] : [{ point: BigInt(point), value }],
      );
      visit(child, interpolate(known, part.threshold, BigInt(index + 1), order));
    }
  };
  visit(numbered(normalise(policy), present), undefined);
  const all = found.flatMap((coefficients) => (coefficients === undefined ? [] : [coefficients]));
  return all.length === found.length && all.length > 0 ? all : undefined;
};

/**
 * Who can give `target` its sub-shares again without anyone learning the secret: the policy whose quorums are the
 * sets that are quorums of `policy` without the target and determine every sub-share of it. `undefined` when there
 * are none. A quorum always knows the secret, but not always the polynomial of a gate inside.
 */
export const helpersOf = (policy: Policy, target: PartyName): Policy | undefined => {
  const conditions: (Policy | undefined)[] = [without(policy, target)];
  const visit = (part: Policy, above: Policy | undefined): void => {
    if (part.kind === 'party') {
      if (part.name === target) conditions.push(above);
      return;
    }
    const inner = part.parts.map((child) => without(child, target));
    for (const [index, child] of part.parts.entries())
      visit(
        child,
        someOf(
          thresholdOf(part),
          [above, ...inner].filter((_, point) => point !== index + 1),
        ),
      );
  };
  visit(normalise(policy), undefined);
  return conditions.length < 2 ? undefined : someOf(conditions.length, conditions);
};

/** The policy that only sets without the party can satisfy. */
const without = (policy: Policy, party: PartyName): Policy | undefined =>
  policy.kind === 'party'
    ? policy.name === party
      ? undefined
      : policy
    : someOf(
        thresholdOf(policy),
        policy.parts.map((part) => without(part, party)),
      );

const someOf = (threshold: number, parts: readonly (Policy | undefined)[]): Policy | undefined => {
  const possible = parts.filter((part) => part !== undefined);
  return possible.length < threshold ? undefined : { kind: 'thresh', threshold, parts: possible };
};

/** A policy whose leaves know their row and whether their party is present. */
type Numbered =
  | { readonly kind: 'leaf'; readonly name: PartyName; readonly row: number; readonly isPresent: boolean }
  | { readonly kind: 'gate'; readonly threshold: number; readonly parts: readonly Numbered[] };

const numbered = (policy: Policy, present: ReadonlySet<PartyName>): Numbered => {
  let rows = 0;
  const visit = (part: Policy): Numbered => {
    if (part.kind !== 'party')
      return { kind: 'gate', threshold: thresholdOf(part), parts: part.parts.map(visit) };
    rows += 1;
    return { kind: 'leaf', name: part.name, row: rows - 1, isPresent: present.has(part.name) };
  };
  return visit(policy);
};

/** What combines into the value that a part is given, from the leaves below it. */
const valueBelow = (part: Numbered, order: bigint): readonly Coefficient[] | undefined => {
  if (part.kind === 'leaf') return part.isPresent ? [{ row: part.row, value: 1n }] : undefined;
  const known = part.parts.flatMap((child, index) => {
    const value = valueBelow(child, order);
    return value === undefined ? [] : [{ point: BigInt(index + 1), value }];
  });
  return interpolate(known, part.threshold, 0n, order);
};

/** What combines into a gate's polynomial at `at`, from its values at other points; all of them contribute. */
const interpolate = (
  known: readonly { readonly point: bigint; readonly value: readonly Coefficient[] }[],
  threshold: number,
  at: bigint,
  order: bigint,
): readonly Coefficient[] | undefined => {
  if (known.length < threshold) return undefined;
  const points = known.map(({ point }) => point);
  return known
    .flatMap(({ point, value }) => {
      const factor = lagrangeAt(points, point, at, order);
      return value.map(({ row, value: inner }) => ({ row, value: (inner * factor) % order }));
    })
    .sort((a, b) => a.row - b.row);
};

/** Π over the other points x of (x − at) / (x − point), modulo the order. */
const lagrangeAt = (points: readonly bigint[], point: bigint, at: bigint, order: bigint): bigint => {
  let above = 1n;
  let below = 1n;
  for (const x of points) {
    if (x === point) continue;
    above = mod(above * (x - at), order);
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

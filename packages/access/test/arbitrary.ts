import * as fc from 'fast-check';
import { printPolicy, type Policy } from '../src/index.ts';

/** Distinct party names as the grammar allows them. */
export const partyName: fc.Arbitrary<string> = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,31}$/)
  .filter((name) => !['and', 'or', 'thresh'].includes(name));

type Shape =
  'leaf' | { readonly kind: 'and' | 'or' | 'thresh'; readonly k: number; readonly parts: readonly Shape[] };

const shape: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape; gate: Shape }>((tie) => ({
  shape: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant<Shape>('leaf'), tie('gate')),
  gate: fc.record({
    kind: fc.constantFrom('and' as const, 'or' as const, 'thresh' as const),
    k: fc.nat(),
    parts: fc.array(tie('shape'), { minLength: 1, maxLength: 5 }),
  }),
})).gate;

/** Counts leaves left to right, so that each gets a name. */
const fill = (of: Shape, next: () => string): Policy => {
  if (of === 'leaf') return { kind: 'party', name: next() };
  const parts = of.parts.map((part) => fill(part, next));
  return of.kind === 'thresh'
    ? { kind: 'thresh', threshold: 1 + (of.k % parts.length), parts }
    : { kind: of.kind, parts };
};

const leaves = (of: Shape): number => (of === 'leaf' ? 1 : of.parts.reduce((n, part) => n + leaves(part), 0));
const depth = (of: Shape): number => (of === 'leaf' ? 0 : 1 + Math.max(...of.parts.map(depth)));

const fitting = (most: number): fc.Arbitrary<Shape> =>
  shape.filter((of) => leaves(of) <= most && depth(of) <= 16);

/** A policy over up to `most` parties p0, p1 …, each standing once. */
export const policyOver = (most: number): fc.Arbitrary<Policy> =>
  fitting(most).map((of) => {
    let n = 0;
    return fill(of, () => `p${n++}`);
  });

/** A policy with up to `most` leaves drawn from `names` parties, so that some stand several times. */
export const policyWithRepeats = (most: number, names: number): fc.Arbitrary<Policy> =>
  fc
    .tuple(fitting(most), fc.array(fc.nat(names - 1), { minLength: most, maxLength: most }))
    .map(([of, picks]) => {
      let n = 0;
      return fill(of, () => `p${picks[n++] ?? 0}`);
    });

/** Every subset of `items`. */
export const subsets = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: 2 ** items.length }, (_, mask) => items.filter((_item, i) => ((mask >> i) & 1) === 1));

/** The same tree written with other white space. */
export const spaced = (policy: Policy, gaps: readonly string[]): string => {
  let n = 0;
  return printPolicy(policy).replace(
    /[(),]|[a-z0-9-]+/g,
    (token) => `${gaps[n++ % gaps.length] ?? ''}${token}`,
  );
};

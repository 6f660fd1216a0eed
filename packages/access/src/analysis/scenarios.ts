import { countOccurrences, holds, type Formula } from './formula.ts';
import { countSets, firstSets, minimalSetsOf } from './minimal.ts';
import { compile, diagramSteps, unlessEntangled } from './probability.ts';

/** Minimal sets of happenings that bring a formula about, smallest first. */
export interface Scenarios {
  /** The first thousand of them, or where they are not counted those of one and two happenings. */
  readonly sets: readonly (readonly number[])[];
  /** How many there are; `undefined` where they are too many to count. */
  readonly total: bigint | undefined;
}

const listed = 1_000;

/** All minimal sets by decision diagram; where that is too large, the singles and pairs by trying each. */
export const scenariosOf = (formula: Formula): Scenarios => {
  const counted = unlessEntangled(() => {
    const { diagram, root, happenings } = compile(formula, diagramSteps);
    const family = minimalSetsOf(diagram, root, diagramSteps);
    const sets = firstSets(family, listed).map((set) =>
      set.map((level) => happenings[level] ?? -1).sort((a, b) => a - b),
    );
    return { sets: sets.sort(bySize), total: countSets(family) };
  });
  return counted ?? { sets: smallSets(formula).slice(0, listed), total: undefined };
};

/** Minimal sets of one and two happenings. */
const smallSets = (formula: Formula): readonly (readonly number[])[] => {
  const relevant = [...countOccurrences(formula).keys()].sort((a, b) => a - b);
  const fatal = new Set(relevant.filter((one) => holds(formula, new Set([one]))));
  const harmless = relevant.filter((one) => !fatal.has(one));
  const pairs = harmless.flatMap((one, at) =>
    harmless
      .slice(at + 1)
      .filter((other) => holds(formula, new Set([one, other])))
      .map((other) => [one, other]),
  );
  return [...[...fatal].map((one) => [one]), ...pairs];
};

const bySize = (a: readonly number[], b: readonly number[]): number => {
  if (a.length !== b.length) return a.length - b.length;
  const at = a.findIndex((value, i) => value !== b[i]);
  return (a[at] ?? 0) - (b[at] ?? 0);
};

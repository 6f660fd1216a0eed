/**
 * The exact probability of a formula over independent happenings, and how it hangs on each of them.
 * @spec spec/policy.md §6
 */
import { KeepsetError } from '@keepset/bytes';
import {
  always,
  atLeast,
  constantLevel,
  createDiagram,
  highOf,
  levelOf,
  lowOf,
  never,
  tooEntangled,
  variable,
  type Diagram,
  type Node,
} from './bdd.ts';
import { eliminate } from './elimination.ts';
import { countOccurrences, fold, type Formula } from './formula.ts';
import { orderParts } from './order.ts';

/** What {@link probabilityOf} returns. */
export interface Probability {
  readonly value: number;
  /**
   * By happening: how fast the value grows with that happening's own probability (Birnbaum's importance).
   * The value is linear in each, so this is exact for any change of one. What makes no difference may be missing.
   */
  readonly slope: ReadonlyMap<number, number>;
}

/** Steps spent on a decision diagram before elimination is tried instead. */
export const diagramSteps: number = 2 ** 17;

/**
 * Prepares a formula for being evaluated with several sets of chances: `chances[i]` is the probability of
 * happening i. Exact by decision diagram, or by elimination where that would be too large.
 */
export const prepareProbability = (formula: Formula): ((chances: readonly number[]) => Probability) => {
  const compiled = unlessEntangled(() => compile(formula, diagramSteps));
  return compiled === undefined
    ? (chances) => eliminate(formula, chances)
    : (chances) => evaluate(compiled, chances);
};

/**
 * The probability that `formula` holds when happening i happens with probability `chances[i]`, independently.
 * @throws KeepsetError `policy/unsupported` when too many happenings stand crosswise in several places.
 */
export const probabilityOf = (formula: Formula, chances: readonly number[]): Probability =>
  prepareProbability(formula)(chances);

/** A formula as a decision diagram; level i tests `happenings[i]`. */
export interface Compiled {
  readonly diagram: Diagram;
  readonly root: Node;
  readonly happenings: readonly number[];
}

/** @throws KeepsetError `policy/unsupported` when the steps do not suffice. */
export const compile = (formula: Formula, steps?: number): Compiled => {
  const diagram = createDiagram(steps);
  const levels = new Map<number, number>();
  const occurrences = countOccurrences(formula);
  const leaf = (part: boolean | number): Node => {
    if (typeof part === 'boolean') return part ? always : never;
    const level = levels.get(part) ?? levels.size;
    levels.set(part, level);
    if (level >= constantLevel) throw tooEntangled();
    return variable(diagram, level);
  };
  const root = fold<Node>(formula, leaf, ({ need, parts }, of) =>
    atLeast(diagram, need, orderParts(parts, occurrences).order.map(of)),
  );
  return { diagram, root, happenings: [...levels.keys()] };
};

/** `undefined` where `work` would cost more than its steps. */
export const unlessEntangled = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch (error) {
    if (error instanceof KeepsetError && error.code === 'policy/unsupported') return undefined;
    throw error;
  }
};

/** Upwards the probability of each node, downwards the probability of coming by it. */
const evaluate = ({ diagram, root, happenings }: Compiled, chances: readonly number[]): Probability => {
  const size = Math.max(root, always) + 1;
  const value = new Float64Array(size);
  const passed = new Float64Array(size);
  const slope = new Map<number, number>();
  value[always] = 1;
  passed[root] = 1;
  // Children have smaller numbers than their parents.
  for (let node = 2; node < size; node += 1) {
    const p = chances[happenings[levelOf(diagram, node)] ?? -1] ?? 0;
    value[node] = (1 - p) * (value[lowOf(diagram, node)] ?? 0) + p * (value[highOf(diagram, node)] ?? 0);
  }
  for (let node = size - 1; node >= 2; node -= 1) {
    const reach = passed[node] ?? 0;
    if (reach === 0) continue;
    const happening = happenings[levelOf(diagram, node)] ?? -1;
    const p = chances[happening] ?? 0;
    const [low, high] = [lowOf(diagram, node), highOf(diagram, node)];
    passed[low] = (passed[low] ?? 0) + reach * (1 - p);
    passed[high] = (passed[high] ?? 0) + reach * p;
    slope.set(happening, (slope.get(happening) ?? 0) + reach * ((value[high] ?? 0) - (value[low] ?? 0)));
  }
  return { value: value[root] ?? 0, slope };
};

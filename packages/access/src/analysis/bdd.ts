/**
 * Reduced ordered binary decision diagrams: one canonical graph per Boolean function, so that equality,
 * probabilities and minimal sets are exact without listing every case.
 * @spec Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986
 */
import { KeepsetError } from '@keepset/bytes';

/** A function inside its {@link Diagram}; equal functions are equal numbers. */
export type Node = number;

/** The constant functions. */
export const never = 0;
export const always = 1;

/** A growing set of nodes over the variables 0, 1, 2 … in that order. */
export interface Diagram {
  /** Variable tested by a node. Constants have {@link constantLevel}. */
  readonly level: number[];
  /** Where a node goes when its variable is false. */
  readonly low: Node[];
  /** Where a node goes when its variable is true. */
  readonly high: Node[];
  readonly unique: Map<number, Node>;
  readonly computed: Map<number, Map<number, Node>>;
  /** Steps still allowed; see {@link createDiagram}. */
  steps: number;
}

/** Sorts constants below every variable. */
export const constantLevel = 511;

/** Node numbers have 22 bits, so that a level and two nodes make one exact number: the keys of the tables. */
export const nodeLimit: number = 2 ** 22;

/** Each step makes one node at most, beside the variables, so that no number overflows. */
export const stepLimit: number = 2 ** 19;

/** An empty diagram that refuses, rather than eat the time and memory, after `steps` steps of work. */
export const createDiagram = (steps: number = stepLimit): Diagram => ({
  level: [constantLevel, constantLevel],
  low: [never, always],
  high: [never, always],
  unique: new Map(),
  computed: new Map(),
  steps: Math.min(steps, stepLimit),
});

/** The node that tests `level` and goes to `low` or `high`. */
export const makeNode = (diagram: Diagram, level: number, low: Node, high: Node): Node => {
  if (low === high) return low;
  const key = (level * nodeLimit + low) * nodeLimit + high;
  const known = diagram.unique.get(key);
  if (known !== undefined) return known;
  const node = diagram.level.length;
  diagram.level.push(level);
  diagram.low.push(low);
  diagram.high.push(high);
  diagram.unique.set(key, node);
  return node;
};

const spend = (diagram: Diagram): void => {
  diagram.steps -= 1;
  if (diagram.steps < 0) throw tooEntangled();
};

/** The refusal when exactness would cost too much. */
export const tooEntangled = (): KeepsetError =>
  new KeepsetError('policy/unsupported', 'This policy is too entangled to be analysed exactly.', {
    hint: 'Let fewer parties or events stand in several places at once.',
  });

/** The function that is true when variable `level` is. */
export const variable = (diagram: Diagram, level: number): Node => makeNode(diagram, level, never, always);

/** if f then g else h. @throws KeepsetError `policy/unsupported` when the steps are used up. */
export const ifThenElse = (diagram: Diagram, f: Node, g: Node, h: Node): Node => {
  if (f === always || g === h) return g;
  if (f === never) return h;
  if (g === always && h === never) return f;
  const byF = diagram.computed.get(f) ?? new Map<number, Node>();
  diagram.computed.set(f, byF);
  const key = g * nodeLimit + h;
  const known = byF.get(key);
  if (known !== undefined) return known;
  spend(diagram);
  const level = Math.min(levelOf(diagram, f), levelOf(diagram, g), levelOf(diagram, h));
  const low = ifThenElse(
    diagram,
    when(diagram, f, level, false),
    when(diagram, g, level, false),
    when(diagram, h, level, false),
  );
  const high = ifThenElse(
    diagram,
    when(diagram, f, level, true),
    when(diagram, g, level, true),
    when(diagram, h, level, true),
  );
  const node = makeNode(diagram, level, low, high);
  byF.set(key, node);
  return node;
};

/** True when at least `threshold` of `parts` are. */
export const atLeast = (diagram: Diagram, threshold: number, parts: readonly Node[]): Node => {
  // row[k]: at least k of the parts seen so far, from the last to the first.
  let row: Node[] = [always, ...Array.from({ length: threshold }, () => never)];
  for (const part of parts.toReversed())
    row = row.map((node, k) => (k === 0 ? always : ifThenElse(diagram, part, row[k - 1] ?? always, node)));
  return row[threshold] ?? always;
};

export const levelOf = (diagram: Diagram, node: Node): number => diagram.level[node] ?? constantLevel;
export const lowOf = (diagram: Diagram, node: Node): Node => diagram.low[node] ?? never;
export const highOf = (diagram: Diagram, node: Node): Node => diagram.high[node] ?? never;

const when = (diagram: Diagram, node: Node, level: number, value: boolean): Node =>
  levelOf(diagram, node) !== level ? node : value ? highOf(diagram, node) : lowOf(diagram, node);

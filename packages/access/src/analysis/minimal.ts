/**
 * The minimal sets of a monotone function, kept as a zero-suppressed diagram: counted exactly and listed
 * lazily, smallest first, however many there are.
 * @spec Rauzy, New algorithms for fault trees analysis, 1993
 */
import {
  always,
  constantLevel,
  highOf,
  levelOf,
  lowOf,
  never,
  nodeLimit,
  stepLimit,
  tooEntangled,
  type Diagram,
  type Node,
} from './bdd.ts';

/** A family of sets of variables. The root `never` has no set, `always` has the empty set only. */
export interface SetFamily {
  readonly root: Node;
  readonly level: readonly number[];
  /** Sets without the node's variable. */
  readonly without: readonly Node[];
  /** Sets with the node's variable, named without it. */
  readonly with: readonly Node[];
}

interface Builder {
  readonly level: number[];
  readonly without: Node[];
  readonly with: Node[];
  readonly unique: Map<number, Node>;
  readonly reduced: Map<number, Node>;
  steps: number;
}

/**
 * The minimal sets of variables that make the monotone function true.
 * @throws KeepsetError `policy/unsupported` when that takes more than `steps` steps.
 */
export const minimalSetsOf = (diagram: Diagram, monotone: Node, steps: number = stepLimit): SetFamily => {
  const build: Builder = {
    level: [constantLevel, constantLevel],
    without: [never, always],
    with: [never, always],
    unique: new Map(),
    reduced: new Map(),
    steps: Math.min(steps, stepLimit),
  };
  const done = new Map<Node, Node>([
    [never, never],
    [always, always],
  ]);
  const visit = (node: Node): Node => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const without = visit(lowOf(diagram, node));
    const kept = withoutSupersets(build, visit(highOf(diagram, node)), without);
    const made = familyNode(build, levelOf(diagram, node), without, kept);
    done.set(node, made);
    return made;
  };
  const root = visit(monotone);
  return { root, level: build.level, without: build.without, with: build.with };
};

/** How many sets there are. */
export const countSets = (family: SetFamily): bigint => {
  const counts: bigint[] = [0n, 1n];
  // Children stand before their parents, so one pass suffices.
  for (let node = 2; node < family.level.length; node += 1)
    counts.push((counts[at(family.without, node)] ?? 0n) + (counts[at(family.with, node)] ?? 0n));
  return counts[family.root] ?? 0n;
};

/** The sets, smallest first and then in order of variables. Lazy: take as many as are wanted. */
export function* listSets(family: SetFamily): Generator<readonly number[], void, undefined> {
  const sizes: Set<number>[] = [new Set(), new Set([0])];
  for (let node = 2; node < family.level.length; node += 1) {
    const taken = [...(sizes[at(family.with, node)] ?? [])].map((n) => n + 1);
    sizes.push(new Set([...(sizes[at(family.without, node)] ?? []), ...taken]));
  }
  function* ofSize(node: Node, size: number): Generator<readonly number[], void, undefined> {
    if (sizes[node]?.has(size) !== true) return;
    if (node === always) {
      yield [];
      return;
    }
    const level = at(family.level, node);
    for (const rest of ofSize(at(family.with, node), size - 1)) yield [level, ...rest];
    yield* ofSize(at(family.without, node), size);
  }
  for (const size of [...(sizes[family.root] ?? [])].sort((a, b) => a - b)) yield* ofSize(family.root, size);
}

/** The first `most` of {@link listSets}. */
export const firstSets = (family: SetFamily, most: number): readonly (readonly number[])[] => {
  const out: (readonly number[])[] = [];
  for (const set of listSets(family)) {
    if (out.length >= most) break;
    out.push(set);
  }
  return out;
};

const at = (values: readonly number[], index: number): number => values[index] ?? never;

const familyNode = (build: Builder, level: number, without: Node, withIt: Node): Node => {
  if (withIt === never) return without;
  const key = (level * nodeLimit + without) * nodeLimit + withIt;
  const known = build.unique.get(key);
  if (known !== undefined) return known;
  const node = build.level.length;
  build.level.push(level);
  build.without.push(without);
  build.with.push(withIt);
  build.unique.set(key, node);
  return node;
};

/** The sets of `family` that contain no set of `smaller`. */
const withoutSupersets = (build: Builder, family: Node, smaller: Node): Node => {
  if (family === never || smaller === always || family === smaller) return never;
  if (smaller === never) return family;
  const key = family * nodeLimit + smaller;
  const known = build.reduced.get(key);
  if (known !== undefined) return known;
  build.steps -= 1;
  if (build.steps < 0) throw tooEntangled();
  const [levelF, levelS] = [at(build.level, family), at(build.level, smaller)];
  let made: Node;
  if (levelF > levelS) made = withoutSupersets(build, family, at(build.without, smaller));
  else if (levelF < levelS)
    made = familyNode(
      build,
      levelF,
      withoutSupersets(build, at(build.without, family), smaller),
      withoutSupersets(build, at(build.with, family), smaller),
    );
  else {
    const skip = at(build.without, smaller);
    const take = withoutSupersets(build, at(build.with, family), skip);
    made = familyNode(
      build,
      levelF,
      withoutSupersets(build, at(build.without, family), skip),
      withoutSupersets(build, take, at(build.with, smaller)),
    );
  }
  build.reduced.set(key, made);
  return made;
};

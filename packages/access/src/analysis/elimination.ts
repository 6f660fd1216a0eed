/**
 * The probability of a formula by variable elimination: for large policies of thresholds, where a decision
 * diagram would grow too large.
 *
 * Every gate is a count of its parts. A happening that stands in one place only is summed out where it
 * stands; one that stands in several places stays open, as an index of the table, from the first place to the
 * last. The cost is exponential only in how many are open at once, which the order of parts keeps small. Where
 * it is still too much, the happening that stands in most places is taken as certain and as impossible in turn.
 * Nothing is subtracted from one but single probabilities, so tiny results keep their digits.
 * @spec Dechter, Bucket Elimination, 1999; the derivatives are reverse-mode differentiation
 */
import { KeepsetError } from '@keepset/bytes';
import { countOccurrences, decide, type Formula, type Threshold } from './formula.ts';
import { orderParts } from './order.ts';
import type { Probability } from './probability.ts';

/** Numbers kept for one evaluation, and for all of them together. 8 bytes each. */
const evaluationLimit = 2 ** 23;
const totalLimit = 2 ** 26;

/** @throws KeepsetError `policy/unsupported` when too many happenings stand crosswise in several places. */
export const eliminate = (formula: Formula, chances: readonly number[]): Probability =>
  conditioned(formula, chances, { spent: 0 });

interface Budget {
  spent: number;
}

const conditioned = (formula: Formula, chances: readonly number[], budget: Budget): Probability => {
  if (typeof formula === 'boolean') return { value: formula ? 1 : 0, slope: new Map() };
  const occurrences = countOccurrences(formula);
  const run: Run = { chances, occurrences, slope: new Map(), taped: 0 };
  const table = evaluate(run, formula);
  // Even a refused evaluation took the time to order its parts.
  budget.spent += run.taped + occurrences.size * 64;
  if (budget.spent > totalLimit)
    throw new KeepsetError(
      'policy/unsupported',
      'Too many events strike across one another for an exact figure.',
      {
        hint: 'Let events strike whole domains (a home, an account) rather than copies picked here and there.',
      },
    );
  if (table === undefined) return split(formula, chances, occurrences, budget);
  table.backward(Float64Array.of(1));
  return { value: table.values[0] ?? 0, slope: run.slope };
};

/** P = (1 − p) P(without) + p P(with), for the happening that stands most often. */
const split = (
  formula: Formula,
  chances: readonly number[],
  occurrences: ReadonlyMap<number, number>,
  budget: Budget,
): Probability => {
  const [pivot] = [...occurrences].reduce((most, one) => (one[1] > most[1] ? one : most));
  const chance = chances[pivot] ?? 0;
  const branch = (value: boolean): Probability =>
    conditioned(
      decide(formula, (happening) => (happening === pivot ? value : undefined)),
      chances,
      budget,
    );
  const [without, withIt] = [branch(false), branch(true)];
  const slope = new Map([[pivot, withIt.value - without.value]]);
  for (const happening of new Set([...without.slope.keys(), ...withIt.slope.keys()]))
    slope.set(
      happening,
      (1 - chance) * (without.slope.get(happening) ?? 0) + chance * (withIt.slope.get(happening) ?? 0),
    );
  return { value: (1 - chance) * without.value + chance * withIt.value, slope };
};

interface Run {
  readonly chances: readonly number[];
  readonly occurrences: ReadonlyMap<number, number>;
  readonly slope: Map<number, number>;
  taped: number;
}

/** The probability of a part, given each assignment of the happenings that stand elsewhere too. */
interface Table {
  /** Bit i of an index into `values` says whether `open[i]` happened. */
  readonly open: readonly number[];
  readonly values: Float64Array;
  /** Takes the derivative of the result by each of `values` and passes it on. */
  backward(adjoint: Float64Array): void;
}

/** `undefined` when the evaluation would grow beyond its limit. */
const evaluate = (run: Run, formula: number | Threshold): Table | undefined =>
  typeof formula === 'number' ? leafTable(run, formula) : gateTable(run, formula);

const leafTable = (run: Run, happening: number): Table => {
  if ((run.occurrences.get(happening) ?? 0) > 1)
    return { open: [happening], values: Float64Array.of(0, 1), backward: () => undefined };
  return {
    open: [],
    values: Float64Array.of(run.chances[happening] ?? 0),
    backward: (adjoint) => addSlope(run, happening, adjoint[0] ?? 0),
  };
};

const addSlope = (run: Run, happening: number, slope: number): void => {
  run.slope.set(happening, (run.slope.get(happening) ?? 0) + slope);
};

/**
 * Distribution over the number of parts that hold, for each assignment: row `assignment` of `data` has the
 * counts from `low` on. Counts that can no longer reach the gate's need are dropped; those beyond it are
 * kept as exactly enough.
 */
interface State {
  readonly open: readonly number[];
  readonly low: number;
  readonly width: number;
  readonly data: Float64Array;
}

type Undo = (adjoint: Float64Array) => Float64Array;

const gateTable = (run: Run, gate: Threshold): Table | undefined => {
  const { order, cost } = orderParts(gate.parts, run.occurrences);
  if (run.taped + cost > evaluationLimit) return undefined;
  let state: State = { open: [], low: 0, width: 1, data: Float64Array.of(1) };
  const tape: Undo[] = [];
  const seen = new Map<number, number>();
  for (const [index, part] of order.entries()) {
    const table = evaluate(run, part);
    if (table === undefined) return undefined;
    const opened = widen(state, table.open, tape);
    state = countPart(opened, table, gate.need, order.length - index - 1, tape);
    run.taped += opened.data.length + state.data.length;
    if (run.taped > evaluationLimit) return undefined;
    for (const [happening, times] of countOccurrences(part)) {
      const total = (seen.get(happening) ?? 0) + times;
      seen.set(happening, total);
      if (total === run.occurrences.get(happening) && state.open.includes(happening))
        state = sumOut(run, state, happening, tape);
    }
  }
  return {
    open: state.open,
    values: state.data,
    backward: (adjoint) => {
      let current = adjoint;
      for (const undo of tape.toReversed()) current = undo(current);
    },
  };
};

/** Repeats the state for both values of each newly opened happening. */
const widen = (state: State, add: readonly number[], tape: Undo[]): State => {
  const fresh = add.filter((happening) => !state.open.includes(happening));
  if (fresh.length === 0) return state;
  const size = state.data.length;
  const data = new Float64Array(size * 2 ** fresh.length);
  for (let at = 0; at < data.length; at += size) data.set(state.data, at);
  tape.push((adjoint) => {
    const out = adjoint.slice(0, size);
    for (let at = size; at < adjoint.length; at += size)
      for (let i = 0; i < size; i += 1) out[i] = (out[i] ?? 0) + (adjoint[at + i] ?? 0);
    return out;
  });
  return { ...state, open: [...state.open, ...fresh], data };
};

/** Counts one more part; `after` parts are still to come. */
const countPart = (state: State, part: Table, need: number, after: number, tape: Undo[]): State => {
  const { low: lowBefore, width: widthBefore, data: old, open } = state;
  const { values } = part;
  const rows = 2 ** open.length;
  const low = Math.max(0, need - after);
  const width = Math.min(need, lowBefore + widthBefore) - low + 1;
  const data = new Float64Array(rows * width);
  const gather = gatherIndex(open, part.open);
  for (let row = 0; row < rows; row += 1) {
    const p = values[gather[row] ?? 0] ?? 0;
    const to = row * width - low;
    for (let i = 0; i < widthBefore; i += 1) {
      const count = lowBefore + i;
      const mass = old[row * widthBefore + i] ?? 0;
      if (count === need) data[to + need] = (data[to + need] ?? 0) + mass;
      else {
        if (count >= low) data[to + count] = (data[to + count] ?? 0) + mass * (1 - p);
        data[to + count + 1] = (data[to + count + 1] ?? 0) + mass * p;
      }
    }
  }
  tape.push((adjoint) => {
    const out = new Float64Array(old.length);
    const byPart = new Float64Array(values.length);
    for (let row = 0; row < rows; row += 1) {
      const index = gather[row] ?? 0;
      const p = values[index] ?? 0;
      const to = row * width - low;
      let pulled = 0;
      for (let i = 0; i < widthBefore; i += 1) {
        const count = lowBefore + i;
        const from = row * widthBefore + i;
        if (count === need) out[from] = adjoint[to + need] ?? 0;
        else {
          const stay = count >= low ? (adjoint[to + count] ?? 0) : 0;
          const rise = adjoint[to + count + 1] ?? 0;
          out[from] = stay * (1 - p) + rise * p;
          pulled += (rise - stay) * (old[from] ?? 0);
        }
      }
      byPart[index] = (byPart[index] ?? 0) + pulled;
    }
    part.backward(byPart);
    return out;
  });
  return { open, low, width, data };
};

/** For each assignment of `all`, the index of the same assignment of `some`. */
const gatherIndex = (all: readonly number[], some: readonly number[]): Int32Array => {
  const bits = some.map((happening) => all.indexOf(happening));
  const out = new Int32Array(2 ** all.length);
  for (const [to, from] of bits.entries())
    for (let row = 0; row < out.length; row += 1) out[row] = (out[row] ?? 0) | (((row >> from) & 1) << to);
  return out;
};

/** Closes a happening that stands in no later part. */
const sumOut = (run: Run, state: State, happening: number, tape: Undo[]): State => {
  const bit = state.open.indexOf(happening);
  const chance = run.chances[happening] ?? 0;
  const block = 2 ** bit * state.width;
  const old = state.data;
  const data = new Float64Array(old.length / 2);
  for (let at = 0; at < data.length; at += block)
    for (let i = at; i < at + block; i += 1)
      data[i] = (1 - chance) * (old[at + i] ?? 0) + chance * (old[at + i + block] ?? 0);
  tape.push((adjoint) => {
    const out = new Float64Array(old.length);
    let slope = 0;
    for (let at = 0; at < adjoint.length; at += block)
      for (let i = at; i < at + block; i += 1) {
        const pull = adjoint[i] ?? 0;
        out[at + i] = (1 - chance) * pull;
        out[at + i + block] = chance * pull;
        slope += pull * ((old[at + i + block] ?? 0) - (old[at + i] ?? 0));
      }
    addSlope(run, happening, slope);
    return out;
  });
  return { ...state, open: state.open.filter((other) => other !== happening), data };
};

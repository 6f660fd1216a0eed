import type { Range } from '../setup/setup.ts';
import type { FaultModel, Happening } from './faults.ts';
import { countOccurrences, decide, fold, type Formula } from './formula.ts';
import { prepareProbability, unlessEntangled } from './probability.ts';
import { scenariosOf } from './scenarios.ts';

/** How one of the two bad ends comes about, and how likely it is. */
export interface Risk {
  /** Minimal sets of happenings that suffice, smallest first, a thousand at most. */
  readonly scenarios: readonly Scenario[];
  /** How many there are, listed or not; `undefined` where only those of one and two happenings are known. */
  readonly scenarioCount: bigint | undefined;
  /** `undefined` when nothing that matters has a probability, or when {@link Risk.tooEntangled}. */
  readonly probability: RiskProbability | undefined;
  /**
   * Never above this at the high ends, even if happenings that the model takes as independent come together.
   * `undefined` when nothing that matters has a probability.
   */
  readonly anyDependence: number | undefined;
  /** An exact probability is out of reach; the bound still holds. */
  readonly tooEntangled: boolean;
}

export type Scenario = readonly Happening[];

/**
 * Probability within the period. `low` to `high` is exact for happenings that are independent but for the
 * events listed, each as likely as its own range says: it covers not knowing the numbers, not a wrong model.
 */
export interface RiskProbability extends Range {
  /** By what would be gained, largest first. */
  readonly sensitivity: readonly Sensitivity[];
  /** Happenings that matter and have no probability: counted as never. */
  readonly unrated: readonly Happening[];
}

/** How much one happening weighs, the others at their likely values. */
export interface Sensitivity {
  readonly happening: Happening;
  /** Derivative of the probability by the happening's own. */
  readonly slope: number;
  /** The probability with this happening at its low and its high end. */
  readonly atLow: number;
  readonly atHigh: number;
  /** What would go if it never happened. */
  readonly removable: number;
}

/** Works out how `formula` comes about. */
export const riskOf = (model: FaultModel, formula: Formula): Risk => {
  const { sets, total } = scenariosOf(formula);
  const { happenings } = model;
  const relevant = [...countOccurrences(formula).keys()];
  const isRated =
    typeof formula === 'boolean' || relevant.some((index) => happenings[index]?.probability !== undefined);
  const probability = isRated
    ? unlessEntangled(() => riskProbabilityOf(model, formula, relevant))
    : undefined;
  return {
    scenarios: sets.map((set) => set.flatMap((index) => happenings[index] ?? [])),
    scenarioCount: total,
    probability,
    anyDependence: isRated ? boundOf(formula, chancesAt(model, 'high')) : undefined,
    tooEntangled: isRated && probability === undefined,
  };
};

const chancesAt = ({ happenings }: FaultModel, end: keyof Range): readonly number[] =>
  happenings.map(({ probability }) => probability?.[end] ?? 0);

const riskProbabilityOf = (
  model: FaultModel,
  formula: Formula,
  relevant: readonly number[],
): RiskProbability => {
  const { happenings } = model;
  const high = chancesAt(model, 'high');
  // What never happens even at the high end is left out; it could only slow things down.
  const evaluate = prepareProbability(decide(formula, (index) => (high[index] === 0 ? false : undefined)));
  const likely = evaluate(chancesAt(model, 'likely'));
  return {
    low: evaluate(chancesAt(model, 'low')).value,
    likely: likely.value,
    high: evaluate(high).value,
    sensitivity: [...likely.slope]
      .flatMap(([index, slope]) => sensitivityOf(happenings[index], slope, likely.value))
      .toSorted((a, b) => b.removable - a.removable || b.slope - a.slope),
    unrated: relevant.flatMap((index) => {
      const happening = happenings[index];
      return happening === undefined || happening.probability !== undefined ? [] : [happening];
    }),
  };
};

const sensitivityOf = (happening: Happening | undefined, slope: number, value: number): Sensitivity[] => {
  if (happening?.probability === undefined) return [];
  const { low, likely, high } = happening.probability;
  return [
    {
      happening,
      slope,
      atLow: value + slope * (low - likely),
      atHigh: value + slope * (high - likely),
      removable: slope * likely,
    },
  ];
};

/**
 * An upper bound without independence. Whatever the parts have to do with one another, at least k of them hold
 * with probability at most their sum over k; and, leaving out the j likeliest, at most the others' sum over k − j.
 */
const boundOf = (formula: Formula, chances: readonly number[]): number =>
  fold<number>(
    formula,
    (part) => (typeof part === 'number' ? (chances[part] ?? 0) : Number(part)),
    ({ need, parts }, of) => {
      const rising = parts.map(of).sort((a, b) => a - b);
      let bound = 1;
      let sum = 0;
      for (const [at, chance] of rising.entries()) {
        sum += chance;
        const needed = need - (rising.length - 1 - at);
        if (needed > 0) bound = Math.min(bound, sum / needed);
      }
      return bound;
    },
  );

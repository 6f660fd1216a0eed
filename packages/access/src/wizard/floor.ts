import type { FaultModel, Happening } from '../analysis/faults.ts';
import { holds } from '../analysis/formula.ts';
import { fatalDomains } from '../analysis/outcomes.ts';
import { policyFactsOf, type PolicyFacts } from '../analysis/tolerance.ts';
import { printPolicy, type Policy } from '../policy.ts';
import type { Setup } from '../setup/setup.ts';
import type { Letter } from './answers.ts';

/** What a key must withstand at least. */
export interface Floor {
  /** Parties that may be lost; from 1, any single place too. */
  readonly loss: number;
  /** Parties that may be in another hand; from 1, any single place too. */
  readonly theft: number;
  /** What no single listed event may do: let somebody else sign, or that and lock the owner out. */
  readonly events: 'anything' | 'no theft' | 'neither';
  /** A quorum is always at hand: devices and a server that does not wait. */
  readonly everyday: boolean;
}

/** The floor that each answer to the first question sets. That of B is the credible minimum. */
export const floors: Readonly<Record<Letter, Floor>> = {
  A: { loss: 1, theft: 0, events: 'anything', everyday: true },
  B: { loss: 1, theft: 1, events: 'no theft', everyday: false },
  C: { loss: 1, theft: 1, events: 'neither', everyday: false },
};

/**
 * What a setup lacks to a floor, one sentence each, found by letting each party, place and event fail alone.
 * `everyday` is the solver's to see to.
 */
export const missingTo = (floor: Floor, setup: Setup, model: FaultModel): readonly string[] => {
  const facts = factsOf(setup.policy);
  const kinds = [
    ...(floor.loss > 0 ? ['loss'] : []),
    ...(floor.theft > 0 ? ['theft'] : []),
    ...(floor.events === 'anything' ? [] : ['event']),
  ];
  const singles = endingsOf(model).filter(({ happening }) => kinds.includes(happening.kind));
  return [
    ...(facts.lossTolerance < floor.loss
      ? [`It stands the loss of ${facts.lossTolerance} parties, not ${floor.loss}.`]
      : []),
    ...(facts.theftTolerance < floor.theft
      ? [`It stands the theft of ${facts.theftTolerance} parties, not ${floor.theft}.`]
      : []),
    ...singles.flatMap(({ happening: { title, kind }, locksOut, steals }) => [
      ...(locksOut && (kind !== 'event' || floor.events === 'neither')
        ? [`If ${title}, nobody can sign.`]
        : []),
      ...(steals ? [`If ${title}, somebody else can sign.`] : []),
    ]),
  ];
};

/** In how many ways a listed event or a whole domain alone locks out or steals. */
export const countFatal = (setup: Setup, model: FaultModel): number =>
  [...endingsOf(model).filter(({ happening }) => happening.kind === 'event'), ...fatalDomains(setup)]
    .flatMap(({ locksOut, steals }) => [locksOut, steals])
    .filter(Boolean).length;

/** What each happening does alone. */
const endingsOf = (
  model: FaultModel,
): readonly { readonly happening: Happening; readonly locksOut: boolean; readonly steals: boolean }[] =>
  model.happenings.map((happening, index) => {
    const alone = new Set([index]);
    return { happening, locksOut: holds(model.lockedOut, alone), steals: holds(model.stolen, alone) };
  });

/** The same few policies come up thousands of times in a search. */
const known = new Map<string, PolicyFacts>();
const factsOf = (policy: Policy): PolicyFacts => {
  const text = printPolicy(policy);
  const facts = known.get(text) ?? policyFactsOf(policy);
  if (known.size < 1_000) known.set(text, facts);
  return facts;
};

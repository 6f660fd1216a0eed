import { parties, printPolicy, type PartyName } from '../policy.ts';
import type { Setup } from '../setup/setup.ts';
import { faultModelOf, type FaultModel } from './faults.ts';
import { holds, type Formula } from './formula.ts';
import { eventOutcomes, fatalDomains, type DomainOutcome, type EventOutcome } from './outcomes.ts';
import { riskOf, type Risk } from './risk.ts';
import { placeToleranceOf, policyFactsOf, type PlaceTolerance, type PolicyFacts } from './tolerance.ts';

/** Everything the analyser says about a setup. Loss and theft always stand side by side. */
export interface Analysis extends PolicyFacts {
  /** Canonical text. */
  readonly policy: string;
  readonly parties: readonly PartyName[];
  readonly places: PlaceTolerance;
  /** The share × event matrix. */
  readonly events: readonly EventOutcome[];
  /** Domains that alone decide over the key, whether or not an event for them is listed. */
  readonly domains: readonly DomainOutcome[];
  /** How the owner is locked out. */
  readonly loss: Risk;
  /** How somebody else comes to sign. */
  readonly theft: Risk;
  readonly credibleMinimum: CredibleMinimum;
}

/** The least a key worth the name must have. */
export interface CredibleMinimum {
  readonly met: boolean;
  /** What is missing, one sentence each. */
  readonly shortfalls: readonly string[];
}

/**
 * Analyses a setup exactly. Where only an exact probability is out of reach, it is left out and said so.
 * @throws KeepsetError `policy/unsupported` where the tolerances are out of reach too, `input/invalid-argument`
 * for locks in a circle.
 * @spec spec/policy.md §5
 */
export const analyse = (setup: Setup): Analysis => {
  const model = faultModelOf(setup);
  const facts = policyFactsOf(setup.policy);
  const events = eventOutcomes(setup, model);
  const places = placeToleranceOf(model);
  return {
    policy: printPolicy(setup.policy),
    parties: parties(setup.policy),
    ...facts,
    places,
    events,
    domains: fatalDomains(setup),
    loss: riskOf(model, model.lockedOut),
    theft: riskOf(model, model.stolen),
    credibleMinimum: credibleMinimumOf(facts, model, events),
  };
};

/**
 * No single party, place or listed event can sign or reveal, and no single party or place can be missed.
 * An event that locks the owner out is flagged elsewhere, but does not fall under this minimum.
 */
const credibleMinimumOf = (
  facts: PolicyFacts,
  model: FaultModel,
  events: readonly EventOutcome[],
): CredibleMinimum => {
  const places = [...model.happenings.entries()].filter(([, { kind }]) => kind !== 'event');
  const shortfalls = [
    ...facts.singlePointsOfCompromise.map((party) => `${party} alone can sign.`),
    ...places.flatMap(([index, { kind, title }]) =>
      kind === 'theft' && isFatal(model.stolen, index) && facts.theftTolerance > 0
        ? [`If ${title}, they can sign.`]
        : [],
    ),
    ...events.flatMap(({ title, key }) => (key.leaked ? [`If ${title}, somebody else can sign.`] : [])),
    ...facts.singlePointsOfFailure.map((party) => `Without ${party} nobody can sign.`),
    ...places.flatMap(([index, { kind, title }]) =>
      kind === 'loss' && isFatal(model.lockedOut, index) && facts.lossTolerance > 0
        ? [`If ${title}, nobody can sign.`]
        : [],
    ),
  ];
  return { met: shortfalls.length === 0, shortfalls };
};

const isFatal = (formula: Formula, happening: number): boolean => holds(formula, new Set([happening]));

import { dualOf, parties, type PartyName, type Policy } from '../policy.ts';
import { namesOf, quorumFamily } from '../quorum.ts';
import type { FaultModel } from './faults.ts';
import { decide, type Formula } from './formula.ts';
import { compile } from './probability.ts';
import { countSets, firstSets, minimalSetsOf, type SetFamily } from './minimal.ts';

/** Minimal sets of parties: those listed, and how many there are in all. */
export interface PartySets {
  /** Smallest first, in policy order; the first thousand at most. */
  readonly sets: readonly (readonly PartyName[])[];
  readonly total: bigint;
}

/** What the policy alone says, whatever the world is like. */
export interface PolicyFacts {
  /** Any so many parties may be lost, and a quorum is left. */
  readonly lossTolerance: number;
  /** Any so many parties may be in one other hand, and it has no quorum. */
  readonly theftTolerance: number;
  readonly minimalQuorums: PartySets;
  /** Minimal sets of parties without which there is no quorum. */
  readonly minimalCuts: PartySets;
  /** Parties each of which is needed. */
  readonly singlePointsOfFailure: readonly PartyName[];
  /** Parties each of which is enough. */
  readonly singlePointsOfCompromise: readonly PartyName[];
}

const listed = 1_000;

/** @throws KeepsetError `policy/unsupported` for policies too entangled by repeated parties. */
export const policyFactsOf = (policy: Policy): PolicyFacts => {
  const names = parties(policy);
  const quorums = quorumFamily(policy, names);
  const cuts = quorumFamily(dualOf(policy), names);
  return {
    lossTolerance: smallestSize(cuts) - 1,
    theftTolerance: smallestSize(quorums) - 1,
    minimalQuorums: partySets(quorums, names),
    minimalCuts: partySets(cuts, names),
    singlePointsOfFailure: singles(cuts, names),
    singlePointsOfCompromise: singles(quorums, names),
  };
};

/** Infinity when there is no set. */
const smallestSize = (family: SetFamily): number => firstSets(family, 1)[0]?.length ?? Infinity;

const partySets = (family: SetFamily, names: readonly PartyName[]): PartySets => ({
  sets: firstSets(family, listed).map((set) => namesOf(set, names)),
  total: countSets(family),
});

const singles = (family: SetFamily, names: readonly PartyName[]): readonly PartyName[] =>
  firstSets(family, names.length).flatMap((set) => (set.length === 1 ? namesOf(set, names) : []));

/** How many single places may fail, or leak, whichever they are and whatever the policy thinks of parties. */
export interface PlaceTolerance {
  readonly loss: number;
  readonly theft: number;
}

/** Places are single copies, of shares and of the secrets that open them; events are left aside. */
export const placeToleranceOf = (model: FaultModel): PlaceTolerance => ({
  loss: fewest(model, model.lockedOut, 'loss') - 1,
  theft: fewest(model, model.stolen, 'theft') - 1,
});

/** Infinity when no number of such happenings suffices. */
const fewest = (model: FaultModel, formula: Formula, kind: 'loss' | 'theft'): number => {
  const open = decide(formula, (happening) =>
    model.happenings[happening]?.kind === kind ? undefined : false,
  );
  const { diagram, root } = compile(open);
  return smallestSize(minimalSetsOf(diagram, root));
};

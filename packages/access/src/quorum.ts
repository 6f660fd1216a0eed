import { KeepsetError } from '@keepset/bytes';
import { always, atLeast, createDiagram, never, variable, type Node } from './analysis/bdd.ts';
import { countSets, firstSets, minimalSetsOf, type SetFamily } from './analysis/minimal.ts';
import { parties, thresholdOf, type PartyName, type Policy } from './policy.ts';

/** Whether these parties satisfy the policy. Names that do not stand in it change nothing. */
export const isQuorum = (policy: Policy, present: Iterable<PartyName>): boolean =>
  satisfied(policy, new Set(present));

const satisfied = (policy: Policy, present: ReadonlySet<PartyName>): boolean =>
  policy.kind === 'party'
    ? present.has(policy.name)
    : policy.parts.filter((part) => satisfied(part, present)).length >= thresholdOf(policy);

/** The most sets {@link minimalQuorums} lists. */
const listLimit = 10_000n;

/**
 * Every quorum from which no party can be left out, smallest first, each in policy order.
 * @throws KeepsetError `policy/unsupported` when there are more than 10,000; {@link countMinimalQuorums} still counts.
 */
export const minimalQuorums = (policy: Policy): readonly (readonly PartyName[])[] => {
  const names = parties(policy);
  const family = quorumFamily(policy, names);
  const count = countSets(family);
  if (count > listLimit)
    throw new KeepsetError('policy/unsupported', `There are ${count} minimal quorums, too many to list.`);
  return firstSets(family, Number(count)).map((set) => namesOf(set, names));
};

/** How many minimal quorums there are. */
export const countMinimalQuorums = (policy: Policy): bigint =>
  countSets(quorumFamily(policy, parties(policy)));

/**
 * The smallest sets of parties that would complete `present` to a quorum: all of one size, in policy order,
 * at most `limit` of them. One empty set when it is a quorum already.
 */
export const smallestAdditions = (
  policy: Policy,
  present: Iterable<PartyName>,
  limit = 16,
): readonly (readonly PartyName[])[] => {
  const names = parties(policy);
  const sets = firstSets(quorumFamily(policy, names, new Set(present)), limit);
  return sets.filter((set) => set.length === sets[0]?.length).map((set) => namesOf(set, names));
};

/** A set of a family over `names`, by name. */
export const namesOf = (set: readonly number[], names: readonly PartyName[]): readonly PartyName[] =>
  set.flatMap((index) => names[index] ?? []);

/** The minimal sets of `names`, the policy's parties, that complete `present` to a quorum. */
export const quorumFamily = (
  policy: Policy,
  names: readonly PartyName[],
  present: ReadonlySet<PartyName> = new Set(),
): SetFamily => {
  const diagram = createDiagram();
  const leaf = new Map(
    names.map((name, index) => [name, present.has(name) ? always : variable(diagram, index)]),
  );
  const visit = (part: Policy): Node =>
    part.kind === 'party'
      ? (leaf.get(part.name) ?? never)
      : atLeast(diagram, thresholdOf(part), part.parts.map(visit));
  return minimalSetsOf(diagram, visit(policy));
};

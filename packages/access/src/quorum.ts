import { KeepsetError } from '@keepset/bytes';
import { always, atLeast, createDiagram, never, variable, type Diagram, type Node } from './bdd.ts';
import { countSets, listSets, minimalSetsOf } from './minimal.ts';
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
  const family = minimalSetsOf(...diagramOf(policy, names, new Set()));
  const count = countSets(family);
  if (count > listLimit)
    throw new KeepsetError('policy/unsupported', `There are ${count} minimal quorums, too many to list.`);
  return [...listSets(family)].map((set) => namesOf(set, names));
};

/** How many minimal quorums there are. */
export const countMinimalQuorums = (policy: Policy): bigint =>
  countSets(minimalSetsOf(...diagramOf(policy, parties(policy), new Set())));

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
  const found: (readonly PartyName[])[] = [];
  for (const set of listSets(minimalSetsOf(...diagramOf(policy, names, new Set(present))))) {
    if (found.length >= limit || set.length > (found[0]?.length ?? set.length)) break;
    found.push(namesOf(set, names));
  }
  return found;
};

const namesOf = (set: readonly number[], names: readonly PartyName[]): readonly PartyName[] =>
  set.flatMap((index) => names[index] ?? []);

/** The policy as a function of its parties, those in `present` being there already. */
const diagramOf = (
  policy: Policy,
  names: readonly PartyName[],
  present: ReadonlySet<PartyName>,
): [Diagram, Node] => {
  const diagram = createDiagram();
  const leaf = new Map(
    names.map((name, index) => [name, present.has(name) ? always : variable(diagram, index)]),
  );
  return [diagram, policyNode(diagram, policy, (name) => leaf.get(name) ?? never)];
};

/** The policy over any functions in the place of its parties. */
export const policyNode = (diagram: Diagram, policy: Policy, leaf: (name: PartyName) => Node): Node =>
  policy.kind === 'party'
    ? leaf(policy.name)
    : atLeast(
        diagram,
        thresholdOf(policy),
        policy.parts.map((part) => policyNode(diagram, part, leaf)),
      );

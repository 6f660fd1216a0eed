import {
  asFlatThreshold,
  countMinimalQuorums,
  minimalQuorums,
  parsePolicy,
  smallestAdditions,
  type Policy,
} from '@keepset/access';

/** Most sets of parties that are listed. */
const listed = 4;

/** Who can act with a key under this policy, for people: one line for a plain threshold, else a line for each set. */
export const quorumLines = (text: string, verb: 'sign' | 'open' = 'sign'): readonly string[] => {
  const policy = parsePolicy(text, { allowRepeats: true });
  const flat = asFlatThreshold(policy);
  if (flat !== undefined) return [`${flat.threshold} of ${flat.parties.length} must ${verb} together`];
  const sets = smallest(policy).map((set) => set.join(' + '));
  const more = countMinimalQuorums(policy) - BigInt(sets.length);
  return [...sets, ...(more > 0n ? [`and ${more} more ${more === 1n ? 'set' : 'sets'} of parties`] : [])];
};

/** The first few minimal quorums. There may be far more than can be listed. */
const smallest = (policy: Policy): readonly (readonly string[])[] =>
  countMinimalQuorums(policy) > 10_000n
    ? smallestAdditions(policy, [], listed)
    : minimalQuorums(policy).slice(0, listed);

/** Policies for keys. */
import type * as fc from 'fast-check';
import { isQuorum, parsePolicy, parties, printPolicy, smallestAdditions } from '@keepset/access';
import type { PartyId, Sharing } from '../src/index.ts';
import { policyOver, policyWithRepeats } from '../../access/test/arbitrary.ts';

/** How a key under this policy is shared. */
export const sharingFor = (text: string): Sharing => {
  const policy = parsePolicy(text, { allowRepeats: true });
  const [smallest = []] = smallestAdditions(policy, [], 1);
  return { policy: text, parties: parties(policy), threshold: smallest.length };
};

const isKeyPolicy = (text: string): boolean => sharingFor(text).threshold > 1;

/** Policies over up to `most` parties p0, p1 … in which no party alone suffices, as text. */
export const keyPolicy = (most: number): fc.Arbitrary<string> =>
  policyOver(most).map(printPolicy).filter(isKeyPolicy);

/** The same with up to `most` leaves drawn from `names` parties, so that some stand several times. */
export const weightedPolicy = (most: number, names: number): fc.Arbitrary<string> =>
  policyWithRepeats(most, names).map(printPolicy).filter(isKeyPolicy);

/** Subsets of a policy's parties in policy order, that satisfy it or do not. */
export const setsOf = (text: string, satisfying: boolean): readonly (readonly PartyId[])[] => {
  const policy = parsePolicy(text, { allowRepeats: true });
  const names = parties(policy);
  return Array.from({ length: 2 ** names.length }, (_, mask) =>
    names.filter((_name, i) => ((mask >> i) & 1) === 1),
  ).filter((set) => isQuorum(policy, set) === satisfying);
};

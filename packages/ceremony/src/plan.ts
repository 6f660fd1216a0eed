import { KeepsetError } from '@keepset/bytes';
import {
  helpersOf,
  isQuorum,
  parsePolicy,
  printPolicy,
  smallestAdditions,
  type ParseOptions,
  type Policy,
} from '@keepset/access';
import { checkHelpers, checkQuorum, readSharing, type GroupKey } from '@keepset/threshold';

/** What a policy means for a key generation; both sides derive it alone and must agree. */
export interface KeygenPlan {
  /** Canonical policy text. */
  readonly policy: string;
  readonly parties: readonly string[];
  /** The fewest parties that can act. */
  readonly threshold: number;
  /** True where the server is no party: it holds no share, and witnesses what the devices do. */
  readonly isWitnessed: boolean;
}

/** For whoever is shown a policy: that a party stands several times was asked for by who started. */
export const asked: ParseOptions = { allowRepeats: true };

/**
 * Reads a policy and plans the key generation between devices, and `server` if the policy names it.
 * @param options whether a party may stand several times; not unless that was asked for.
 * @throws KeepsetError `policy/syntax`, or `policy/unsupported` with what is not possible.
 */
export const planKeygen = (policyText: string, server: string, options: ParseOptions = {}): KeygenPlan => {
  const policy = printPolicy(parsePolicy(policyText, options));
  const { parties, threshold } = readSharing(policy);
  return { policy, parties, threshold, isWitnessed: !parties.includes(server) };
};

/** Who takes part by itself: this device, and the server if it holds a share. */
export const selfAndServer = (
  { party, serverParty }: { readonly party: string; readonly serverParty: string },
  { parties }: Pick<GroupKey, 'parties'>,
): readonly string[] => (parties.includes(serverParty) ? [party, serverParty] : [party]);

/**
 * Those who are present, in policy order, if together they can act for the key.
 * @throws KeepsetError `policy/unsatisfied` with whom to bring in with --with
 */
export const quorumAmong = (group: GroupKey, present: readonly string[]): readonly string[] => {
  const quorum = membersAmong(group, present);
  requireEnough(readSharing(group.policy).policy, quorum, group.policy);
  checkQuorum(group, quorum);
  return quorum;
};

/**
 * Those who are present, in policy order, if together they can give the target its share again.
 * @throws KeepsetError `policy/unsatisfied` with whom to bring in with --with
 */
export const helpersAmong = (
  group: GroupKey,
  present: readonly string[],
  target: string,
): readonly string[] => {
  const helpers = membersAmong(group, present).filter((party) => party !== target);
  const able = helpersOf(readSharing(group.policy).policy, target);
  if (able !== undefined) requireEnough(able, helpers, `a repair of ${target} under ${group.policy}`);
  checkHelpers(group, helpers, target);
  return helpers;
};

const membersAmong = ({ parties, policy }: GroupKey, present: readonly string[]): readonly string[] => {
  const stranger = present.find((party) => !parties.includes(party));
  if (stranger !== undefined)
    throw new KeepsetError('policy/unsatisfied', `${stranger} holds no share of this key (${policy}).`);
  return parties.filter((party) => present.includes(party));
};

const requireEnough = (policy: Policy, present: readonly string[], what: string): void => {
  if (isQuorum(policy, present)) return;
  const sets = smallestAdditions(policy, present, 4).map((set) => `--with ${set.join(',')}`);
  const who = present.length === 1 ? `${present.join()} alone is` : `${present.join(' and ')} are`;
  throw new KeepsetError('policy/unsatisfied', `${who} not enough for ${what}.`, {
    hint: `Let other devices take part too: ${sets.join(', or ')}.`,
  });
};

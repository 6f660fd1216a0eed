/** Whether a copy is of any use: compared with what the server holds now, and what else there is if it is not. */
import { helpersOf, isQuorum, parsePolicy, parties, smallestAdditions } from '@keepset/access';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import type { KeySummary } from '@keepset/wire';

/**
 * @returns the server's view of the share's key.
 * @throws KeepsetError `input/unknown-key` (not a key of this user), `place/stale` (an older epoch), `store/rollback` (a
 * later one: the server has forgotten), `place/foreign` (another key or policy under this name).
 */
export const checkAgainstServer = (
  { group, party }: KeyShare,
  keys: readonly KeySummary[],
  serverParty: string,
): KeySummary => {
  const key = keys.find(({ keyId }) => keyId === group.keyId);
  if (key === undefined)
    throw new KeepsetError('input/unknown-key', `The server holds no key ${group.keyId} for this user.`, {
      hint: `Was the invitation for a new user? On the server: keepset invite --key ${group.keyId}. On another device of yours: keepset add-device.`,
    });
  if (group.epoch < key.epoch)
    throw new KeepsetError(
      'place/stale',
      `This copy is of epoch ${group.epoch}; the key is at epoch ${key.epoch}, and the server takes no older share.`,
      { hint: withoutCopy(key, party, serverParty) },
    );
  if (group.epoch > key.epoch)
    throw new KeepsetError(
      'store/rollback',
      `This copy is of epoch ${group.epoch}; the server knows epoch ${key.epoch} only. It was restored from an old backup.`,
      { hint: 'Do not sign with it. See `keepset recover --server-restored --help`.' },
    );
  if (group.policy !== key.policy || !bytesEqual(group.publicKey, key.publicKey))
    throw new KeepsetError(
      'place/foreign',
      `This copy was made for ${group.policy}; the key is under ${key.policy}.`,
      {
        hint: withoutCopy(key, party, serverParty),
      },
    );
  return key;
};

/** What is left to a party of which no copy is left, in one sentence or two. */
export const withoutCopy = (
  { keyId, policy: text }: Pick<KeySummary, 'keyId' | 'policy'>,
  party: string,
  serverParty: string,
): string => {
  const policy = parsePolicy(text, { allowRepeats: true });
  const others = parties(policy).filter((name) => name !== party);
  if (!isQuorum(policy, others))
    return `Look for a newer copy. There is no other way: nobody can act for this key without ${party} (${text}).`;
  const helpers = helpersOf(policy, party);
  if (helpers === undefined)
    return `Look for a newer copy, or let the others deal the key anew: on another device \`keepset reshare\`.`;
  const quorums = smallestAdditions(helpers, [], 8);
  const names = quorums.map((quorum) => quorum.join(' and ')).join(', or ');
  const runsIt = quorums[0]?.find((name) => name !== serverParty) ?? party;
  return `Look for a newer copy, or let the others give ${party} its share again (${names}): on ${runsIt} run \`keepset repair ${party} --key ${keyId.slice(0, 6)}\`, here \`keepset recover --join CODE\`.`;
};

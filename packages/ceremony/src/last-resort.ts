/** Leaving for good: the only use of {@link assembleKey}. */
import { isQuorum, parsePolicy, smallestAdditions, type Policy } from '@keepset/access';
import { KeepsetError, type Secret } from '@keepset/bytes';
import { assembleKey, type GroupKey, type KeyShare } from '@keepset/threshold';
import { acceptEvidence } from './device/evidence.ts';
import type { DeviceParty } from './device/ports.ts';
import { asked } from './plan.ts';

/** A key in one piece. The caller wipes `secret`. */
export interface AssembledKey {
  readonly group: GroupKey;
  /** Parties whose shares were used: no more than it takes. */
  readonly parties: readonly string[];
  /** Private scalar, 32 bytes: big-endian, for ed25519 little-endian. */
  readonly secret: Secret;
}

/**
 * Puts a key together from copies of shares, and checks it against the public key. Only copies of the newest epoch
 * count; of several of one party's share, the first.
 * @throws KeepsetError `policy/unsatisfied` saying which parties are missing, `place/stale` if copies of an older epoch
 * are all there is of them, `input/invalid-argument` (copies of several keys), `place/damaged`.
 */
export const lastResort = (copies: readonly KeyShare[]): AssembledKey => {
  const epoch = Math.max(...copies.map(({ group }) => group.epoch));
  const current = copies.filter(({ group }) => group.epoch === epoch);
  const [first] = current;
  if (first === undefined) throw new KeepsetError('policy/unsatisfied', 'There is no copy of a share.');
  const { group } = first;
  if (copies.some((copy) => copy.group.keyId !== group.keyId))
    throw new KeepsetError('input/invalid-argument', 'These are copies of shares of several keys.', {
      hint: 'Give the copies of one key, and export one key at a time.',
    });
  const present = new Map(current.toReversed().map((copy) => [copy.party, copy]));
  const names = group.parties.filter((party) => present.has(party));
  const policy = parsePolicy(group.policy, asked);
  const quorum = fewestOf(policy, names);
  if (quorum === undefined) {
    const missing = smallestAdditions(policy, names).map((parties) => parties.join(' and '));
    const old = copies.filter((copy) => copy.group.epoch !== epoch && !present.has(copy.party));
    throw new KeepsetError(
      old.length > 0 ? 'place/stale' : 'policy/unsatisfied',
      `${names.join(' and ')} ${present.size === 1 ? 'is' : 'are'} not enough for ${group.policy} at epoch ${epoch}.${old.map((copy) => ` The copy of ${copy.party} is of epoch ${copy.group.epoch} and does not mix with it.`).join('')}`,
      { hint: `Give a copy of epoch ${epoch} of the share of ${missing.join('; or ')}.` },
    );
  }
  const shares = quorum.flatMap((party) => present.get(party) ?? []);
  return { group, parties: quorum, secret: assembleKey(shares) };
};

/** A quorum among those present from which nobody can be left out; undefined if there is none. */
const fewestOf = (policy: Policy, present: readonly string[]): readonly string[] | undefined =>
  isQuorum(policy, present)
    ? present.reduce((kept, party) => {
        const without = kept.filter((name) => name !== party);
        return isQuorum(policy, without) ? without : kept;
      }, present)
    : undefined;

/**
 * Has the server write into its log, before it happens, that a key is put together.
 * @throws KeepsetError `input/unknown-key`; of family `transport/`; whatever {@link acceptEvidence} throws.
 */
export const announceExport = async (device: DeviceParty, keyId: string): Promise<void> => {
  const head = await device.logPin.load();
  const { epoch, evidence } = await device.transport.announceExport(
    keyId,
    head === undefined ? {} : { head },
  );
  await acceptEvidence(device, evidence, { kind: 'export', keyId, epoch }, head);
};

/** Leaving for good: the only use of {@link assembleKey}. */
import { isQuorum, parsePolicy, smallestAdditions, type Policy } from '@keepset/access';
import { KeepsetError, bytesEqual, encodeCbor, toHex, type Secret } from '@keepset/bytes';
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

/** A copy of a share, whatever else its holder knows of it. */
export interface ShareCopy {
  readonly share: KeyShare;
}

/** Copies that make one key together, and those that do not go with them or are not needed. */
export interface ChosenQuorum<Copy extends ShareCopy> {
  readonly group: GroupKey;
  /** One for each party of the quorum, in the order of the policy; nobody of them can be left out. */
  readonly copies: readonly Copy[];
  /** The others, and why, as `left out: …` goes on. */
  readonly leftOut: readonly { readonly copy: Copy; readonly reason: string }[];
}

/**
 * Finds the newest quorum that is complete among copies of one or several keys and epochs. Copies mix only where all
 * public data are the same. Of several copies of one party's share the first counts.
 * @throws KeepsetError `policy/unsatisfied` saying which parties are missing, `place/stale` if they are of another
 * epoch, `input/invalid-argument` (copies of several keys, of which none or more than one is complete),
 * `place/damaged` (two quorums of one epoch that do not fit each other: one is wrong).
 */
export const chooseQuorum = <Copy extends ShareCopy>(copies: readonly Copy[]): ChosenQuorum<Copy> => {
  const sets = setsOf(copies);
  const complete = sets.filter(({ quorum }) => quorum !== undefined);
  const keys = new Set((complete.length > 0 ? complete : sets).map(({ group }) => group.keyId));
  if (keys.size > 1)
    throw new KeepsetError('input/invalid-argument', 'These are copies of shares of several keys.', {
      hint: `Give the copies of one key, or say which with --key, and export one key at a time: ${[...keys].join(', ')}`,
    });
  const [best, second] = complete;
  if (best?.quorum === undefined) throw incomplete(sets);
  if (second?.group.epoch === best.group.epoch)
    throw new KeepsetError(
      'place/damaged',
      `Two quorums of epoch ${best.group.epoch} do not fit each other: the shares of ${list(best.names)}, and those of ${list(second.names)}. One of them is wrong.`,
      { hint: 'Give the copies of one of them at a time: only the right one gives the key.' },
    );
  const { group, present } = best;
  const chosen = best.quorum.flatMap((party) => present.get(party) ?? []);
  const others = copies.filter((copy) => !chosen.includes(copy));
  return { group, copies: chosen, leftOut: others.map((copy) => ({ copy, reason: reasonOf(copy, best) })) };
};

/** Copies with the same public data. */
interface CopySet<Copy extends ShareCopy> {
  readonly group: GroupKey;
  readonly present: ReadonlyMap<string, Copy>;
  /** Parties that are there, in the order of the policy. */
  readonly names: readonly string[];
  readonly quorum: readonly string[] | undefined;
}

/** The newest epoch first. */
const setsOf = <Copy extends ShareCopy>(copies: readonly Copy[]): readonly CopySet<Copy>[] =>
  [...Map.groupBy(copies, ({ share }) => toHex(encodeCbor({ ...share.group }))).values()]
    .flatMap((same): CopySet<Copy>[] => {
      const [first] = same;
      if (first === undefined) return [];
      const { group } = first.share;
      const present = new Map(same.toReversed().map((copy) => [copy.share.party, copy]));
      const names = group.parties.filter((party) => present.has(party));
      return [{ group, present, names, quorum: fewestOf(parsePolicy(group.policy, asked), names) }];
    })
    .toSorted((a, b) => b.group.epoch - a.group.epoch);

const reasonOf = <Copy extends ShareCopy>({ share }: Copy, { group, quorum = [] }: CopySet<Copy>): string => {
  const { keyId, epoch } = share.group;
  if (keyId !== group.keyId) return `it is of another key, ${keyId}`;
  if (epoch > group.epoch) return `it is of epoch ${epoch}, of which there is no quorum here`;
  if (epoch < group.epoch) return `it is of epoch ${epoch}, which is older`;
  return isOfSet(share, group)
    ? `it is not needed beside ${list(quorum)}`
    : 'its public data are not those of the others';
};

const isOfSet = (share: KeyShare, group: GroupKey): boolean =>
  bytesEqual(encodeCbor({ ...share.group }), encodeCbor({ ...group }));

/** What is missing to the newest epoch there is. */
const incomplete = <Copy extends ShareCopy>([newest, ...others]: readonly CopySet<Copy>[]): KeepsetError => {
  if (newest === undefined) return new KeepsetError('policy/unsatisfied', 'There is no copy of a share.');
  const { group, names } = newest;
  const { epoch } = group;
  const missing = smallestAdditions(parsePolicy(group.policy, asked), names).map(list);
  const apart = others.flatMap((set) =>
    set.names
      .filter((party) => !names.includes(party))
      .map((party) =>
        set.group.epoch === epoch
          ? ` The copy of ${party} has other public data and does not mix with it.`
          : ` The copy of ${party} is of epoch ${set.group.epoch} and does not mix with it.`,
      ),
  );
  return new KeepsetError(
    apart.length > 0 ? 'place/stale' : 'policy/unsatisfied',
    `${list(names)} ${names.length === 1 ? 'is' : 'are'} not enough for ${group.policy} at epoch ${epoch}.${apart.join('')}`,
    { hint: `Give a copy of epoch ${epoch} of the share of ${missing.join('; or ')}.` },
  );
};

const list = (names: readonly string[]): string => names.join(' and ');

/**
 * Puts the key of a chosen quorum together, and checks it against the public key.
 * @throws KeepsetError `place/damaged`
 */
export const lastResort = ({ group, copies }: ChosenQuorum<ShareCopy>): AssembledKey => {
  const shares = copies.map(({ share }) => share);
  return { group, parties: shares.map(({ party }) => party), secret: assembleKey(shares) };
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

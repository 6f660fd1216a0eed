/** What refresh, repair and reshare are about: their parameters, the checks at their door, their context hashes. */
import { KeepsetError, bytesEqual, encodeCbor, hashValue } from '@keepset/bytes';
import { checkSession, type Rng } from '../ceremony.ts';
import { groupFields } from '../codec.ts';
import type { GroupKey, KeyShare } from '../key.ts';
import type { PartyId } from '../machine.ts';
import { checkHelpers, checkQuorum, checkedSharing } from '../sharing.ts';
import { checkGroup } from './group.ts';
import type { LifeSuite } from './suite.ts';

/** New shares for the same parties under the same policy. Every party of the key takes part. */
export interface RefreshParams {
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** The own share of the present epoch. */
  readonly share: KeyShare;
  readonly rng?: Rng;
}

/** A quorum gives one party its share of the present epoch again. */
export interface RepairParams {
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** The key's public data. The target got them from someone it trusts: they decide what it accepts as its share. */
  readonly group: GroupKey;
  /** Parties that help, in policy order: a quorum without the target that determines the target's sub-shares. */
  readonly helpers: readonly PartyId[];
  /** Who lost its share. */
  readonly target: PartyId;
  readonly me: PartyId;
  /** A helper's own share. The target gives none. */
  readonly share?: KeyShare;
  readonly rng?: Rng;
}

/** How a key is to be shared from the next epoch on. */
export type Sharing = Pick<GroupKey, 'policy' | 'parties' | 'threshold'>;

/** A quorum of the old parties gives shares of the same key to the parties of a new policy. */
export interface ReshareParams {
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** The key's public data. A new party got them from someone it trusts: they say which key it gets a share of. */
  readonly group: GroupKey;
  /** Old parties that deal, in the old policy's order: a quorum in which each is needed for its part of the policy. */
  readonly dealers: readonly PartyId[];
  readonly next: Sharing;
  readonly me: PartyId;
  /** A dealer's own share. Others give none. */
  readonly share?: KeyShare;
  readonly rng?: Rng;
}

/** What a reshare comes to. */
export interface Reshared {
  readonly group: GroupKey;
  /** Absent for a dealer that is no party of the new policy: its old share is all it has, and is to be destroyed. */
  readonly share?: KeyShare;
}

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party` */
export const checkRefreshParams = <S>(suite: LifeSuite<S>, { session, share }: RefreshParams): void => {
  checkSession(session);
  checkGroup(suite, share.group);
  checkOwnShare(share.group, share.party, share);
};

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, `abort/wrong-epoch`, `policy/unsatisfied` */
export const checkRepairParams = <S>(suite: LifeSuite<S>, params: RepairParams): void => {
  const { session, group, helpers, target, me, share } = params;
  checkSession(session);
  checkGroup(suite, group);
  checkHelpers(group, helpers, target);
  if (me === target) {
    if (share !== undefined) throw invalid('The party to repair brings no share.');
    return;
  }
  if (!helpers.includes(me))
    throw new KeepsetError('abort/unknown-party', `${me} takes no part in this repair.`);
  checkOwnShare(group, me, share);
};

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, `abort/wrong-epoch`, `policy/unsatisfied` */
export const checkReshareParams = <S>(suite: LifeSuite<S>, params: ReshareParams): void => {
  const { session, group, dealers, next, me, share } = params;
  checkSession(session);
  checkGroup(suite, group);
  checkQuorum(group, dealers);
  checkedSharing(suite.curve, next);
  if (dealers.includes(me)) checkOwnShare(group, me, share);
  else if (share !== undefined) throw invalid('Only a dealer brings its share.');
  else if (!next.parties.includes(me))
    throw new KeepsetError('abort/unknown-party', `${me} takes no part in this reshare.`);
};

/** That the share is `me`'s and of exactly this key, epoch and sharing. */
const checkOwnShare = (group: GroupKey, me: PartyId, share: KeyShare | undefined): void => {
  if (!Number.isSafeInteger(group.epoch + 1)) throw invalid('The epoch is out of range.');
  if (share === undefined) throw invalid(`${me} must bring its share.`);
  if (share.party !== me || !group.parties.includes(me))
    throw new KeepsetError('abort/unknown-party', `This is not ${me}'s share.`);
  if (share.group.keyId === group.keyId && share.group.epoch !== group.epoch)
    throw new KeepsetError(
      'abort/wrong-epoch',
      `The share is of epoch ${share.group.epoch}; the key is at ${group.epoch}.`,
    );
  if (!bytesEqual(encodeCbor(groupFields(share.group)), encodeCbor(groupFields(group))))
    throw invalid('The share belongs to another key.');
};

/** Binds every message of a refresh to the key as it is: its id, epoch, policy, parties, threshold and all public data. */
export const refreshContext = (group: GroupKey, params: Pick<RefreshParams, 'session'>): Uint8Array =>
  hashValue('keepset/context/refresh/v1', { session: params.session, group: groupFields(group) });

/** Binds every message of a repair to the key as it is, the helpers and the target. */
export const repairContext = (
  group: GroupKey,
  params: Pick<RepairParams, 'session' | 'helpers' | 'target'>,
): Uint8Array =>
  hashValue('keepset/context/repair/v1', {
    session: params.session,
    group: groupFields(group),
    helpers: params.helpers,
    target: params.target,
  });

/** Binds every message of a reshare to the key as it is, the dealers, and the key as it shall be. */
export const reshareContext = (
  group: GroupKey,
  params: Pick<ReshareParams, 'session' | 'dealers' | 'next'>,
): Uint8Array =>
  hashValue('keepset/context/reshare/v1', {
    session: params.session,
    group: groupFields(group),
    dealers: params.dealers,
    policy: params.next.policy,
    parties: params.next.parties,
    threshold: params.next.threshold,
  });

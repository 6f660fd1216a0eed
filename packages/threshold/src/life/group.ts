/** A key's public data: whether they fit one another, and whether a share fits them. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { evaluateCommitmentsVarTime } from '../curve/polynomial.ts';
import type { CurvePort, GroupPoint } from '../curve/port.ts';
import { keyIdOf, type GroupKey, type KeyShare } from '../key.ts';
import type { PartyId } from '../machine.ts';
import type { LifeSuite, OpenSecret } from './suite.ts';

/** The evaluation point of a party in the sharing polynomial: its position in policy order, from 1. */
export const placeOf = (parties: readonly PartyId[], party: PartyId): number => {
  const index = parties.indexOf(party);
  if (index < 0) throw new KeepsetError('bug/invariant', `${party} has no place.`);
  return index + 1;
};

/** Decodes points that are known to be valid. @throws KeepsetError `bug/invariant` */
export const pointOf = (curve: CurvePort, bytes: Uint8Array | undefined): GroupPoint => {
  const point = bytes === undefined ? undefined : curve.decodePoint(bytes);
  if (point === undefined) throw new KeepsetError('bug/invariant', 'Not a point of the group.');
  return point;
};

/**
 * Whether public data are those of one key: the id is the public key's, the public key is the constant commitment,
 * there are as many commitments as the threshold says, and every verifying share is the committed polynomial's image.
 * @spec RFC 9591 Appendix C.2 derive_group_info
 */
const isConsistentGroup = (curve: CurvePort, group: GroupKey): boolean => {
  const { parties, threshold, commitments, verifyingShares, publicKey } = group;
  if (new Set(parties).size !== parties.length || verifyingShares.length !== parties.length) return false;
  if (threshold < 2 || threshold > parties.length || commitments.length !== threshold) return false;
  const [constant] = commitments;
  if (constant === undefined || !bytesEqual(constant, publicKey)) return false;
  if (group.keyId !== keyIdOf(group.scheme, publicKey)) return false;
  const points = commitments.map((bytes) => curve.decodePoint(bytes)).filter((point) => point !== undefined);
  if (points.length !== threshold) return false;
  const images = parties.map((_, i) => evaluateCommitmentsVarTime(curve, points, i + 1));
  if (images.some((image) => curve.isIdentity(image))) return false;
  // Compared as bytes: decoding a point costs more than computing it.
  return curve
    .encodePoints(images)
    .every((image, i) => bytesEqual(image, verifyingShares[i] ?? new Uint8Array()));
};

/** @throws KeepsetError `input/invalid-argument` for public data of another scheme or that do not fit one another */
export const checkGroup = <S>(suite: LifeSuite<S>, group: GroupKey): void => {
  if (group.scheme !== suite.scheme)
    throw new KeepsetError('input/invalid-argument', `This is a ${group.scheme} key.`);
  if (!isConsistentGroup(suite.curve, group))
    throw new KeepsetError('input/invalid-argument', 'The public data of this key do not fit one another.');
};

/** Whether the opened secret is the scalar behind the holder's verifying share. */
const isSecretOf = <S>(
  { curve }: LifeSuite<S>,
  { group, party }: KeyShare,
  secret: OpenSecret<S>,
): boolean => {
  const bytes = group.verifyingShares[group.parties.indexOf(party)];
  const image = bytes === undefined ? undefined : curve.decodePoint(bytes);
  return image !== undefined && curve.equals(image, curve.multiplyGenerator(secret.share));
};

/** Whether a share and its public data fit one another. May throw for a secret of the wrong form. */
export const isConsistentShare = <S>(suite: LifeSuite<S>, share: KeyShare): boolean =>
  share.group.scheme === suite.scheme &&
  share.group.parties.length <= suite.maxParties &&
  isConsistentGroup(suite.curve, share.group) &&
  isSecretOf(suite, share, suite.openSecret(share));

/**
 * Opens a share whose public data were checked before, and checks that it is the holder's.
 * @throws KeepsetError `place/damaged`
 */
export const openChecked = <S>(suite: LifeSuite<S>, share: KeyShare): OpenSecret<S> => {
  const secret = suite.openSecret(share);
  if (!isSecretOf(suite, share, secret))
    throw new KeepsetError('place/damaged', `The secret of ${share.party}'s share is damaged.`);
  return secret;
};

/** A key's public data: whether they fit one another, and whether a share fits them. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { CurvePort, GroupPoint } from '../curve/port.ts';
import { keyIdOf, type GroupKey, type KeyShare } from '../key.ts';
import type { PartyId } from '../machine.ts';
import { allImagesVarTime, placesOf, sharingOf, sharingOfKey } from '../sharing.ts';
import type { LifeSuite, OpenSecret } from './suite.ts';

/** Decodes points that are known to be valid. @throws KeepsetError `bug/invariant` */
export const pointOf = (curve: CurvePort, bytes: Uint8Array | undefined): GroupPoint => {
  const point = bytes === undefined ? undefined : curve.decodePoint(bytes);
  if (point === undefined) throw new KeepsetError('bug/invariant', 'Not a point of the group.');
  return point;
};

/**
 * Whether public data are those of one key: parties and threshold are the policy's, the id is the public key's, the
 * public key is the first commitment, and every verifying share is its row of the sharing matrix times the commitments.
 * @throws KeepsetError where the policy or the number of images alone rules it out
 * @spec RFC 9591 Appendix C.2 derive_group_info, for any policy
 */
const isConsistentGroup = (curve: CurvePort, group: GroupKey): boolean => {
  const { commitments, verifyingShares, publicKey } = group;
  const sharing = sharingOfKey(curve, group);
  const [constant] = commitments;
  if (constant === undefined || !bytesEqual(constant, publicKey)) return false;
  if (group.keyId !== keyIdOf(group.scheme, publicKey)) return false;
  const points = commitments.map((bytes) => curve.decodePoint(bytes)).filter((point) => point !== undefined);
  if (points.length !== commitments.length) return false;
  const images = allImagesVarTime(curve, sharing, points);
  if (images.some((image) => curve.isIdentity(image))) return false;
  // Compared as bytes: decoding a point costs more than computing it.
  return curve
    .encodePoints(images)
    .every((image, i) => bytesEqual(image, verifyingShares[i] ?? new Uint8Array()));
};

/**
 * @throws KeepsetError `input/invalid-argument` for public data of another scheme or that do not fit one another,
 * `policy/syntax`, `policy/unsupported`
 */
export const checkGroup = <S>(suite: LifeSuite<S>, group: GroupKey): void => {
  if (group.scheme !== suite.scheme)
    throw new KeepsetError('input/invalid-argument', `This is a ${group.scheme} key.`);
  if (!isConsistentGroup(suite.curve, group))
    throw new KeepsetError('input/invalid-argument', 'The public data of this key do not fit one another.');
};

/** Whether these sub-shares are the scalars behind the party's verifying shares. */
export const isSecretOf = (
  curve: CurvePort,
  group: GroupKey,
  party: PartyId,
  subShares: readonly bigint[],
): boolean => {
  const places = placesOf(sharingOf(curve, group.policy), party);
  return places.every((place, i) => {
    const image = curve.decodePoint(group.verifyingShares[place] ?? new Uint8Array());
    const scalar = subShares[i];
    return (
      image !== undefined && scalar !== undefined && curve.equals(image, curve.multiplyGenerator(scalar))
    );
  });
};

/** Whether a share and its public data fit one another. May throw for public data or a secret of the wrong form. */
export const isConsistentShare = <S>(suite: LifeSuite<S>, share: KeyShare): boolean =>
  share.group.scheme === suite.scheme &&
  share.group.parties.includes(share.party) &&
  isConsistentGroup(suite.curve, share.group) &&
  isSecretOf(suite.curve, share.group, share.party, suite.openSecret(share).shares);

/**
 * Opens a share whose public data were checked before, and checks that it is the holder's.
 * @throws KeepsetError `place/damaged`
 */
export const openChecked = <S>(suite: LifeSuite<S>, share: KeyShare): OpenSecret<S> => {
  const secret = suite.openSecret(share);
  if (!isSecretOf(suite.curve, share.group, share.party, secret.shares))
    throw new KeepsetError('place/damaged', `The secret of ${share.party}'s share is damaged.`);
  return secret;
};

/**
 * Child keys as keys of their own: public data and shares of the key at a BIP 32 path below a group key. The tweak of
 * a path is public to everyone who knows the chain code; adding it to every sub-share adds it to the key, because every
 * row of the sharing matrix has a 1 for the secret, so that the coefficients of any quorum sum up to 1.
 * @spec BIP 32 CKDpub; SLIP-0010 for P-256
 */
import { KeepsetError } from '@keepset/bytes';
import { curveOf } from '../curve/noble.ts';
import type { CurvePort, GroupPoint } from '../curve/port.ts';
import { deriveChild } from '../derive.ts';
import { keyIdOf, type GroupKey, type KeyShare, type Scheme } from '../key.ts';
import type { LifeSuite } from './suite.ts';

/**
 * The curve along which a scheme derives.
 * @throws KeepsetError `input/unsupported` for ed25519 and ecdh-p256
 */
export const curveForDerivation = (scheme: Scheme): CurvePort => {
  if (scheme === 'ed25519')
    throw new KeepsetError('input/unsupported', 'An ed25519 key has no derived children.', {
      hint: 'SLIP-0010 derives ed25519 keys from the private key only, and no party knows it. Make another key.',
    });
  if (scheme === 'ecdh-p256')
    throw new KeepsetError('input/unsupported', 'A key that opens files has no derived children.', {
      hint: 'A file names its recipient by a tag, not by a path. Make another key.',
    });
  return curveOf(scheme);
};

/**
 * The public data of the key at `path` below `group`, under its own key id; the empty path gives the group itself.
 * @param path indices below 2^31.
 * @throws KeepsetError `input/unsupported` for ed25519 and ecdh-p256, `input/invalid-argument` for hardened or impossible indices
 */
export const deriveGroup = (group: GroupKey, path: readonly number[]): GroupKey => derive(group, path).group;

/**
 * The share of the key at `path`, of the same epoch: it signs together with the other parties' shares of that path.
 * @throws KeepsetError as {@link deriveGroup}; `place/damaged`
 */
export const deriveShareOf = <S>(suite: LifeSuite<S>, share: KeyShare, path: readonly number[]): KeyShare => {
  const { group, tweak } = derive(share.group, path);
  const secret = suite.openSecret(share);
  const shares = secret.shares.map((scalar) => suite.curve.reduce(scalar + tweak));
  return { group, party: share.party, secret: suite.sealSecret({ ...secret, shares }) };
};

const derive = (
  group: GroupKey,
  path: readonly number[],
): { readonly group: GroupKey; readonly tweak: bigint } => {
  const curve = curveForDerivation(group.scheme);
  const { publicKey, chainCode, tweak } = deriveChild(curve, group, path);
  const offset = curve.multiplyVarTime(curve.generator, tweak);
  const verifyingShares = curve.encodePoints(
    group.verifyingShares.map((image) => curve.add(decode(curve, image), offset)),
  );
  const keyId = keyIdOf(group.scheme, publicKey);
  const commitments = [publicKey, ...group.commitments.slice(1)];
  return { group: { ...group, keyId, publicKey, chainCode, commitments, verifyingShares }, tweak };
};

const decode = (curve: CurvePort, bytes: Uint8Array): GroupPoint => {
  const point = curve.decodePoint(bytes);
  if (point === undefined) throw new KeepsetError('place/damaged', 'A verifying share is damaged.');
  return point;
};

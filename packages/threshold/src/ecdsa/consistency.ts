import { bytesEqual } from '@keepset/bytes';
import { evaluateCommitmentsVarTime } from '../curve/polynomial.ts';
import type { GroupPoint } from '../curve/port.ts';
import { keyIdOf, type KeyShare } from '../key.ts';
import { maxParties } from './parameters.ts';
import { decodeSecret } from './secret.ts';
import type { EcdsaSuite } from './suites.ts';

/**
 * Whether a share read from somewhere is whole: the key id is that of the public key, the public key is the constant
 * commitment, every verifying share is the committed polynomial's image, the secret is the scalar behind the holder's
 * own, and there is a state for every other party. May throw for a secret of the wrong form. The pairwise states
 * cannot be checked alone: only signing with the peer shows whether they fit.
 */
export const isConsistentEcdsaShare = (suite: EcdsaSuite, share: KeyShare): boolean => {
  const { curve } = suite;
  const { group, party } = share;
  const { parties, threshold, publicKey } = group;
  const me = parties.indexOf(party);
  if (group.scheme !== suite.scheme || me < 0 || parties.length > maxParties) return false;
  if (new Set(parties).size !== parties.length || group.verifyingShares.length !== parties.length)
    return false;
  if (threshold < 2 || threshold > parties.length || group.commitments.length !== threshold) return false;
  if (group.keyId !== keyIdOf(group.scheme, publicKey)) return false;
  const decode = (points: readonly Uint8Array[]): GroupPoint[] =>
    points.map((bytes) => curve.decodePoint(bytes)).filter((point) => point !== undefined);
  const commitments = decode(group.commitments);
  const images = decode(group.verifyingShares);
  const [constant] = group.commitments;
  const own = images[me];
  if (commitments.length !== threshold || images.length !== parties.length) return false;
  if (constant === undefined || own === undefined || !bytesEqual(constant, publicKey)) return false;
  const fits = (image: GroupPoint, i: number): boolean =>
    curve.equals(image, evaluateCommitmentsVarTime(curve, commitments, i + 1));
  return images.every(fits) && curve.equals(own, curve.multiplyGenerator(decodeSecret(curve, share).share));
};

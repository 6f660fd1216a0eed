import { bytesEqual } from '@keepset/bytes';
import { keyIdOf, type KeyShare } from '../key.ts';
import type { FrostSuite } from './suites.ts';

/**
 * Whether a share read from somewhere is whole: the key id is that of the public key, the public key is the constant
 * commitment, every verifying share is the committed polynomial's image, and the secret is the scalar behind the
 * holder's own. May throw for bytes that are no points or scalars.
 * @spec RFC 9591 Appendix C.2 vss_verify, derive_group_info
 */
export const isConsistentFrostShare = (suite: FrostSuite, share: KeyShare): boolean => {
  const { group, party, secret } = share;
  const { parties, threshold, commitments, verifyingShares, publicKey } = group;
  const me = parties.indexOf(party);
  if (group.scheme !== suite.scheme || me < 0) return false;
  if (new Set(parties).size !== parties.length || verifyingShares.length !== parties.length) return false;
  if (threshold < 2 || threshold > parties.length || commitments.length !== threshold) return false;
  const [constant] = commitments;
  if (constant === undefined || !bytesEqual(constant, publicKey)) return false;
  if (![...commitments, ...verifyingShares].every((point) => suite.isPoint(point))) return false;
  if (group.keyId !== keyIdOf(group.scheme, publicKey)) return false;
  return (
    verifyingShares.every((image, i) => bytesEqual(image, suite.imageAtVarTime(commitments, i + 1))) &&
    bytesEqual(suite.imageOf(secret.reveal()), verifyingShares[me] ?? constant)
  );
};

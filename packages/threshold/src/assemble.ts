/**
 * The one place in which a key is put together. Nothing that signs, refreshes, repairs or reshares comes here: it is
 * for leaving Keepset for good when there is no other way.
 */
import { KeepsetError, Secret, bytesEqual } from '@keepset/bytes';
import { encodeGroup } from './codec.ts';
import { ecdhP256Suite } from './ecdh/suite.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from './ecdsa/suites.ts';
import { ed25519Suite, schnorrSuite } from './frost/suites.ts';
import type { KeyShare, Scheme } from './key.ts';
import { ecdsaLife } from './life/ecdsa.ts';
import { frostLife } from './life/frost.ts';
import { checkGroup, openChecked } from './life/group.ts';
import type { LifeSuite } from './life/suite.ts';
import { additiveShare, checkQuorum } from './sharing.ts';

/**
 * Puts a key together from shares of one epoch, and checks it against the public key.
 * @param shares one of each party that takes part, together a quorum.
 * @returns the private scalar, 32 bytes in the curve's own byte order. For Ed25519 it is the scalar itself, of which no
 * seed in the sense of RFC 8032 exists.
 * @throws KeepsetError `input/invalid-argument` (shares of different keys, epochs or policies), `policy/unsatisfied`,
 * `place/damaged` (a share that is not its party's).
 */
export const assembleKey = (shares: readonly KeyShare[]): Secret => {
  const [first] = shares;
  if (first === undefined) throw new KeepsetError('policy/unsatisfied', 'There is no share.');
  return assemble(suites[first.group.scheme], first, shares);
};

const suites: Readonly<Record<Scheme, LifeSuite<unknown>>> = {
  ed25519: frostLife(ed25519Suite),
  'schnorr-secp256k1': frostLife(schnorrSuite),
  'ecdsa-secp256k1': ecdsaLife(ecdsaSecp256k1Suite),
  'ecdsa-p256': ecdsaLife(ecdsaP256Suite),
  'ecdh-p256': frostLife(ecdhP256Suite),
};

const assemble = <S>(suite: LifeSuite<S>, { group }: KeyShare, shares: readonly KeyShare[]): Secret => {
  const { curve } = suite;
  checkGroup(suite, group);
  const publicHalf = encodeGroup(group);
  if (shares.some((share) => !bytesEqual(encodeGroup(share.group), publicHalf)))
    throw new KeepsetError(
      'input/invalid-argument',
      'These shares are of different keys, epochs or policies.',
    );
  const quorum = group.parties.filter((party) => shares.some((share) => share.party === party));
  if (quorum.length !== shares.length)
    throw new KeepsetError('input/invalid-argument', 'A party may come with one share only.');
  checkQuorum(group, quorum);
  const secret = shares.reduce((sum, share) => {
    const { shares: own } = openChecked(suite, share);
    return curve.reduce(sum + additiveShare(curve, group, quorum, share.party, own));
  }, 0n);
  if (!bytesEqual(curve.encodePoint(curve.multiplyGenerator(secret)), group.publicKey))
    throw new KeepsetError('bug/invariant', 'The shares fit the key, and their sum does not.');
  return new Secret(curve.encodeScalar(secret));
};

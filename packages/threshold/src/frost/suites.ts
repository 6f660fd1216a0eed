import { ed25519, ed25519_FROST } from '@noble/curves/ed25519.js';
import { schnorr, schnorr_FROST, secp256k1, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { bytesToNumberBE, bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import type { FROST, FrostPublic, FrostSecret } from '@noble/curves/abstract/frost.js';
import { KeepsetError, concatBytes, utf8ToBytes } from '@keepset/bytes';
import type { TaprootTweak } from '../ceremony.ts';
import { ed25519Curve, secp256k1Curve } from '../curve/noble.ts';
import type { CurvePort } from '../curve/port.ts';

/** What key generation needs of a scheme whose secrets are sub-shares and nothing else. */
export interface ScalarSuite {
  readonly scheme: 'ed25519' | 'schnorr-secp256k1' | 'ecdh-p256';
  readonly curve: CurvePort;
  /** HDKG: the challenge of a proof of possession. */
  readonly hashToChallenge: (message: Uint8Array) => bigint;
}

/** What differs between the two Schnorr schemes. */
export interface FrostSuite extends ScalarSuite {
  readonly scheme: 'ed25519' | 'schnorr-secp256k1';
  /** Signing. */
  readonly signing: FROST;
  readonly pointBytes: number;
  /** The FROST packages under which to sign: the group's own, or those of the Taproot output key. */
  readonly tweak: (pub: FrostPublic, secret: FrostSecret, taproot: TaprootTweak | undefined) => Tweaked;
  /** Whether the bytes are a canonical point of the prime-order group other than the identity. */
  readonly isPoint: (bytes: Uint8Array) => boolean;
  /** Plain single-key verification, so that no signature leaves unchecked. */
  readonly verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;
}

interface Tweaked {
  readonly pub: FrostPublic;
  readonly secret: FrostSecret;
}

const noTaproot = (taproot: TaprootTweak | undefined): void => {
  if (taproot !== undefined)
    throw new KeepsetError('input/invalid-argument', 'ed25519 has no Taproot tweak.');
};

interface CheckablePoint {
  assertValidity(): void;
  is0(): boolean;
  isTorsionFree(): boolean;
}

const isGroupPoint = (parse: () => CheckablePoint): boolean => {
  try {
    const point = parse();
    point.assertValidity();
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
};

/** @spec RFC 9591 §6.1 FROST(Ed25519, SHA-512); signatures are plain RFC 8032. */
export const ed25519Suite: FrostSuite = {
  scheme: 'ed25519',
  curve: ed25519Curve,
  hashToChallenge: (message) =>
    ed25519Curve.reduce(
      bytesToNumberLE(sha512(concatBytes(utf8ToBytes('FROST-ED25519-SHA512-v1dkg'), message))),
    ),
  signing: ed25519_FROST,
  pointBytes: 32,
  tweak: (pub, secret, taproot) => {
    noTaproot(taproot);
    return { pub, secret };
  },
  isPoint: (bytes) => isGroupPoint(() => ed25519.Point.fromBytes(bytes)),
  // Cofactorless and strict encodings (RFC 8032), the rule OpenSSL and OpenSSH verify by.
  verify: (signature, message, publicKey) => ed25519.verify(signature, message, publicKey, { zip215: false }),
};

const Point = secp256k1.Point;
const Fn = Point.Fn;
const isEven = (point: InstanceType<typeof Point>): boolean => point.toAffine().y % 2n === 0n;

/** BIP 341's tweak `t` for the x-only internal key. */
const tapTweak = (internalX: Uint8Array, merkleRoot: Uint8Array): bigint => {
  const t = bytesToNumberBE(schnorr.utils.taggedHash('TapTweak', concatBytes(internalX, merkleRoot)));
  // Happens with probability 2^-128; BIP 341 says to fail.
  if (!Fn.isValid(t) || t === 0n)
    throw new KeepsetError('input/invalid-argument', 'Taproot tweak out of range.');
  return t;
};

/**
 * Moves the key packages to the even-Y representative of the group key and adds the Taproot tweak to it.
 * Every party adds the whole tweak: the interpolation coefficients of any quorum sum to 1.
 * @spec BIP 341 taproot_tweak_pubkey, taproot_tweak_seckey
 */
const tweakTaproot = (pub: FrostPublic, secret: FrostSecret, taproot: TaprootTweak | undefined): Tweaked => {
  // Without a tweak the signing suite normalises parity itself.
  if (taproot === undefined) return { pub, secret };
  const internal = Point.fromBytes(groupPoint(pub));
  const negate = !isEven(internal);
  const t = tapTweak(internal.toBytes().subarray(1), taproot.merkleRoot);
  const T = Point.BASE.multiply(t);
  const even = (bytes: Uint8Array): InstanceType<typeof Point> =>
    negate ? Point.fromBytes(bytes).negate() : Point.fromBytes(bytes);
  const share = Fn.fromBytes(secret.signingShare);
  return {
    pub: {
      signers: pub.signers,
      commitments: pub.commitments.map((c, i) =>
        Uint8Array.from((i === 0 ? even(c).add(T) : even(c)).toBytes()),
      ),
      verifyingShares: Object.fromEntries(
        Object.entries(pub.verifyingShares).map(([id, v]) => [id, even(v).add(T).toBytes()]),
      ),
    },
    secret: {
      identifier: secret.identifier,
      signingShare: Uint8Array.from(Fn.toBytes(Fn.add(negate ? Fn.neg(share) : share, t))),
    },
  };
};

/** The group public key of a FROST package: the commitment to the constant coefficient. */
export const groupPoint = (pub: FrostPublic): Uint8Array => {
  const first = pub.commitments[0];
  if (first === undefined) throw new KeepsetError('bug/invariant', 'FROST package without commitments.');
  return first;
};

/**
 * @spec BIP 340 signatures by FROST(secp256k1, SHA-256).
 * @deviation The key is generated as for FROST(secp256k1, SHA-256), untweaked: the Taproot suite of the library adds
 * the empty Taproot tweak inside its DKG, which would leave no plain BIP 340 key and no internal key for script paths.
 * Here the tweak is applied when signing, and only when asked for.
 */
export const schnorrSuite: FrostSuite = {
  scheme: 'schnorr-secp256k1',
  curve: secp256k1Curve,
  hashToChallenge: (message) =>
    secp256k1_hasher.hashToScalar(message, { DST: 'FROST-secp256k1-SHA256-v1dkg' }),
  signing: schnorr_FROST,
  pointBytes: 33,
  tweak: tweakTaproot,
  isPoint: (bytes) => isGroupPoint(() => Point.fromBytes(bytes)),
  verify: (signature, message, publicKey) => schnorr.verify(signature, message, publicKey.subarray(1)),
};

/**
 * The Taproot output key for an internal key.
 * @param publicKey 33 bytes, compressed.
 * @returns 33 bytes, compressed; drop the first for the x-only form.
 * @spec BIP 341 taproot_tweak_pubkey
 */
export const taprootOutputKey = (publicKey: Uint8Array, taproot: TaprootTweak): Uint8Array => {
  const internal = Point.fromBytes(publicKey);
  const even = isEven(internal) ? internal : internal.negate();
  const t = tapTweak(internal.toBytes().subarray(1), taproot.merkleRoot);
  return even.add(Point.BASE.multiply(t)).toBytes();
};

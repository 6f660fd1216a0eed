/** ECDSA itself: digests, assembly of a signature from its fragments, verification. */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { KeepsetError, concatBytes } from '@keepset/bytes';
import type { Digest, SignRequest } from '../ceremony.ts';
import type { EcdsaCurve, GroupPoint, HashPort } from '../curve/port.ts';
import type { EcdsaSuite } from './suites.ts';

/** Length of a signature: r ‖ s ‖ recovery id. */
export const signatureBytes = 65;

/** A party's fragment of a signature: w_i and u_i. */
export interface Fragment {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const digestOf = (hash: HashPort, digest: Digest, message: Uint8Array): Uint8Array => {
  if (digest === 'keccak256') return keccak_256(message);
  if (digest === 'none') throw new KeepsetError('bug/invariant', 'ECDSA signs a message under a digest.');
  const once = hash.sha256(message);
  return digest === 'sha256d' ? hash.sha256(once) : once;
};

/** @throws KeepsetError `input/invalid-argument` for a digest the scheme does not sign under. */
export const checkDigest = (suite: Pick<EcdsaSuite, 'scheme' | 'digests'>, request: SignRequest): void => {
  if (!suite.digests.includes(request.digest))
    throw new KeepsetError(
      'input/invalid-argument',
      `${suite.scheme} does not sign under digest ${request.digest}.`,
      {
        hint: `Use one of ${suite.digests.join(', ')}.`,
      },
    );
};

/** The message as a scalar. @spec FIPS 186-5 §6.4.1 steps 1 and 2, for 256-bit digests and orders */
export const messageScalar = (
  { curve, hash }: Pick<EcdsaSuite, 'curve' | 'hash'>,
  request: SignRequest,
): bigint => {
  const digest = digestOf(hash, request.digest, request.message);
  return curve.reduce(curve.readInteger(new DataView(digest.buffer, digest.byteOffset, 32), 0));
};

/** What a signature says of its nonce point. */
export interface NonceFacts {
  /** x-coordinate modulo the order. */
  readonly r: bigint;
  /** Which of the points with this r it is: bit 0 is the parity of y, bit 1 tells that x ≥ q. */
  readonly id: number;
}

/** @spec FIPS 186-5 §6.4.1 step 6; SEC 1 §4.1.6 */
export const nonceFacts = (curve: EcdsaCurve, nonce: GroupPoint): NonceFacts => {
  const { x, yIsOdd } = curve.affine(nonce);
  return { r: curve.reduce(x), id: (yIsOdd ? 1 : 0) | (x >= curve.order ? 2 : 0) };
};

/**
 * Puts the fragments together and verifies the signature before anyone sees it.
 * @param nonce of the point R. @returns r ‖ s ‖ recovery id with s ≤ q/2, or undefined if it is not valid.
 * @spec eprint 2023/765 Protocol 3.6 step 10; BIP 146 (low s)
 */
export const assembleSignature = (
  suite: Pick<EcdsaSuite, 'curve' | 'hash'>,
  publicKey: GroupPoint,
  nonce: NonceFacts,
  message: bigint,
  fragments: readonly Fragment[],
): Uint8Array | undefined => {
  const { curve } = suite;
  const numerator = curve.reduce(fragments.reduce((sum, fragment) => sum + fragment.numerator, 0n));
  const denominator = curve.reduce(fragments.reduce((sum, fragment) => sum + fragment.denominator, 0n));
  if (denominator === 0n) return undefined;
  const full = curve.reduce(numerator * curve.invert(denominator));
  const isHigh = full > curve.order >> 1n;
  const s = isHigh ? curve.order - full : full;
  const id = nonce.id ^ (isHigh ? 1 : 0);
  if (!isValid(curve, publicKey, message, nonce.r, s, id)) return undefined;
  return concatBytes(curve.encodeScalar(nonce.r), curve.encodeScalar(s), Uint8Array.of(id));
};

/** @spec FIPS 186-5 §6.4.2, with low s and the recovery id checked too */
const isValid = (
  curve: EcdsaCurve,
  publicKey: GroupPoint,
  message: bigint,
  r: bigint,
  s: bigint,
  id: number,
): boolean => {
  if (r <= 0n || r >= curve.order || s <= 0n || s > curve.order >> 1n) return false;
  const inverse = curve.invert(s);
  const a = curve.reduce(message * inverse);
  const b = curve.reduce(r * inverse);
  const point = curve.multiplyAddVarTime(a, publicKey, b);
  if (curve.isIdentity(point)) return false;
  const facts = nonceFacts(curve, point);
  return facts.r === r && facts.id === id;
};

/** Whether `signature` (65 bytes) is valid, low-s and names the right recovery id. False for anything malformed. */
export const verifyEcdsa = (
  suite: EcdsaSuite,
  publicKey: Uint8Array,
  request: SignRequest,
  signature: Uint8Array,
): boolean => {
  const { curve } = suite;
  const point = curve.decodePoint(publicKey);
  const r = curve.decodeScalar(signature.subarray(0, 32));
  const s = curve.decodeScalar(signature.subarray(32, 64));
  if (signature.length !== signatureBytes || !suite.digests.includes(request.digest)) return false;
  if (point === undefined || r === undefined || s === undefined) return false;
  return isValid(curve, point, messageScalar(suite, request), r, s, signature[64] ?? -1);
};

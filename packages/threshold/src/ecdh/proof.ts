/**
 * A proof that two points have the same discrete logarithm, to the generator and to a given point: what makes a partial
 * decryption checkable against the public image of the share it was made with.
 *
 *     nonce      k from the secret, fresh randomness and everything the challenge binds
 *     challenge  e = H(statement, P, E, A, k·G, k·E)
 *     response   z = k + e·a
 *
 * @spec Chaum–Pedersen 1992 §3.2, made non-interactive by Fiat–Shamir with the whole statement hashed
 */
import { concatBytes, hashValue, type CborValue } from '@keepset/bytes';
import type { Rng } from '../ceremony.ts';
import type { EcdsaCurve, GroupPoint } from '../curve/port.ts';

/** log_G(image) = log_base(power), said by one party in one run. */
export interface Statement {
  /** Hash of the run's public context, 32 bytes. */
  readonly context: Uint8Array;
  /** Who proves. */
  readonly party: string;
  readonly image: GroupPoint;
  readonly base: GroupPoint;
  readonly power: GroupPoint;
}

/** Challenge and response, 32 bytes each. */
export interface EqualityProof {
  readonly challenge: Uint8Array;
  readonly response: Uint8Array;
}

/** Proves the statement. @param secret the logarithm, not zero. */
export const proveEquality = (
  curve: EcdsaCurve,
  statement: Statement,
  secret: bigint,
  rng: Rng,
): EqualityProof => {
  const fields = statementFields(curve, statement);
  const secretBytes = curve.encodeScalar(secret);
  const random = rng(32);
  // Were the generator to fail, or to be rolled back with a snapshot, another statement still gets another nonce.
  const nonce = scalarFrom(curve, 'keepset/ecdh/proof-nonce/v1', { ...fields, secret: secretBytes, random });
  secretBytes.fill(0);
  random.fill(0);
  const [first, second] = [curve.multiplyGenerator(nonce), curve.multiply(statement.base, nonce)];
  const challenge = challengeOf(curve, fields, first, second);
  return {
    challenge: curve.encodeScalar(challenge),
    response: curve.encodeScalar(curve.reduce(nonce + challenge * secret)),
  };
};

/** Whether the proof holds; false for scalars out of range. */
export const verifyEqualityVarTime = (
  curve: EcdsaCurve,
  statement: Statement,
  proof: EqualityProof,
): boolean => {
  const challenge = curve.decodeScalar(proof.challenge);
  const response = curve.decodeScalar(proof.response);
  if (challenge === undefined || response === undefined) return false;
  const minus = curve.reduce(-challenge);
  const { image, base, power } = statement;
  const first = curve.multiplyAddVarTime(response, image, minus);
  const second = curve.add(curve.multiplyVarTime(base, response), curve.multiplyVarTime(power, minus));
  // An honest prover meets the identity with probability 2^-256.
  if (curve.isIdentity(first) || curve.isIdentity(second)) return false;
  return challenge === challengeOf(curve, statementFields(curve, statement), first, second);
};

type Fields = { readonly [key: string]: CborValue };

const statementFields = (curve: EcdsaCurve, { context, party, image, base, power }: Statement): Fields => {
  const [imageBytes, baseBytes, powerBytes] = curve.encodePoints([image, base, power]);
  return {
    context,
    party,
    image: imageBytes as Uint8Array,
    base: baseBytes as Uint8Array,
    power: powerBytes as Uint8Array,
  };
};

const challengeOf = (curve: EcdsaCurve, fields: Fields, first: GroupPoint, second: GroupPoint): bigint =>
  scalarFrom(curve, 'keepset/ecdh/challenge/v1', {
    ...fields,
    first: curve.encodePoint(first),
    second: curve.encodePoint(second),
  });

/** 48 hashed bytes, reduced: the order of P-256 is too far from 2^256 for 32 bytes to make an even nonce. */
const scalarFrom = (curve: EcdsaCurve, label: string, fields: Fields): bigint => {
  const blocks = [0, 1].map((block) => hashValue(label, { ...fields, block }));
  const bytes = concatBytes(...blocks).subarray(0, curve.wideBytes);
  const scalar = curve.readUniformScalar(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
  for (const block of [...blocks, bytes]) block.fill(0);
  return scalar;
};

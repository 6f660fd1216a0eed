/**
 * What one dealer of a key generation makes: random coefficients, one for each column of the sharing matrix,
 * their images, and a proof that it knows the coefficient that goes into the key. Without the proof a dealer could
 * choose its image after the others' so that the key is its own.
 * @spec eprint 2020/852 (FROST) Figure 1, round 1, for any policy
 * @deviation The challenge is HDKG of the ciphersuites in the FROST authors' library, without the paper's context
 * string: the header of every message and the transcript bind the run to its context.
 */
import { concatBytes } from '@keepset/bytes';
import type { GroupPoint, RandomBytes } from '../curve/port.ts';
import type { ScalarSuite } from './suites.ts';

type DealingSuite = Pick<ScalarSuite, 'curve' | 'hashToChallenge'>;

/** What a dealer made. */
export interface Dealing {
  /** Secret. Column 0 first. */
  readonly coefficients: bigint[];
  /** Their images, encoded. */
  readonly commitments: Uint8Array[];
  /** R ‖ z */
  readonly proof: Uint8Array;
}

/** @param identifier the dealer's position in the key, from 1 */
export const deal = (suite: DealingSuite, columns: number, identifier: number, rng: RandomBytes): Dealing => {
  const { curve } = suite;
  const coefficients = Array.from({ length: columns }, () => curve.randomScalar(rng));
  const nonce = curve.randomScalar(rng);
  const [commitment = new Uint8Array(), ...commitments] = curve.encodePoints(
    [nonce, ...coefficients].map((scalar) => curve.multiplyGenerator(scalar)),
  );
  const challenge = challengeOf(suite, identifier, commitments[0], commitment);
  const response = curve.reduce(nonce + challenge * (coefficients[0] ?? 0n));
  return { coefficients, commitments, proof: concatBytes(commitment, curve.encodeScalar(response)) };
};

/** What the dealer kept goes as soon as it is no longer needed. */
export const forgetDealing = ({ coefficients }: Dealing): void => {
  coefficients.fill(0n);
};

/**
 * The images of a dealer's coefficients, or undefined unless they are points and the proof of possession holds.
 * @param identifier the dealer's position in the key, from 1
 */
export const provenImages = (
  suite: DealingSuite,
  identifier: number,
  { commitments, proof }: Pick<Dealing, 'commitments' | 'proof'>,
): readonly GroupPoint[] | undefined => {
  const { curve } = suite;
  const images = commitments.flatMap((bytes) => curve.decodePoint(bytes) ?? []);
  const commitment = proof.subarray(0, curve.pointBytes);
  const nonce = curve.decodePoint(commitment);
  const response = curve.decodeScalar(proof.subarray(curve.pointBytes));
  const [key] = images;
  if (images.length !== commitments.length || key === undefined) return undefined;
  if (nonce === undefined || response === undefined) return undefined;
  const challenge = challengeOf(suite, identifier, commitments[0], commitment);
  const expected = curve.subtract(
    curve.multiplyVarTime(curve.generator, response),
    curve.multiplyVarTime(key, challenge),
  );
  return curve.equals(nonce, expected) ? images : undefined;
};

const challengeOf = (
  { curve, hashToChallenge }: DealingSuite,
  identifier: number,
  key: Uint8Array = new Uint8Array(),
  nonce: Uint8Array,
): bigint => hashToChallenge(concatBytes(curve.encodeScalar(BigInt(identifier)), key, nonce));

/**
 * An opening that opens nothing: an ephemeral point whose logarithm everyone can compute from a seed. The outcome can be
 * computed from the public key alone, so whoever helps gives nothing away, and it shows that the shares still work.
 */
import { p256 } from '@noble/curves/nist.js';
import { hashValue } from '@keepset/bytes';
import { p256Curve } from '../curve/noble.ts';

/** What to agree with, and what must come of it. */
export interface OpeningChallenge {
  /** 65 bytes, uncompressed. */
  readonly ephemeral: Uint8Array;
  /** x-coordinate of the point that a key of this public key agrees on, 32 bytes. Not secret. */
  sharedWith(publicKey: Uint8Array): Uint8Array;
}

/** @param seed any bytes; other seeds give other points. */
export const openingChallenge = (seed: Uint8Array): OpeningChallenge => {
  const blocks = [0, 1].map((block) => hashValue('keepset/ecdh/challenge-scalar/v1', { seed, block }));
  const wide = new Uint8Array(64);
  for (const [i, block] of blocks.entries()) wide.set(block, 32 * i);
  const scalar = p256Curve.readUniformScalar(new DataView(wide.buffer), 0);
  return {
    ephemeral: p256.Point.BASE.multiply(scalar).toBytes(false),
    sharedWith: (publicKey) => p256.Point.fromBytes(publicKey).multiply(scalar).toBytes(true).slice(1),
  };
};

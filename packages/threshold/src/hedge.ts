import { concatBytes, hashValue, utf8ToBytes } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Rng } from './ceremony.ts';

const label = utf8ToBytes('keepset/hedge/v1');

/**
 * A generator that stays unpredictable if `rng` does, or if `secret` is unknown and `context` new: with a generator that
 * fails or repeats itself, as in a machine restored from a snapshot, the draws of two runs still differ and still cannot
 * be guessed.
 * @param secret at least 32 bytes known to this party alone.
 * @param context 32 bytes that differ from run to run.
 */
export const hedgedRng = (rng: Rng, secret: Uint8Array, context: Uint8Array): Rng => {
  const key = hashValue('keepset/hedge/key/v1', { secret, context });
  let draws = 0;
  return (length) => {
    const seed = sha256(concatBytes(label, key, numbered(draws++), rng(32)));
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32)
      out.set(sha256(concatBytes(label, seed, numbered(at / 32))).subarray(0, length - at), at);
    seed.fill(0);
    return out;
  };
};

const numbered = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
};

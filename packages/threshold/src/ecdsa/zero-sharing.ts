/**
 * Shares of zero without a message: each pair has a seed from key generation; one of the two adds what the seed
 * and the session give, the other subtracts it.
 * @spec eprint 2023/765 Functionality 3.4 and the realisation before it
 * @deviation The index that the paper counts up is the session id, which hashes fresh randomness of every party,
 * so that no counter has to survive a restore.
 */
import { concatBytes, utf8ToBytes } from '@keepset/bytes';
import type { PartyId } from '../machine.ts';
import type { Kernel } from './rvole.ts';

const label = utf8ToBytes('keepset/ecdsa/zero-share/v1');

/**
 * @param order all parties in the order everyone agrees on; the earlier one of a pair subtracts.
 * @param seeds the seed shared with each other party that takes part in the session.
 */
export const zeroShare = (
  { curve, hash }: Kernel,
  session: Uint8Array,
  order: readonly PartyId[],
  me: PartyId,
  seeds: ReadonlyMap<PartyId, Uint8Array>,
): bigint => {
  let sum = 0n;
  for (const [peer, seed] of seeds) {
    const digests = [0, 1].map((i) => hash.sha256(concatBytes(label, seed, session, Uint8Array.of(i))));
    const bytes = concatBytes(...digests);
    const value = curve.readUniformScalar(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
    sum += order.indexOf(me) < order.indexOf(peer) ? -value : value;
  }
  return curve.reduce(sum);
};

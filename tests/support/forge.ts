/** Copies that somebody made who has no share. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { Secret } from '@keepset/bytes';
import { encodeShareFile, generateIdentity, openShareFile, recipientOf, signerOf } from '@keepset/wire';

/**
 * Another share of the same key, made of what anybody may know: the public data, and whom the copy is sealed to.
 * @param generation that it claims; by default that of the copy
 */
export const forge = async (file: Uint8Array, code: string, generation?: number): Promise<Uint8Array> => {
  const { share, ...known } = await openShareFile(file, [code]);
  const meta = generation === undefined ? known : { ...known, generation };
  const { group, party } = share;
  const { BASE, Fn } = ed25519.Point;
  const publicKey = ed25519.Point.fromBytes(group.publicKey);
  const secret = 123456789n;
  const at = Fn.inv(BigInt(group.parties.indexOf(party) + 1));
  const slope = BASE.multiply(secret).subtract(publicKey).multiply(at);
  const commitments = [group.publicKey, slope.toBytes()];
  const verifyingShares = group.parties.map((_, i) => publicKey.add(slope.multiply(BigInt(i + 1))).toBytes());
  const forged = {
    group: { ...group, commitments, verifyingShares },
    party,
    secret: new Secret(Uint8Array.from(Buffer.from(secret.toString(16).padStart(64, '0'), 'hex').reverse())),
  };
  return encodeShareFile(forged, meta, [await recipientOf(code)], signerOf(await generateIdentity()));
};

/** Vault files end to end without a network: sealed by the age library, opened by quorums and by a plain key. */
import { createECDH } from 'node:crypto';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { protocolFor, type KeyShare, type PartyId } from '@keepset/threshold';
import { p256 } from '@noble/curves/nist.js';
import { readVaultHeader, tagIdentity, tagRecipient, type Agree, type Identity } from '../src/index.ts';
import { makeKey } from './keys.ts';

const parties = ['server', 'phone', 'laptop', 'usb'];
const shares = makeKey('ecdh-p256', parties, 3);
const shareOf = (party: PartyId): KeyShare => shares[parties.indexOf(party)]!;
const { publicKey } = shareOf('phone').group;
const recipient = tagRecipient(publicKey);

/** A quorum as one identity would agree; the first of it is the opener. */
const quorumOf =
  (quorum: readonly PartyId[]): Agree =>
  (ephemeral) => {
    const opening = protocolFor('ecdh-p256').opening!;
    const opener = quorum[0]!;
    const session = crypto.getRandomValues(new Uint8Array(32));
    const run = (party: PartyId) =>
      opening.startOpen({ share: shareOf(party), session, quorum, opener, ephemeral });
    const waiting = run(opener);
    const messages = quorum.slice(1).flatMap((party) => run(party).outgoing);
    const done = waiting.status === 'running' ? waiting.advance(messages) : waiting;
    if (done.status !== 'done') throw new Error('the quorum did not finish');
    return Promise.resolve(Uint8Array.from(done.result.shared!.reveal()));
  };

/** The key that no party has: only here, to show that it would be an ordinary one. */
const assembled = (three: readonly PartyId[]): Agree => {
  const { Fn } = p256.Point;
  const places = three.map((party) => BigInt(parties.indexOf(party) + 1));
  const secret = three.reduce((sum, party, i) => {
    const others = places.filter((place) => place !== places[i]);
    const weight = others.reduce(
      (product, place) => Fn.mul(product, Fn.div(place, Fn.sub(place, places[i]!))),
      1n,
    );
    return Fn.add(sum, Fn.mul(weight, Fn.fromBytes(shareOf(party).secret.reveal())));
  }, 0n);
  const key = createECDH('prime256v1');
  key.setPrivateKey(Fn.toBytes(secret));
  expect(bytesEqual(Uint8Array.from(key.getPublicKey(null, 'compressed')), publicKey)).toBe(true);
  return (peer) => Promise.resolve(Uint8Array.from(key.computeSecret(peer)));
};

const seal = async (plain: Uint8Array, ...others: readonly string[]): Promise<Uint8Array> => {
  const encrypter = new Encrypter();
  for (const each of [...others, recipient]) encrypter.addRecipient(each);
  return encrypter.encrypt(plain);
};
const open = (file: Uint8Array, identity: Identity): Promise<Uint8Array> => {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter.decrypt(file);
};

const quorums = fc.subarray(parties, { minLength: 3 }).filter((quorum) => quorum.length >= 3);

describe('a file sealed by the age library to a key that a quorum holds', () => {
  it('opens for every quorum, and for the key as an ordinary one', async () => {
    const other = await identityToRecipient(await generateX25519Identity());
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        quorums,
        fc.boolean(),
        async (plain, quorum, more) => {
          const file = await seal(plain, ...(more ? [other] : []));
          expect(await readVaultHeader(file, publicKey)).toHaveLength(1);
          expect(await open(file, tagIdentity(publicKey, quorumOf(quorum)))).toEqual(plain);
          expect(await open(file, tagIdentity(publicKey, assembled(quorum.slice(-3))))).toEqual(plain);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('opens for no smaller set', async () => {
    const file = await seal(new Uint8Array(5));
    for (const set of [['server', 'phone'], ['usb']])
      await expect(open(file, tagIdentity(publicKey, quorumOf(set)))).rejects.toSatisfy(
        (error) => error instanceof KeepsetError && error.code === 'policy/unsatisfied',
      );
  });
});

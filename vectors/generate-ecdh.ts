/**
 * Test vectors for opening files by quorum (spec/vault-files.md says how to read them).
 *
 *     node vectors/generate-ecdh.ts        writes vectors/ecdh/*.json
 *
 * The files are frozen: packages/threshold/test/ecdh/vectors.test.ts makes them again and compares, and
 * vectors/check-ecdh.py computes them from the page alone.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Secret, decodeCbor } from '@keepset/bytes';
import { p256Curve as curve } from '../packages/threshold/src/curve/noble.ts';
import { openContext, startOpen, type OpenParams } from '../packages/threshold/src/ecdh/open.ts';
import { proveEquality, verifyEqualityVarTime } from '../packages/threshold/src/ecdh/proof.ts';
import { ecdhP256Suite } from '../packages/threshold/src/ecdh/suite.ts';
import { keyIdOf, type GroupKey, type KeyShare } from '../packages/threshold/src/key.ts';
import type { PartyId, ProtocolMessage, Rng } from '../packages/threshold/src/index.ts';
import { p256 } from '@noble/curves/nist.js';

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'utf8'));

/** The generator's randomness: block i is SHA-256(seed ‖ "/" ‖ i in decimal); each call starts a new block. */
const seeded = (seed: string): Rng => {
  let counter = 0;
  return (length) => {
    const blocks: Uint8Array[] = [];
    for (let have = 0; have < length; have += 32) blocks.push(sha256(text(`${seed}/${counter++}`)));
    return new Uint8Array(Buffer.concat(blocks)).slice(0, length);
  };
};

const found = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('An honest run failed.');
  return value;
};

/** Proofs alone. `random` is what the prover draws. */
const proofs = (): Json =>
  ['phone', 'server'].map((party) => {
    const random = seeded(`proof/${party}`);
    const secret = curve.randomScalar(random);
    const base = curve.multiplyGenerator(curve.randomScalar(random));
    const context = random(32);
    const statement = {
      context,
      party,
      image: curve.multiplyGenerator(secret),
      base,
      power: curve.multiply(base, secret),
    };
    const draw = random(32);
    const proof = proveEquality(curve, statement, secret, () => Uint8Array.from(draw));
    if (!verifyEqualityVarTime(curve, statement, proof)) throw new Error('An honest proof failed.');
    return {
      party,
      context: hex(context),
      secret: hex(curve.encodeScalar(secret)),
      image: hex(curve.encodePoint(statement.image)),
      base: hex(curve.encodePoint(base)),
      power: hex(curve.encodePoint(statement.power)),
      random: hex(draw),
      challenge: hex(proof.challenge),
      response: hex(proof.response),
    };
  });

interface Case {
  readonly name: string;
  readonly epoch: number;
  readonly threshold: number;
  readonly parties: readonly PartyId[];
  readonly quorum: readonly PartyId[];
  readonly opener: PartyId;
}

const cases: readonly Case[] = [
  {
    name: 'two of two',
    epoch: 0,
    threshold: 2,
    parties: ['server', 'phone'],
    quorum: ['server', 'phone'],
    opener: 'phone',
  },
  {
    name: 'three of five',
    epoch: 3,
    threshold: 3,
    parties: ['server', 'phone', 'laptop', 'usb', 'paper'],
    quorum: ['server', 'laptop', 'paper'],
    opener: 'laptop',
  },
];

const dealt = ({ name, epoch, threshold, parties }: Case): ReadonlyMap<PartyId, KeyShare> => {
  const random = seeded(`${name}/key`);
  const coefficients = Array.from({ length: threshold }, () => curve.randomScalar(random));
  const shares = parties.map((_, i) =>
    coefficients.reduceRight((sum, coefficient) => curve.reduce(sum * BigInt(i + 1) + coefficient), 0n),
  );
  const commitments = curve.encodePoints(coefficients.map((c) => curve.multiplyGenerator(c)));
  const publicKey = found(commitments[0]);
  const group: GroupKey = {
    scheme: 'ecdh-p256',
    keyId: keyIdOf('ecdh-p256', publicKey),
    epoch,
    policy: `thresh(${threshold},${parties.join(',')})`,
    parties,
    threshold,
    publicKey,
    commitments,
    verifyingShares: curve.encodePoints(shares.map((share) => curve.multiplyGenerator(share))),
    chainCode: random(32),
  };
  return new Map(
    parties.map((party, i) => [
      party,
      { group, party, secret: new Secret(curve.encodeScalar(found(shares[i]))) },
    ]),
  );
};

const openings = (): Json =>
  cases.map((each) => {
    const { name, quorum, opener } = each;
    const shares = dealt(each);
    const { group } = found(shares.get(opener));
    const ephemeralSecret = curve.encodeScalar(curve.randomScalar(seeded(`${name}/file`)));
    const ephemeral = p256.getPublicKey(ephemeralSecret, false);
    const session = seeded(`${name}/session`)(32);
    const paramsOf = (party: PartyId): OpenParams => ({
      share: found(shares.get(party)),
      session,
      quorum,
      opener,
      ephemeral,
      rng: seeded(`${name}/${party}`),
    });
    const messages: ProtocolMessage[] = [];
    for (const party of quorum)
      if (party !== opener) messages.push(...startOpen(ecdhP256Suite, paramsOf(party)).outgoing);
    const state = startOpen(ecdhP256Suite, paramsOf(opener));
    const end = state.status === 'running' ? state.advance(messages) : state;
    if (end.status !== 'done') throw new Error('An honest run failed.');
    return {
      name,
      group: {
        scheme: group.scheme,
        keyId: group.keyId,
        epoch: group.epoch,
        parties: group.parties,
        threshold: group.threshold,
        publicKey: hex(group.publicKey),
        commitments: group.commitments.map(hex),
        verifyingShares: group.verifyingShares.map(hex),
      },
      quorum,
      opener,
      session: hex(session),
      ephemeralSecret: hex(ephemeralSecret),
      ephemeral: hex(ephemeral),
      context: hex(openContext(group, paramsOf(opener))),
      shares: Object.fromEntries(quorum.map((party) => [party, hex(paramsOf(party).share.secret.reveal())])),
      messages: messages.map(({ from, body }) => ({
        from,
        random: hex(seeded(`${name}/${from}`)(32)),
        fields: Object.fromEntries(
          Object.entries(decodeCbor(body) as Record<string, unknown>).map(([field, value]) => [
            field,
            hex(value as Uint8Array),
          ]),
        ),
        body: hex(body),
      })),
      shared: hex(found(end.result.shared).reveal()),
    };
  });

/** File name → content. */
export const ecdhVectors = (): ReadonlyMap<string, Json> =>
  new Map([
    ['proof.json', proofs()],
    ['open.json', openings()],
  ]);

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, content] of ecdhVectors())
    writeFileSync(new URL(`ecdh/${name}`, import.meta.url), `${JSON.stringify(content, null, 2)}\n`);

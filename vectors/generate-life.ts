/**
 * Test vectors for the life of a key, from key generation on (spec/life-of-a-key.md says how to read them). P-256 has none:
 * it differs from the other ECDSA scheme by the curve alone, for which there are vectors in ecdsa/.
 *
 *     node vectors/generate-life.ts        writes vectors/life/*.json
 *
 * The files are frozen: packages/threshold/test/life/vectors.test.ts makes them again and compares.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeCbor } from '@keepset/bytes';
import {
  protocolFor,
  type GroupKey,
  type KeyShare,
  type PartyId,
  type ProtocolMessage,
  type Reshared,
  type Rng,
  type Scheme,
  type SignRequest,
} from '../packages/threshold/src/index.ts';
import { found, hex, seeded, sha256, show, showMessages, text, type Json } from './generate-ecdsa.ts';
import { runAll } from './run.ts';

const groupJson = (group: GroupKey): Json => ({
  keyId: group.keyId,
  epoch: group.epoch,
  policy: group.policy,
  parties: group.parties,
  threshold: group.threshold,
  publicKey: hex(group.publicKey),
  commitments: group.commitments.map(hex),
  verifyingShares: group.verifyingShares.map(hex),
  chainCode: hex(group.chainCode),
});

type Shares = ReadonlyMap<PartyId, KeyShare>;

const groupOf = (shares: Shares): GroupKey => found([...shares.values()][0]).group;
/** Schnorr: the scalar; ECDSA: the scalar apart from the whole secret. */
const shareJson = (shares: Shares): Json =>
  Object.fromEntries(
    [...shares].map(([party, { group, secret }]) => {
      const bytes = secret.reveal();
      if (!group.scheme.startsWith('ecdsa')) return [party, { share: hex(bytes) }];
      const { share } = decodeCbor(bytes) as { readonly share: Uint8Array };
      return [party, { share: hex(share), secret: show(bytes) }];
    }),
  );

/** The life of one key: made 2-of-3, refreshed, one share repaired, reshared to 3-of-3, and signatures in between. */
const lifeOf = (scheme: Scheme): Json => {
  const protocol = protocolFor(scheme);
  const run = (name: string, party: PartyId): { session: Uint8Array; rng: Rng } => ({
    session: sha256(text(`life/${name}`)),
    rng: seeded(`life/${name}/${party}`),
  });
  const record = (name: string, messages: readonly ProtocolMessage[]): { readonly [key: string]: Json } => ({
    session: hex(sha256(text(`life/${name}`))),
    seeds: `life/${name}/<party>`,
    context: hex(found(messages[0]).context),
    messages: showMessages(messages),
  });
  const signature = (name: string, shares: Shares, quorum: readonly PartyId[], path: readonly number[]): Json => {
    const [digest = 'none'] = protocol.digests;
    const message = text('a message to sign');
    const request: SignRequest = { message, digest, ...(path.length === 0 ? {} : { path }) };
    const { results, messages } = runAll(quorum, (me) =>
      protocol.startSign({ share: found(shares.get(me)), quorum, request, ...run(name, me) }),
    );
    const made = found(results.get(found(quorum[0])));
    return { ...record(name, messages), quorum, message: hex(message), digest, path, signature: hex(made) };
  };

  const parties = ['phone', 'server', 'usb'];
  const made = runAll(parties, (me) =>
    protocol.startKeygen({ scheme, policy: 'thresh(2,phone,server,usb)', parties, threshold: 2, me, ...run('keygen', me) }),
  );
  const first: Shares = made.results;

  const refreshed = runAll(parties, (me) =>
    protocol.startRefresh({ share: found(first.get(me)), ...run('refresh', me) }),
  );
  const second: Shares = refreshed.results;

  const helpers = ['phone', 'server'];
  const target = 'usb';
  const group = groupOf(second);
  const repaired = runAll(parties, (me) => {
    const share = me === target ? {} : { share: found(second.get(me)) };
    return protocol.startRepair({ group, helpers, target, me, ...share, ...run('repair', me) });
  });
  const third: Shares = repaired.results;

  const dealers = ['server', 'usb'];
  const next = {
    policy: 'and(server,laptop,phone)',
    parties: ['server', 'laptop', 'phone'],
    threshold: 3,
  };
  const everyone = ['server', 'usb', 'laptop', 'phone'];
  const reshared = runAll<Reshared>(everyone, (me) => {
    const share = dealers.includes(me) ? { share: found(third.get(me)) } : {};
    return protocol.startReshare({ group: groupOf(third), dealers, next, me, ...share, ...run('reshare', me) });
  });
  const fourth: Shares = new Map(
    [...reshared.results].flatMap(([party, { share }]) => (share === undefined ? [] : [[party, share] as const])),
  );

  const path = scheme === 'ed25519' ? [] : [44, 0];
  return {
    scheme,
    keygen: { ...record('keygen', made.messages), group: groupJson(groupOf(first)), secrets: shareJson(first) },
    sign: signature('sign', first, ['phone', 'usb'], []),
    refresh: {
      ...record('refresh', refreshed.messages),
      group: groupJson(group),
      secrets: shareJson(second),
    },
    repair: { ...record('repair', repaired.messages), helpers, target, secrets: shareJson(third) },
    reshare: {
      ...record('reshare', reshared.messages),
      dealers,
      group: groupJson(groupOf(fourth)),
      secrets: shareJson(fourth),
    },
    signAfter: signature('sign-after', fourth, ['server', 'laptop', 'phone'], path),
  };
};

const schemes = ['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1'] as const;

/** All vector files by name. */
export const lifeVectors = (): Map<string, Json> =>
  new Map(schemes.map((scheme) => [`${scheme}.json`, lifeOf(scheme)]));

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, value] of lifeVectors())
    writeFileSync(new URL(`life/${name}`, import.meta.url), `${JSON.stringify(value, undefined, 2)}\n`);

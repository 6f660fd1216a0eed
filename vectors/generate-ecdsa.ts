/**
 * Test vectors for every step of the ECDSA protocols (spec/ecdsa.md says how to read them).
 *
 *     node vectors/generate-ecdsa.ts        writes vectors/ecdsa/*.json
 *
 * The files are frozen: packages/threshold/test/ecdsa/vectors.test.ts makes them again and compares.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeCbor, type CborValue } from '@keepset/bytes';
import type {
  KeyShare,
  PartyId,
  ProtocolMessage,
  Rng,
  SignRequest,
} from '../packages/threshold/src/index.ts';
import { encodeScalars } from '../packages/threshold/src/curve/scalars.ts';
import { bytesOfWords, wordsOf } from '../packages/threshold/src/ecdsa/bits.ts';
import { startEcdsaKeygen } from '../packages/threshold/src/ecdsa/keygen.ts';
import { answerBaseOts, finishBaseOts, requestBaseOts } from '../packages/threshold/src/ecdsa/ot-base.ts';
import { extendAsReceiver, extendAsSender, hashRows } from '../packages/threshold/src/ecdsa/ot-extension.ts';
import { startEcdsaPresign, startEcdsaSignPresigned } from '../packages/threshold/src/ecdsa/presign.ts';
import { buildTrees, evaluateTrees } from '../packages/threshold/src/ecdsa/puncture.ts';
import {
  factorOf,
  gadgetVector,
  multiplyAsAlice,
  multiplyAsBob,
  readProduct,
} from '../packages/threshold/src/ecdsa/rvole.ts';
import { decodeSecret } from '../packages/threshold/src/ecdsa/secret.ts';
import { startEcdsaSign } from '../packages/threshold/src/ecdsa/sign.ts';
import {
  ecdsaP256Suite,
  ecdsaSecp256k1Suite,
  type EcdsaSuite,
} from '../packages/threshold/src/ecdsa/suites.ts';
import { zeroShare } from '../packages/threshold/src/ecdsa/zero-sharing.ts';
import { runAll } from './run.ts';

export type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

const suites = [ecdsaSecp256k1Suite, ecdsaP256Suite] as const;

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'utf8'));
const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Bytes in full up to 128, else their length and hash. */
export const show = (bytes: Uint8Array): Json =>
  bytes.length <= 128 ? hex(bytes) : { length: bytes.length, sha256: hex(sha256(bytes)) };
const showAll = (fields: object): Json =>
  Object.fromEntries(
    Object.entries(fields as Record<string, Uint8Array>).map(([name, value]) => [name, show(value)]),
  );

/** The generator's randomness: block i is SHA-256(seed ‖ "/" ‖ i in decimal); each call starts a new block. */
export const seeded = (seed: string): Rng => {
  let counter = 0;
  return (length) => {
    const blocks: Uint8Array[] = [];
    for (let have = 0; have < length; have += 32) blocks.push(sha256(text(`${seed}/${counter++}`)));
    return concat(...blocks).slice(0, length);
  };
};

export const found = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('An honest run failed.');
  return value;
};

const gadget = (): Json =>
  suites.map((suite) => {
    const scalars = gadgetVector(suite).map((scalar) => suite.curve.encodeScalar(scalar));
    return { scheme: suite.scheme, first: hex(found(scalars[0])), all: show(concat(...scalars)) };
  });

const baseOt = (): Json =>
  suites.map((suite) => {
    const random = seeded('base-ot');
    const setting = { ...suite, count: 4 };
    const tag = random(32);
    const keyTag = random(32);
    const choices = Uint8Array.of(0b0110);
    const request = requestBaseOts(setting, tag, choices, random);
    const answer = found(answerBaseOts(setting, tag, keyTag, request.message, random));
    return {
      scheme: suite.scheme,
      seed: 'base-ot',
      count: 4,
      tag: hex(tag),
      keyTag: hex(keyTag),
      choices: hex(choices),
      request: hex(request.message),
      answer: hex(answer.message),
      pairs: hex(answer.pairs),
      chosen: hex(found(finishBaseOts(setting, keyTag, request, answer.message))),
    };
  });

/** Base OTs as an ideal dealer would deal them. */
const dealt = (random: Rng): { pairs: Uint8Array; choices: Uint8Array; seeds: Uint8Array } => {
  const pairs = random(128 * 32);
  const choices = random(16);
  const seeds = Array.from({ length: 128 }, (_, i) => {
    const bit = (found(choices[i >> 3]) >> (i & 7)) & 1;
    return pairs.subarray(32 * i + 16 * bit, 32 * i + 16 * bit + 16);
  });
  return { pairs, choices, seeds: concat(...seeds) };
};

const { hash } = ecdsaSecp256k1Suite;

const treesAndExtension = (): { trees: Json; extension: Json } => {
  const random = seeded('trees');
  const tag = random(32);
  const { pairs, choices, seeds } = dealt(random);
  const built = buildTrees(hash, tag, pairs);
  const known = found(evaluateTrees(hash, tag, choices, seeds, built.message));
  const trees = {
    seed: 'trees',
    tag: hex(tag),
    pairs: show(pairs),
    choices: hex(choices),
    message: showAll(built.message),
    firstTree: { leaves: hex(built.leaves.subarray(0, 64)), known: hex(known.subarray(0, 48)) },
    leaves: show(built.leaves),
    known: show(known),
  };
  const next = seeded('extension');
  const nonce = next(32);
  const chosen = next(52);
  const padding = next(16);
  const delta = choices.map((byte) => ~byte);
  const received = extendAsReceiver(hash, { leaves: built.leaves }, nonce, chosen, padding);
  const rows = found(extendAsSender(hash, { delta, leaves: known }, nonce, 416, received.message));
  const batch = next(32);
  const blocks = (of: Int32Array, offset: Int32Array): Json => show(hashRows(hash, batch, of, offset, 3));
  const none = new Int32Array(4);
  const extension = {
    trees: 'trees.json',
    seed: 'extension',
    nonce: hex(nonce),
    choices: hex(chosen),
    padding: hex(padding),
    delta: hex(delta),
    message: showAll(received.message),
    receiverRows: show(bytesOfWords(received.rows)),
    senderRows: show(bytesOfWords(rows)),
    firstRows: {
      receiver: hex(bytesOfWords(received.rows.slice(0, 4))),
      sender: hex(bytesOfWords(rows.slice(0, 4))),
    },
    batch: hex(batch),
    hashed: {
      blocks: 3,
      receiver: blocks(received.rows, none),
      senderZeros: blocks(rows, none),
      senderOnes: blocks(rows, wordsOf(delta)),
    },
  };
  return { trees, extension };
};

const rvole = (): Json =>
  suites.map((suite) => {
    const { curve } = suite;
    const random = seeded('rvole');
    const batch = random(32);
    const choices = random(52);
    const delta = wordsOf(random(16));
    const rows = wordsOf(random(416 * 16));
    const ofBob = rows.map((word, i) => {
      const bit = (found(choices[i >> 5]) >> ((i >> 2) & 7)) & 1;
      return bit === 1 ? word ^ found(delta[i & 3]) : word;
    });
    const inputs = [curve.randomScalar(random), curve.randomScalar(random)] as const;
    const alice = multiplyAsAlice(suite, batch, rows, delta, inputs, random);
    const product = found(readProduct(suite, alice.message));
    const bob = found(multiplyAsBob(suite, batch, ofBob, choices, product));
    const scalars = (values: readonly bigint[]): Json =>
      values.map((value) => hex(curve.encodeScalar(value)));
    return {
      scheme: suite.scheme,
      seed: 'rvole',
      batch: hex(batch),
      choices: hex(choices),
      delta: hex(bytesOfWords(delta)),
      aliceRows: show(bytesOfWords(rows)),
      bobRows: show(bytesOfWords(ofBob)),
      factor: hex(curve.encodeScalar(factorOf(suite, choices))),
      inputs: scalars(inputs),
      message: showAll(alice.message),
      firstMasked: hex(alice.message.masked.subarray(0, 96)),
      aliceShares: scalars(alice.shares),
      bobShares: scalars(bob),
    };
  });

const zeroSharing = (): Json =>
  suites.map((suite) => {
    const random = seeded('zero');
    const order = ['a', 'b', 'c'];
    const session = random(32);
    const seeds = { ab: random(32), ac: random(32), bc: random(32) };
    const shareOf = (me: string, mine: [string, Uint8Array][]): string =>
      hex(suite.curve.encodeScalar(zeroShare(suite, session, order, me, new Map(mine))));
    return {
      scheme: suite.scheme,
      order,
      session: hex(session),
      seeds: showAll(seeds),
      shares: {
        a: shareOf('a', [
          ['b', seeds.ab],
          ['c', seeds.ac],
        ]),
        b: shareOf('b', [
          ['a', seeds.ab],
          ['c', seeds.bc],
        ]),
        c: shareOf('c', [
          ['a', seeds.ac],
          ['b', seeds.bc],
        ]),
      },
    };
  });

const quorum: readonly PartyId[] = ['phone', 'server'];

const showValue = (value: CborValue | undefined): Json => {
  if (value instanceof Uint8Array) return show(value);
  if (Array.isArray(value)) return value.map(showValue);
  return Object.fromEntries(Object.entries(value as object).map(([name, item]) => [name, showValue(item)]));
};

export const showMessages = (messages: readonly ProtocolMessage[]): Json =>
  messages.map(({ round, from, to, body }) => ({
    round,
    from,
    to,
    body: show(body),
    fields: showValue(decodeCbor(body)),
  }));

const groupJson = ({ group }: KeyShare): Json => ({
  keyId: group.keyId,
  publicKey: hex(group.publicKey),
  commitments: group.commitments.map(hex),
  verifyingShares: group.verifyingShares.map(hex),
  chainCode: hex(group.chainCode),
});

const keyAndSignatures = (suite: EcdsaSuite): Json => {
  const { scheme, curve } = suite;
  const policy = 'and(phone,server)';
  const sessions = {
    keygen: sha256(text('keygen')),
    sign: sha256(text('sign')),
    presign: sha256(text('presign')),
  };
  const request: SignRequest = { message: text('a message to sign'), digest: 'sha256' };
  const path = [44, 0];
  const made = runAll(quorum, (me) =>
    startEcdsaKeygen(suite, {
      scheme,
      session: sessions.keygen,
      policy,
      parties: quorum,
      threshold: 2,
      me,
      rng: seeded(`keygen/${me}`),
    }),
  );
  const shares = made.results;
  const first = found(shares.get('phone'));
  const context = (messages: readonly ProtocolMessage[]): string => hex(found(messages[0]).context);
  const signed = runAll(quorum, (me) =>
    startEcdsaSign(suite, {
      share: found(shares.get(me)),
      session: sessions.sign,
      quorum,
      request,
      rng: seeded(`sign/${me}`),
    }),
  );
  const presigned = runAll(quorum, (me) =>
    startEcdsaPresign(suite, {
      share: found(shares.get(me)),
      session: sessions.presign,
      quorum,
      path,
      rng: seeded(`presign/${me}`),
    }),
  );
  const presignature = found(presigned.results.get('phone'));
  const secrets = quorum.map((me) => [me, hex(found(presigned.results.get(me)).secret.reveal())]);
  const online = runAll(quorum, (me) =>
    startEcdsaSignPresigned(suite, {
      presignature: found(presigned.results.get(me)),
      share: found(shares.get(me)),
      request: { ...request, path },
    }),
  );
  return {
    scheme,
    policy,
    parties: quorum,
    threshold: 2,
    keygen: {
      session: hex(sessions.keygen),
      seeds: 'keygen/<party>',
      context: context(made.messages),
      messages: showMessages(made.messages),
      group: groupJson(first),
      shares: Object.fromEntries(
        quorum.map((me) => {
          const share = found(shares.get(me));
          return [
            me,
            {
              share: hex(encodeScalars(curve, decodeSecret(curve, share).shares)),
              secret: show(share.secret.reveal()),
            },
          ];
        }),
      ),
    },
    sign: {
      session: hex(sessions.sign),
      seeds: 'sign/<party>',
      message: hex(request.message),
      digest: request.digest,
      context: context(signed.messages),
      messages: showMessages(signed.messages),
      signature: hex(found(signed.results.get('phone'))),
    },
    presign: {
      session: hex(sessions.presign),
      seeds: 'presign/<party>',
      path,
      context: context(presigned.messages),
      messages: showMessages(presigned.messages),
      id: hex(presignature.id),
      publicKey: hex(presignature.publicKey),
      nonce: hex(presignature.nonce),
      secrets: Object.fromEntries(secrets),
      signing: {
        context: context(online.messages),
        messages: online.messages.map(({ from, to, body }) => ({ from, to, body: hex(body) })),
        signature: hex(found(online.results.get('phone'))),
      },
    },
  };
};

/** All vector files by name. */
export const ecdsaVectors = (): Map<string, Json> => {
  const { trees, extension } = treesAndExtension();
  return new Map<string, Json>([
    ['gadget.json', gadget()],
    ['base-ot.json', baseOt()],
    ['trees.json', trees],
    ['extension.json', extension],
    ['rvole.json', rvole()],
    ['zero-sharing.json', zeroSharing()],
    ...suites.map((suite) => [`${suite.scheme}.json`, keyAndSignatures(suite)] as const),
  ]);
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, value] of ecdsaVectors())
    writeFileSync(new URL(`ecdsa/${name}`, import.meta.url), `${JSON.stringify(value, undefined, 2)}\n`);

/** Points of small or mixed order, on edwards25519, in every place where a peer sends a point. */
import { describe, expect, it } from 'vitest';
import { ed25519 } from '@noble/curves/ed25519.js';
import {
  decodeCbor,
  encodeCbor,
  fromHex,
  hashValue,
  utf8ToBytes,
  type CborValue,
  type ErrorCode,
} from '@keepset/bytes';
import { ed25519Curve } from '../../src/curve/noble.ts';
import { protocolFor, type PartyId, type Step } from '../../src/index.ts';
import {
  dealKey,
  refreshStarts,
  repairStarts,
  runNetwork,
  seededRng,
  sessionOf,
  shareOf,
  type Run,
} from '../life/setup.ts';

const { Point } = ed25519;
/** Of order 8, from the list of all small-order encodings. */
const order8 = Point.fromBytes(
  fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
  true,
);
const small = Array.from({ length: 8 }, (_, k) => order8.multiplyUnsafe(BigInt(k)).toBytes());
const mixed = (bytes: Uint8Array): Uint8Array => Point.fromBytes(bytes).add(order8).toBytes();

it('are eight points, and the port decodes none of them', () => {
  expect(new Set(small.map(String)).size).toBe(8);
  expect(order8.multiplyUnsafe(8n).is0()).toBe(true);
  for (const bytes of small) expect(ed25519Curve.decodePoint(bytes)).toBeUndefined();
  const good = ed25519Curve.encodePoint(ed25519Curve.multiplyGenerator(9n));
  expect(ed25519Curve.decodePoint(good)).toBeDefined();
  for (const bytes of small.slice(1)) {
    const sum = Point.fromBytes(good).add(Point.fromBytes(bytes, true)).toBytes();
    expect(ed25519Curve.decodePoint(sum)).toBeUndefined();
  }
});

type Body = Record<string, CborValue>;
const parties = ['phone', 'server', 'usb'];
const { shares } = dealKey('ed25519', parties, 2, 'small order');
const changes: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
  ['order 1', () => small[0]!],
  ['order 8', () => small[1]!],
  ['order 2', () => small[4]!],
  ['mixed order', mixed],
];

/** A run in which the server's messages of one round, to everyone, went through `change`. */
const spoilt = <R>(
  starts: Map<PartyId, () => Step<R>>,
  round: number,
  change: (body: Body) => Body,
): Run<R> =>
  runNetwork(starts, (message) =>
    message.from === 'server' && message.round === round
      ? { ...message, body: encodeCbor(change(decodeCbor(message.body) as Body)) }
      : message,
  );
const expectBlamed = <R>(run: Run<R>, code: ErrorCode): void => {
  const errors = [...run.outcomes].flatMap(([party, outcome]) =>
    party !== 'server' && outcome.status === 'failed' ? [outcome.error] : [],
  );
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) expect(error).toMatchObject({ code, culprits: ['server'] });
  for (const outcome of run.outcomes.values()) expect(outcome.status).not.toBe('done');
};
const first = (list: CborValue | undefined, change: (bytes: Uint8Array) => Uint8Array): CborValue => {
  const [head, ...rest] = list as Uint8Array[];
  return [change(head!), ...rest];
};

describe.each(changes)('a peer that sends a point of %s is named', (_name, change) => {
  const protocol = protocolFor('ed25519');

  it('in keygen: as a commitment and in its proof', () => {
    const starts = (): Map<PartyId, () => Step<unknown>> =>
      new Map(
        parties.map((me) => {
          const params = {
            scheme: 'ed25519',
            session: sessionOf('k'),
            policy: `thresh(2,${parties.join(',')})`,
            parties,
            threshold: 2,
          } as const;
          return [me, () => protocol.startKeygen({ ...params, me, rng: seededRng(me) })];
        }),
      );
    expectBlamed(
      spoilt(starts(), 1, (b) => ({ ...b, commitments: first(b['commitments'], change) })),
      'abort/bad-proof',
    );
    expectBlamed(
      spoilt(starts(), 1, (b) => {
        const proof = (b['proof'] as Uint8Array).slice();
        proof.set(change(proof.slice(0, 32)));
        return { ...b, proof };
      }),
      'abort/bad-proof',
    );
  });

  it('in signing: as a nonce commitment', () => {
    const request = { message: utf8ToBytes('m'), digest: 'none' } as const;
    for (const field of ['hiding', 'binding']) {
      const starts = new Map(
        ['phone', 'server'].map((party) => {
          const quorum = ['phone', 'server'];
          const params = { share: shareOf(shares, party), session: sessionOf('s'), quorum, request };
          return [party, () => protocol.startSign({ ...params, rng: seededRng(party) })] as const;
        }),
      );
      expectBlamed(
        spoilt(starts, 1, (b) => ({ ...b, [field]: change(b[field] as Uint8Array) })),
        'abort/bad-commitment',
      );
    }
  });

  it('in a refresh: as an image it has committed to', () => {
    const start = (): Map<PartyId, () => Step<unknown>> => refreshStarts(shares, 'refresh');
    const honest = runNetwork(start()).sent.find(({ from, round }) => from === 'server' && round === 2)!;
    const { points, salt } = decodeCbor(honest.body) as Body;
    const lie = { points: first(points, change), salt };
    const { context } = honest;
    const commitment = hashValue('keepset/refresh/opening/v1', { context, dealer: 'server', ...lie });
    const run = runNetwork(start(), (message) => {
      if (message.from !== 'server' || message.round > 2) return message;
      const body = decodeCbor(message.body) as Body;
      return { ...message, body: encodeCbor({ ...body, ...(message.round === 1 ? { commitment } : lie) }) };
    });
    expectBlamed(run, 'abort/malformed-message');
  });

  it('in a repair: as the image of a part', () => {
    const cut = (b: Body): Body => ({ ...b, images: first(b['images'], change) });
    const starts = repairStarts(shares, ['phone', 'server'], 'usb', 'repair');
    expectBlamed(spoilt(starts, 1, cut), 'abort/malformed-message');
  });
});

/** Adversaries that know what they are doing: probing the OT layer, dealing wrong shares, showing two faces. */
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor, hashValue, utf8ToBytes, type CborValue } from '@keepset/bytes';
import type { GroupPoint } from '../../src/curve/port.ts';
import type { KeyShare, PartyId, SignRequest } from '../../src/index.ts';
import { mutationsOf } from './mutations.ts';
import { honestResults, keygenStarts, makeKey, runNetwork, signStarts, type Run } from './network.ts';
import { transparentSuite as suite } from './transparent.ts';

const trio: readonly PartyId[] = ['phone', 'server', 'usb'];
const request: SignRequest = { message: utf8ToBytes('pay 1 to Bob'), digest: 'sha256' };
let shares: Map<PartyId, KeyShare>;
beforeAll(() => {
  shares = makeKey(suite, 2, trio, 'cheaters');
});

describe('what the OT layer answers to a party that probes it', () => {
  const quorum = ['phone', 'server'];
  const attempts: readonly [number, string][] = [
    [1, 'vectors'],
    [1, 'choiceCheck'],
    [1, 'rowCheck'],
    [2, 'masked'],
    [2, 'response'],
    [2, 'digest'],
    [2, 'nonceCheck'],
    [2, 'keyCheck'],
  ];
  it.each(attempts)('is a ban after one try: round %i, %s', (round, field) => {
    let bans = 0;
    for (let n = 0; n < 6; n++) {
      const run = runNetwork(signStarts(suite, shares, quorum, request, `probe ${n}`), (message) => {
        if (message.from !== 'phone' || message.round !== round) return message;
        const mutation = mutationsOf(message.body).find(({ name }) => name === `${field} last bit flipped`);
        return mutation!.apply(message);
      });
      const outcome = run.outcomes.get('server')!;
      if (outcome.status !== 'failed') continue;
      // Points and scalars out of range are seen before any secret is used: no ban, and no information.
      if (outcome.error.code === 'abort/malformed-message') continue;
      expect(outcome.error).toMatchObject({ code: 'abort/banned', culprits: ['phone'], retry: 'never' });
      bans += 1;
      // Nothing that depends on the failed check has left.
      const answers = run.sent.filter((message) => message.from === 'server');
      expect(answers.every((message) => message.round <= round)).toBe(true);
    }
    expect(bans).toBeGreaterThan(0);
  });

  /** A party whose curve encodes its nonce point or its key point with `added` · G on top: it shows what it does not use. */
  const showing = (field: 'noncePoint' | 'keyPoint', added: bigint): typeof suite => {
    const { curve } = suite;
    const shifted = (point: GroupPoint): GroupPoint => curve.add(point, curve.multiplyGenerator(added));
    return {
      ...suite,
      curve: {
        ...curve,
        encodePoint: (point) => curve.encodePoint(field === 'noncePoint' ? shifted(point) : point),
        // The key point comes first, before the two Γ.
        encodePoints: (points) =>
          curve.encodePoints(
            points.map((point, i) => (field === 'keyPoint' && i === 0 ? shifted(point) : point)),
          ),
      },
    };
  };
  const signing = (parties: readonly PartyId[], liars: ReadonlyMap<PartyId, typeof suite>): Run<Uint8Array> =>
    runNetwork(
      new Map(
        parties.map((party) => [
          party,
          signStarts(liars.get(party) ?? suite, shares, parties, request, 'another point').get(party)!,
        ]),
      ),
    );

  it.each(['noncePoint', 'keyPoint'] as const)('is a ban for a %s that was not multiplied', (field) => {
    expect(signing(quorum, new Map()).outcomes.get('server')?.status).toBe('done');
    expect(signing(quorum, new Map([['phone', showing(field, 1n)]])).outcomes.get('server')).toMatchObject({
      status: 'failed',
      error: { code: 'abort/banned', culprits: ['phone'] },
    });
    // Two liars whose points make up for one another.
    const liars = new Map([
      ['phone', showing(field, 1n)],
      ['usb', showing(field, -1n)],
    ]);
    expect(signing(trio, liars).outcomes.get('server')).toMatchObject({
      status: 'failed',
      error: { code: 'abort/banned', culprits: [expect.stringMatching(/^(phone|usb)$/)] },
    });
  });

  it('is no ban between honest parties whom a third shows different first rounds', () => {
    const run = runNetwork(signStarts(suite, shares, trio, request, 'equivocation'), (message) => {
      if (message.from !== 'usb' || message.to !== 'server' || message.round !== 1) return message;
      return mutationsOf(message.body)
        .find(({ name }) => name === 'commitment first bit flipped')!
        .apply(message);
    });
    for (const party of ['phone', 'server'])
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code: 'abort/transcript-mismatch', culprits: [] },
      });
  });

  it('is no ban for a wrong fragment or adjustment, which show nothing secret', () => {
    for (const field of ['numerator', 'denominator', 'adjustment']) {
      const run = runNetwork(signStarts(suite, shares, quorum, request, 'fragment'), (message) => {
        const mutation = mutationsOf(message.body).find(({ name }) => name === `${field} last bit flipped`);
        return message.from === 'phone' && mutation !== undefined ? mutation.apply(message) : message;
      });
      expect(run.outcomes.get('server')).toMatchObject({
        status: 'failed',
        error: { code: 'abort/bad-signature', culprits: ['phone'], retry: 'fresh' },
      });
    }
  });
});

describe('a dealer that cheats in keygen', () => {
  const liarAt = (round: number, to: readonly PartyId[], change: (body: never) => CborValue): Run<KeyShare> =>
    runNetwork(keygenStarts(suite, 2, trio, 'liar'), (message) =>
      message.from === 'phone' && message.round === round && to.includes(message.to)
        ? { ...message, body: encodeCbor(change(decodeCbor(message.body) as never)) }
        : message,
    );
  const expectBlame = (run: Run<KeyShare>, parties: readonly PartyId[], code: string): void => {
    for (const party of parties)
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code, culprits: ['phone'] },
      });
  };

  it('cannot raise or lower the threshold with a polynomial of another length', () => {
    const longer = liarAt(2, ['server', 'usb'], ({ points, ...rest }: { points: Uint8Array[] }) => ({
      ...rest,
      points: [...points, points[0]!],
    }));
    expectBlame(longer, ['server', 'usb'], 'abort/malformed-message');
    const shorter = liarAt(2, ['server', 'usb'], ({ points, ...rest }: { points: Uint8Array[] }) => ({
      ...rest,
      points: points.slice(1),
    }));
    expectBlame(shorter, ['server', 'usb'], 'abort/malformed-message');
  });

  it('cannot choose its polynomial after it has seen the others', () => {
    const other = runNetwork(keygenStarts(suite, 2, trio, 'other')).sent;
    const body = decodeCbor(other.find(({ from, round }) => from === 'phone' && round === 2)!.body);
    const { points } = body as { points: Uint8Array[] };
    const run = liarAt(2, ['server', 'usb'], (rest: object) => ({ ...rest, points }));
    expectBlame(run, ['server', 'usb'], 'abort/bad-commitment');
  });

  /**
   * A liar that knows from the start what it will open to one party: `change` is applied to what it opens, and its
   * commitments are made to fit.
   */
  const prepared = (victim: PartyId, change: (opening: Opened) => Opened): Run<KeyShare> => {
    const { sent } = runNetwork(keygenStarts(suite, 2, trio, 'prepared'));
    const slot = sent.find(({ from, to, round }) => from === 'phone' && to === victim && round === 2)!;
    const opened = change(decodeCbor(slot.body) as unknown as Opened);
    const { points, chainPart, salt, share, zeroPart, pairSalt } = opened;
    const { context } = slot;
    const commitments = {
      commitment: hashValue('keepset/ecdsa/keygen/opening/v1', {
        context,
        party: 'phone',
        points,
        chainPart,
        salt,
      }),
      pairCommitment: hashValue('keepset/ecdsa/keygen/pair-opening/v1', {
        context,
        from: 'phone',
        to: victim,
        share,
        zeroPart,
        pairSalt,
      }),
    };
    return runNetwork(keygenStarts(suite, 2, trio, 'prepared'), (message) => {
      if (message.from !== 'phone' || message.to !== victim || message.round > 2) return message;
      const body = decodeCbor(message.body) as object;
      const lie = message.round === 1 ? { ...body, ...commitments } : { ...body, ...opened };
      return { ...message, body: encodeCbor(lie) };
    });
  };

  it('is named by the party to which it deals a wrong share', () => {
    const { curve } = suite;
    const run = prepared('usb', (opening) => ({
      ...opening,
      share: curve.encodeScalar(curve.reduce(curve.decodeScalar(opening.share)! + 1n)),
    }));
    expectBlame(run, ['usb'], 'abort/bad-share');
    expect(honestResults(run, 'phone')).toEqual([]);
  });

  it('cannot make two parties accept different chain codes', () => {
    const run = prepared('usb', (opening) => ({ ...opening, chainPart: new Uint8Array(32) }));
    for (const party of ['server', 'usb'])
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code: 'abort/transcript-mismatch', culprits: [] },
      });
  });

  it('cannot open another chain-code part than it committed to', () => {
    const run = liarAt(2, ['usb'], (body: object) => ({ ...body, chainPart: new Uint8Array(32) }));
    expectBlame(run, ['usb'], 'abort/bad-commitment');
    expect(honestResults(run, 'phone')).toEqual([]);
  });
});

interface Opened {
  readonly points: Uint8Array[];
  readonly chainPart: Uint8Array;
  readonly salt: Uint8Array;
  readonly share: Uint8Array;
  readonly zeroPart: Uint8Array;
  readonly pairSalt: Uint8Array;
}

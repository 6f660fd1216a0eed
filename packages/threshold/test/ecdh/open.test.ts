import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '@keepset/bytes';
import { deriveGroup, openContext, protocolFor, type KeyShare, type OpenParams } from '../../src/index.ts';
import { hex, partyNames, resultsOf, run, seededRng, sha256, theOne } from '../frost/network.ts';
import { refresh, repair, reshare, subsets } from '../life/setup.ts';
import { codeOf } from '../machine/support.ts';
import {
  assembled,
  ephemeralOf,
  keyOf,
  learned,
  openStarts,
  opening,
  opensslAgree,
  type Shares,
} from './setup.ts';

const file = ephemeralOf('a file');
const publicKeyOf = (shares: Shares): Uint8Array => theOne([...shares.values()][0]).group.publicKey;
/** What the one who sealed the file agreed on, by OpenSSL. */
const expected = (shares: Shares, { secret } = file): string => opensslAgree(secret, publicKeyOf(shares));
const open = (
  shares: Shares,
  quorum: readonly string[],
  options?: Parameters<typeof openStarts>[3],
): string =>
  theOne(
    learned(resultsOf(openStarts(shares, quorum, file.point, options)))[options?.opener ?? theOne(quorum[0])],
  );

describe('every quorum opens', () => {
  it.each([
    [2, 2],
    [2, 3],
    [3, 3],
    [3, 5],
  ])('%i of %i: all quorums, each opener', (threshold, n) => {
    const shares = keyOf(threshold, n);
    for (let size = threshold; size <= n; size += 1)
      for (const quorum of subsets(partyNames.slice(0, n), size))
        for (const opener of quorum.slice(0, 2))
          expect(open(shares, quorum, { opener })).toBe(expected(shares));
  });

  it('random keys, files and quorums, delivered in any order', () => {
    const shares = keyOf(3, 5);
    fc.assert(
      fc.property(
        fc.subarray([...partyNames], { minLength: 3 }),
        fc.nat(),
        fc.string(),
        fc.infiniteStream(fc.nat()),
        (quorum, which, seed, order) => {
          const opener = theOne(quorum[which % quorum.length]);
          const { point, secret } = ephemeralOf(seed);
          const starts = openStarts(shares, quorum, point, { opener, seed });
          const results = resultsOf(starts, (below) => Number(order.next().value) % below);
          expect(learned(results)[opener]).toBe(opensslAgree(secret, publicKeyOf(shares)));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('as a key that was put together would, by OpenSSL', () => {
    for (const quorum of subsets(partyNames.slice(0, 5), 3))
      expect(opensslAgree(assembled(keyOf(3, 5), quorum), file.point)).toBe(expected(keyOf(3, 5)));
  });

  it('and only the opener learns the outcome', () => {
    const shares = keyOf(2, 3);
    const { results, sent } = run(openStarts(shares, partyNames.slice(0, 3), file.point, { opener: 'usb' }));
    expect(learned(results)).toEqual({ phone: undefined, server: undefined, usb: expected(shares) });
    expect(sent.map(({ from, to }) => `${from} ${to}`)).toEqual(['phone usb', 'server usb']);
    for (const { body } of sent) expect(hex(body)).not.toContain(expected(shares));
  });

  it('without printing it', () => {
    const [result] = resultsOf(openStarts(keyOf(2, 2), ['phone', 'server'], file.point)).values();
    expect(JSON.stringify(result)).toBe('{"shared":"[secret]"}');
  });
});

describe('no other set opens', () => {
  it('fewer than the threshold are refused, by name', () => {
    for (let size = 1; size < 3; size += 1)
      for (const set of subsets(partyNames.slice(0, 5), size))
        expect(codeOf(() => openStarts(keyOf(3, 5), set, file.point).get(theOne(set[0]))?.())).toBe(
          'policy/unsatisfied',
        );
  });

  it('and what fewer can compute is not the outcome', () => {
    const shares = keyOf(3, 5);
    for (const set of subsets(partyNames.slice(0, 5), 2))
      expect(opensslAgree(assembled(shares, set), file.point)).not.toBe(expected(shares));
  });

  it('nor do shares of different keys, parties or epochs', () => {
    const shares = keyOf(2, 3);
    const next = refresh(shares, 'mixed epochs');
    const mixed = new Map([...shares, ['server', theOne(next.get('server'))]] as const);
    const ended = run(openStarts(mixed, ['phone', 'server'], file.point));
    expect(ended.refusals.map(([party, { code }]) => [party, code])).toEqual([
      ['phone', 'abort/wrong-session'],
    ]);
    expect([...ended.waiting.keys()]).toEqual(['phone']);
  });
});

describe('the life of the key', () => {
  it('refreshed, repaired and reshared, it opens the same files', () => {
    let shares: Shares = keyOf(2, 3);
    const before = expected(shares);
    shares = refresh(shares, 'first');
    expect(theOne(shares.get('usb')).group.epoch).toBe(1);
    expect(open(shares, ['phone', 'usb'])).toBe(before);
    const repaired = repair(shares, ['phone', 'server'], 'usb', 'lost');
    expect(hex(theOne(repaired.get('usb')).secret.reveal())).toBe(
      hex(theOne(shares.get('usb')).secret.reveal()),
    );
    const moved = reshare(shares, ['phone', 'usb'], ['usb', 'cloud', 'paper', 'phone'], 3, 'moved');
    expect(publicKeyOf(moved)).toEqual(publicKeyOf(shares));
    expect(open(moved, ['usb', 'cloud', 'phone'])).toBe(before);
    for (const share of [...shares.values(), ...moved.values()])
      expect(protocolFor('ecdh-p256').checkShare(share)).toBe(true);
  });
});

describe('what cannot be', () => {
  const share = theOne(keyOf(2, 3).get('phone'));
  const params: OpenParams = {
    share,
    session: sha256('session'),
    quorum: ['phone', 'server'],
    opener: 'phone',
    ephemeral: file.point,
  };
  const compressed = Uint8Array.from([2 + (theOne(file.point[64]) & 1), ...file.point.slice(1, 33)]);
  const other = theOne(keyOf(2, 2).get('phone'));

  it.each<[string, Partial<OpenParams>, string]>([
    ['a short session', { session: new Uint8Array(31) }, 'input/invalid-argument'],
    ['a stranger in the quorum', { quorum: ['phone', 'mallory'] }, 'abort/unknown-party'],
    ['a party twice', { quorum: ['phone', 'phone'] }, 'input/invalid-argument'],
    ['another order', { quorum: ['server', 'phone'] }, 'input/invalid-argument'],
    ['one party alone', { quorum: ['phone'] }, 'policy/unsatisfied'],
    ['nobody', { quorum: [] }, 'policy/unsatisfied'],
    ['a quorum without the holder', { quorum: ['server', 'usb'], opener: 'usb' }, 'abort/unknown-party'],
    ['an opener outside the quorum', { opener: 'usb' }, 'abort/unknown-party'],
    ['no point', { ephemeral: new Uint8Array(0) }, 'input/malformed'],
    ['the identity', { ephemeral: Uint8Array.of(0) }, 'input/malformed'],
    ['the identity, at length', { ephemeral: new Uint8Array(65) }, 'input/malformed'],
    ['a compressed point', { ephemeral: compressed }, 'input/malformed'],
    ['a hybrid point', { ephemeral: file.point.with(0, 6) }, 'input/malformed'],
    ['x = y = 0', { ephemeral: new Uint8Array(65).with(0, 4) }, 'input/malformed'],
    ['all ones', { ephemeral: new Uint8Array(65).fill(255).with(0, 4) }, 'input/malformed'],
    ['one bit of y', { ephemeral: file.point.with(64, theOne(file.point[64]) ^ 1) }, 'input/malformed'],
    ['a trailing byte', { ephemeral: Uint8Array.from([...file.point, 0]) }, 'input/malformed'],
    [
      'a key of another scheme',
      { share: { ...share, group: { ...share.group, scheme: 'ecdsa-p256' } } },
      'input/invalid-argument',
    ],
    [
      'public data of another key',
      { share: { ...share, group: { ...share.group, verifyingShares: other.group.verifyingShares } } },
      'input/invalid-argument',
    ],
  ])('%s', (_name, change, code) => {
    expect(codeOf(() => opening.checkOpen({ ...params, ...change }))).toBe(code);
    expect(codeOf(() => opening.startOpen({ ...params, ...change }))).toBe(code);
  });

  it.each([
    ['another share', other.secret.reveal()],
    ['zero', new Uint8Array(32)],
    ['the order', new Uint8Array(32).fill(255)],
    ['a short one', new Uint8Array(31)],
  ])('a secret that is %s', (_name, secret) => {
    const damaged: KeyShare = { ...share, secret: new Secret(Uint8Array.from(secret)) };
    expect(codeOf(() => opening.startOpen({ ...params, share: damaged }))).toBe('place/damaged');
    expect(protocolFor('ecdh-p256').checkShare(damaged)).toBe(false);
  });

  it('a signature, a child key', () => {
    const protocol = protocolFor('ecdh-p256');
    const request = { message: sha256('m'), digest: 'none' } as const;
    const { session, quorum } = params;
    expect(codeOf(() => protocol.startSign({ share, session, quorum, request }))).toBe('input/unsupported');
    expect(protocol.verify(share.group, request, new Uint8Array(64))).toBe(false);
    expect(protocol.digests).toEqual([]);
    expect(codeOf(() => protocol.deriveShare(share, [0]))).toBe('input/unsupported');
    expect(codeOf(() => deriveGroup(share.group, [0]))).toBe('input/unsupported');
  });

  it('a run that differs in anything has another context', () => {
    const { group } = share;
    const contexts = [
      openContext(group, params),
      openContext({ ...group, keyId: 'another' }, params),
      openContext({ ...group, epoch: 1 }, params),
      openContext({ ...group, commitments: group.commitments.toReversed() }, params),
      openContext(group, { ...params, session: sha256('another') }),
      openContext(group, { ...params, quorum: ['phone', 'usb'] }),
      openContext(group, { ...params, opener: 'server' }),
      openContext(group, { ...params, ephemeral: ephemeralOf('another').point }),
    ];
    expect(new Set(contexts.map(hex)).size).toBe(contexts.length);
  });

  it('two proofs with one nonce, even from a generator that repeats itself', () => {
    // The nonce shows in the proof only as k = z − e·a; the same k twice would be the same z for the same e.
    const proofs = ['a', 'b'].map((name) => {
      const step = opening.startOpen({
        ...params,
        opener: 'server',
        ephemeral: ephemeralOf(name).point,
        rng: seededRng('stuck'),
      });
      return hex(theOne(step.outgoing[0]).body);
    });
    expect(proofs[0]).not.toBe(proofs[1]);
  });
});

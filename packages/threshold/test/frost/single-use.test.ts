/** Nonces serve once, and what is secret is gone from memory as soon as it has served: seen through the library's own objects. */
import type { Nonces } from '@noble/curves/abstract/frost.js';
import { describe, expect, it, vi } from 'vitest';
import { Secret, encodeCbor } from '@keepset/bytes';
import type * as Scalars from '../../src/curve/scalars.ts';
import type * as Dealing from '../../src/frost/dealing.ts';
import { startFrostKeygen } from '../../src/frost/keygen.ts';
import { startFrostSign } from '../../src/frost/sign.ts';
import type { FrostSuite } from '../../src/frost/suites.ts';
import { protocolFor, type ProtocolMessage, type Running, type SignParams } from '../../src/index.ts';
import { codeOf } from '../machine/support.ts';
import { fieldsOf } from './mutations.ts';
import {
  frostSchemes,
  hex,
  keyOf,
  keygenStarts,
  plain,
  rehearse,
  seededRng,
  sha256,
  signStarts,
  suiteOf,
  theOne,
  type FrostScheme,
} from './network.ts';

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const running = <R>(step: { readonly status: string }): Running<R> => {
  if (step.status !== 'running') throw new Error('already done');
  return step as Running<R>;
};

/** What a signer keeps secret while it signs. */
interface Seen {
  nonces?: Nonces;
  signingShare?: Uint8Array;
  signed: number;
}
const watchSigning = (suite: FrostSuite): { suite: FrostSuite; seen: Seen } => {
  const seen: Seen = { signed: 0 };
  const { signing } = suite;
  return {
    seen,
    suite: {
      ...suite,
      signing: {
        ...signing,
        commit: (secret, rng) => {
          const made = signing.commit(secret, rng);
          seen.nonces = made.nonces;
          seen.signingShare = secret.signingShare;
          return made;
        },
        signShare: (...args) => {
          seen.signed += 1;
          return signing.signShare(...args);
        },
      },
    },
  };
};

describe.each(frostSchemes)('a signer of %s', (scheme) => {
  const shares = keyOf(scheme, 2, 2);
  const quorum = ['phone', 'server'];
  const request = plain(sha256('m'));
  const session = sha256('session single use');
  const peerAs = (seed: string): readonly ProtocolMessage[] =>
    rehearse(signStarts(shares, quorum, request, seed, session)).inbox('phone', 1);
  const start = (change: Partial<SignParams> = {}): { state: Running<Uint8Array>; seen: Seen } => {
    const { suite, seen } = watchSigning(suiteOf(scheme));
    const share = theOne(shares.get('phone'));
    return { seen, state: running(startFrostSign(suite, { share, session, quorum, request, ...change })) };
  };
  const secretsOf = (seen: Seen): Uint8Array[] => [
    theOne(seen.nonces).hiding,
    theOne(seen.nonces).binding,
    theOne(seen.signingShare),
  ];

  it('cannot be made to answer two different first rounds', () => {
    const { state, seen } = start();
    const [one, two] = [peerAs('one'), peerAs('two')];
    expect(hex(theOne(one[0]).body)).not.toBe(hex(theOne(two[0]).body));
    expect(codeOf(() => state.advance(one))).toBe('ok');
    expect(codeOf(() => state.advance(two))).toBe('abort/state-consumed');
    expect(codeOf(() => state.advance(one))).toBe('abort/state-consumed');
    expect(seen.signed).toBe(1);
  });

  it('nor two at once', () => {
    const { state, seen } = start();
    expect(codeOf(() => state.advance([...peerAs('one'), ...peerAs('two')]))).toBe('abort/duplicate-message');
    expect(seen.signed).toBe(0);
    expect(codeOf(() => state.advance(peerAs('one')))).toBe('ok');
  });

  it('has wiped its nonces and its copy of the share once it has answered, not the share it was given', () => {
    const before = hex(theOne(shares.get('phone')).secret.reveal());
    const { state, seen } = start();
    expect(secretsOf(seen).some(isZero)).toBe(false);
    state.advance(peerAs('one'));
    expect(secretsOf(seen).every(isZero)).toBe(true);
    expect(hex(theOne(shares.get('phone')).secret.reveal())).toBe(before);
  });

  it('has wiped them also when the run ended without an answer', () => {
    const { state, seen } = start();
    const [message] = peerAs('one');
    const fields = { ...fieldsOf(theOne(message).body), hiding: new Uint8Array(suiteOf(scheme).pointBytes) };
    const bad = [{ ...theOne(message), body: encodeCbor(fields) }];
    expect(codeOf(() => state.advance(bad))).toBe('abort/bad-commitment');
    expect(secretsOf(seen).every(isZero)).toBe(true);
    expect(seen.signed).toBe(0);
    expect(codeOf(() => state.advance(peerAs('one')))).toBe('abort/state-consumed');
  });

  it('keeps them while only a header was wrong', () => {
    const { state, seen } = start();
    const stray = { ...theOne(peerAs('one')[0]), round: 9 };
    expect(codeOf(() => state.advance([stray]))).toBe('abort/wrong-round');
    expect(secretsOf(seen).some(isZero)).toBe(false);
    expect(codeOf(() => state.advance(peerAs('one')))).toBe('ok');
  });

  it('draws fresh nonces each time it starts', () => {
    const drawn = [1, 2, 3, 4].flatMap(() => {
      const { hiding, binding } = theOne(start().seen.nonces);
      return [hex(hiding), hex(binding)];
    });
    expect(new Set(drawn).size).toBe(8);
  });

  it('draws different nonces from the same randomness for different shares', () => {
    const noncesOf = (party: string): string => {
      const { suite, seen } = watchSigning(suiteOf(scheme));
      startFrostSign(suite, {
        share: theOne(shares.get(party)),
        session,
        quorum,
        request,
        rng: seededRng('broken'),
      });
      return hex(theOne(seen.nonces).hiding);
    };
    expect(noncesOf('phone')).not.toBe(noncesOf('server'));
  });

  if (scheme === 'schnorr-secp256k1')
    it('wipes the share of a derived key before it sends anything', () => {
      const revealed = vi.spyOn(Secret.prototype, 'reveal');
      const { state } = start({ request: { ...request, path: [1, 2] } });
      const all = revealed.mock.results.map(({ value }) => value as Uint8Array);
      revealed.mockRestore();
      const own = theOne(shares.get('phone')).secret.reveal();
      const derived = all.filter((bytes) => bytes !== own);
      expect(derived).toHaveLength(1);
      expect(derived.every(isZero)).toBe(true);
      expect(isZero(own)).toBe(false);
      expect(state.round).toBe(1);
    });

  if (scheme === 'schnorr-secp256k1')
    it('wipes the tweaked copy too', () => {
      const tweaked = { ...request, taproot: { merkleRoot: new Uint8Array(0) } };
      const peer = rehearse(signStarts(shares, quorum, tweaked, 'tweaked', session)).inbox('phone', 1);
      const { state, seen } = start({ request: tweaked });
      expect(secretsOf(seen).some(isZero)).toBe(false);
      state.advance(peer);
      expect(secretsOf(seen).every(isZero)).toBe(true);
    });
});

/** What a dealer keeps secret while a key is made: coefficients, sub-shares for others and those received. */
interface Dealt {
  coefficients?: readonly bigint[];
  readonly subShares: Uint8Array[];
}
let dealt: Dealt = { subShares: [] };
vi.mock('../../src/frost/dealing.ts', async (original) => {
  const real = await original<typeof Dealing>();
  return {
    ...real,
    deal: (...args: Parameters<typeof real.deal>) => {
      const made = real.deal(...args);
      dealt.coefficients ??= made.coefficients;
      return made;
    },
  };
});
vi.mock('../../src/curve/scalars.ts', async (original) => {
  const real = await original<typeof Scalars>();
  return {
    ...real,
    encodeScalars: (...args: Parameters<typeof real.encodeScalars>) => {
      const bytes = real.encodeScalars(...args);
      dealt.subShares.push(bytes);
      return bytes;
    },
    decodeScalars: (...args: Parameters<typeof real.decodeScalars>) => {
      dealt.subShares.push(args[1]);
      return real.decodeScalars(...args);
    },
  };
});

describe.each(frostSchemes)('a dealer of %s', (scheme: FrostScheme) => {
  const parties = ['phone', 'server'];
  const session = sha256('session dealer');
  const peer = rehearse(keygenStarts(scheme, 2, parties, 'dealer', session));
  const start = (): { state: Running<unknown> } => {
    dealt = { subShares: [] };
    const params = { scheme, session, policy: 'thresh(2,phone,server)', parties, threshold: 2, me: 'phone' };
    return {
      state: running(startFrostKeygen(suiteOf(scheme), { ...params, rng: seededRng('dealer phone') })),
    };
  };
  const isForgotten = ({ coefficients }: Dealt): boolean =>
    theOne(coefficients).every((coefficient) => coefficient === 0n);

  it('has forgotten polynomial and sub-shares once the key is known', () => {
    const { state } = start();
    expect(isForgotten(dealt)).toBe(false);
    const second = running(state.advance(peer.inbox('phone', 1)));
    expect(isForgotten(dealt)).toBe(false);
    const third = running<{ readonly secret: { reveal(): Uint8Array } }>(
      second.advance(peer.inbox('phone', 2)),
    );
    expect(isForgotten(dealt)).toBe(true);
    // The share itself, which is what all this was for, is the last thing written.
    expect(dealt.subShares).toHaveLength(3);
    expect(dealt.subShares.slice(0, 2).every(isZero)).toBe(true);
    expect(isZero(theOne(third.pending).secret.reveal())).toBe(false);
    const done = third.advance(peer.inbox('phone', 3));
    expect(done.status === 'done' && protocolFor(scheme).checkShare(done.result as never)).toBe(true);
  });

  it.each([1, 2])('has forgotten the polynomial when round %i ended the run', (round) => {
    const { state } = start();
    const at = round === 1 ? state : running(state.advance(peer.inbox('phone', 1)));
    const field = round === 1 ? 'proof' : 'share';
    const bad = peer.inbox('phone', round).map((message) => {
      const fields = fieldsOf(message.body);
      const value = fields[field] as Uint8Array;
      return {
        ...message,
        body: encodeCbor({
          ...fields,
          [field]: value.with(40 % value.length, 1 ^ theOne(value[40 % value.length])),
        }),
      };
    });
    expect(codeOf(() => at.advance(bad))).toMatch(/^abort\/bad-(proof|share)$/);
    expect(isForgotten(dealt)).toBe(true);
  });
});

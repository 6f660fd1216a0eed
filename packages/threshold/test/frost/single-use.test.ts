/** Nonces serve once, and what is secret is gone from memory as soon as it has served: seen through the library's own objects. */
import type { DKG_Secret, Nonces } from '@noble/curves/abstract/frost.js';
import { describe, expect, it, vi } from 'vitest';
import { Secret, encodeCbor } from '@keepset/bytes';
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

/** What a dealer keeps secret while a key is made. */
interface Dealt {
  secret?: DKG_Secret;
  coefficients?: bigint[];
  /** Sub-shares for others, and those received. */
  readonly subShares: Uint8Array[];
}
const watchKeygen = (suite: FrostSuite): { suite: FrostSuite; dealt: Dealt } => {
  const dealt: Dealt = { subShares: [] };
  const { DKG } = suite.keygen;
  return {
    dealt,
    suite: {
      ...suite,
      keygen: {
        ...suite.keygen,
        DKG: {
          ...DKG,
          round1: (...args) => {
            const made = DKG.round1(...args);
            // Culprits are found by throw-away runs: the first is the real one.
            dealt.secret ??= made.secret;
            dealt.coefficients ??= theOne(made.secret.coefficients);
            return made;
          },
          round2: (...args) => {
            const made = DKG.round2(...args);
            dealt.subShares.push(...Object.values(made).map((share) => share.signingShare));
            return made;
          },
          round3: (secret, first, second) => {
            dealt.subShares.push(...second.map((share) => share.signingShare));
            return DKG.round3(secret, first, second);
          },
        },
      },
    },
  };
};

describe.each(frostSchemes)('a dealer of %s', (scheme: FrostScheme) => {
  const parties = ['phone', 'server'];
  const session = sha256('session dealer');
  const peer = rehearse(keygenStarts(scheme, 2, parties, 'dealer', session));
  const start = (): { state: Running<unknown>; dealt: Dealt } => {
    const { suite, dealt } = watchKeygen(suiteOf(scheme));
    const params = { scheme, session, policy: 'thresh(2,phone,server)', parties, threshold: 2, me: 'phone' };
    return { dealt, state: running(startFrostKeygen(suite, { ...params, rng: seededRng('dealer phone') })) };
  };
  const isForgotten = ({ secret, coefficients }: Dealt): boolean =>
    theOne(coefficients).every((coefficient) => coefficient === 0n) &&
    (secret?.coefficients ?? []).every((coefficient) => coefficient === 0n);

  it('has forgotten polynomial and sub-shares once the key is known', () => {
    const { state, dealt } = start();
    expect(isForgotten(dealt)).toBe(false);
    const second = running(state.advance(peer.inbox('phone', 1)));
    expect(isForgotten(dealt)).toBe(false);
    const third = running<{ readonly secret: { reveal(): Uint8Array } }>(
      second.advance(peer.inbox('phone', 2)),
    );
    expect(isForgotten(dealt)).toBe(true);
    expect(dealt.subShares).toHaveLength(2);
    expect(dealt.subShares.every(isZero)).toBe(true);
    // The share itself is what all this was for.
    expect(isZero(theOne(third.pending).secret.reveal())).toBe(false);
    const done = third.advance(peer.inbox('phone', 3));
    expect(done.status === 'done' && protocolFor(scheme).checkShare(done.result as never)).toBe(true);
  });

  it.each([1, 2])('has forgotten the polynomial when round %i ended the run', (round) => {
    const { state, dealt } = start();
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

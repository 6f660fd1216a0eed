/** A generator that fails must not give the share away: two signatures with one nonce would. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toHex, utf8ToBytes } from '@keepset/bytes';
import { startEcdsaPresign } from '../../src/ecdsa/presign.ts';
import { startEcdsaSign } from '../../src/ecdsa/sign.ts';
import { hedgedRng } from '../../src/hedge.ts';
import type { PartyId, Rng } from '../../src/index.ts';
import { makeKey, resultsOf, runNetwork, seededRng, sessionOf } from './network.ts';
import { transparentSuite as suite } from './transparent.ts';

const parties = ['phone', 'server'];
const each = <T>(make: (party: PartyId) => T): Map<PartyId, T> =>
  new Map(parties.map((party) => [party, make(party)]));

describe('with a system generator that always says the same', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const shares = makeKey(suite, 2, parties, 'hedge');
  const stick = (): void => {
    vi.spyOn(globalThis.crypto, 'getRandomValues').mockImplementation((array) => {
      new Uint8Array((array as Uint8Array).buffer).fill(7);
      return array;
    });
  };
  const noncesOf = (starts: readonly string[], nonceFor: (name: string) => Uint8Array): Set<string> => {
    stick();
    return new Set(starts.map((name) => toHex(nonceFor(name))));
  };

  it('signs each message with another nonce', () => {
    const nonces = noncesOf(['one', 'two', 'three'], (name) => {
      const request = { message: utf8ToBytes(name), digest: 'sha256' } as const;
      const session = sessionOf(name);
      const run = each(
        (party) => () =>
          startEcdsaSign(suite, { share: shares.get(party)!, session, quorum: parties, request }),
      );
      return resultsOf(runNetwork(run)).get('phone')!.subarray(0, 32);
    });
    expect(nonces.size).toBe(3);
  });

  it('makes presignatures with different nonces', () => {
    const nonces = noncesOf(['one', 'two', 'three'], (name) => {
      const session = sessionOf(name);
      const run = each(
        (party) => () => startEcdsaPresign(suite, { share: shares.get(party)!, session, quorum: parties }),
      );
      return resultsOf(runNetwork(run)).get('phone')!.nonce;
    });
    expect(nonces.size).toBe(3);
  });
});

describe('a hedged generator', () => {
  const stuck: Rng = (length) => new Uint8Array(length).fill(7);
  const [secret, context] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const first = (rng: Rng): string => toHex(rng(48));

  it('differs by secret, by context and by what the generator below it says', () => {
    const draws = [
      hedgedRng(stuck, secret, context),
      hedgedRng(stuck, new Uint8Array(32), context),
      hedgedRng(stuck, secret, new Uint8Array(32)),
      hedgedRng(seededRng('a'), secret, context),
      hedgedRng(seededRng('b'), secret, context),
    ].map(first);
    expect(new Set(draws).size).toBe(5);
    expect(first(hedgedRng(stuck, secret, context))).toBe(draws[0]);
  });

  it('gives any length, and every block and draw is another', () => {
    const rng = hedgedRng(stuck, secret, context);
    for (const length of [0, 1, 31, 32, 33, 100]) expect(rng(length)).toHaveLength(length);
    const blocks = [rng(64), rng(64)].flatMap((draw) => [draw.subarray(0, 32), draw.subarray(32)]);
    expect(new Set(blocks.map(toHex)).size).toBe(4);
  });
});

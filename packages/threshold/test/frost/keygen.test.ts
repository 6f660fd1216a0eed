import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../machine/support.ts';
import { keyIdOf, protocolFor, type KeygenParams } from '../../src/index.ts';
import {
  frostSchemes,
  groupOf,
  hex,
  keyOf,
  keygenStarts,
  partyNames,
  plain,
  resultsOf,
  run,
  sha256,
  signStarts,
  theOne,
  type Pick,
} from './network.ts';
import { interpolate, pointOf, publicKeyOf } from './reference.ts';

const sizes = [
  [2, 2],
  [2, 3],
  [3, 5],
  [5, 5],
] as const;

/** Choices made by fast-check, then zeros: shrinks towards the plain order. */
const pickFrom = (choices: readonly number[]): Pick => {
  let at = 0;
  return (below) => (choices[at++] ?? 0) % below;
};
const choices = fc.array(fc.nat(), { minLength: 60, maxLength: 200, size: 'max' });

describe.each(frostSchemes)('keygen for %s', (scheme) => {
  it.each(sizes)('makes one key of which any %i of %i shares are the key', (threshold, n) => {
    const shares = keyOf(scheme, threshold, n);
    const group = groupOf(shares);
    expect(group).toMatchObject({ scheme, epoch: 0, threshold, parties: partyNames.slice(0, n) });
    expect(group.policy).toBe(`thresh(${threshold},${group.parties.join(',')})`);
    expect(group.keyId).toBe(keyIdOf(scheme, group.publicKey));
    expect(group.commitments).toHaveLength(threshold);
    expect(group.chainCode).toHaveLength(32);
    for (const [party, share] of shares) {
      expect(share.party).toBe(party);
      expect(protocolFor(scheme).checkShare(share)).toBe(true);
      expect(hex(publicKeyOf(scheme, share.secret.reveal()))).toBe(
        hex(theOne(group.verifyingShares[group.parties.indexOf(party)])),
      );
    }
    const points = [...shares.values()].map((share, i) => pointOf(scheme, i + 1, share));
    for (let from = 0; from + threshold <= n; from += 1) {
      const secret = interpolate(scheme, points.slice(from, from + threshold));
      expect(hex(publicKeyOf(scheme, secret))).toBe(hex(group.publicKey));
    }
    // One share fewer interpolates to some other key.
    expect(hex(publicKeyOf(scheme, interpolate(scheme, points.slice(1, threshold))))).not.toBe(
      hex(group.publicKey),
    );
  });

  it.each(sizes)(
    '%i of %i: does not depend on the order, splitting or batching of messages',
    (threshold, n) => {
      const expected = JSON.stringify(groupOf(keyOf(scheme, threshold, n)));
      const starts = keygenStarts(scheme, threshold, partyNames.slice(0, n), `${scheme} ${threshold} ${n}`);
      fc.assert(
        fc.property(choices, (numbers) => {
          expect(JSON.stringify(groupOf(resultsOf(starts, pickFrom(numbers))))).toBe(expected);
        }),
        { numRuns: n > 3 ? 1 : 6 },
      );
    },
  );

  it('shows the pending share before confirmation, with the messages that confirm it, and then yields that share', () => {
    fc.assert(
      fc.property(choices, (numbers) => {
        const { exposures, results } = run(keygenStarts(scheme, 2, partyNames.slice(0, 3), 'pending'), {
          pick: pickFrom(numbers),
        });
        expect(results.size).toBe(3);
        for (const [party, result] of results) {
          const shown = exposures.get(party) ?? [];
          // None when every confirmation was there already: then nothing is pending any more.
          const [first, ...later] = shown;
          if (first !== undefined) expect(first.outgoing).toBeGreaterThanOrEqual(2);
          for (const { round } of shown) expect(round).toBe(3);
          for (const { outgoing } of later) expect(outgoing).toBe(0);
          // The very object, secret included.
          for (const { pending } of shown) expect(pending).toBe(result);
        }
      }),
      { numRuns: 6 },
    );
    const inOrder = run(keygenStarts(scheme, 2, partyNames.slice(0, 2), 'pending'));
    expect([...inOrder.exposures.values()].map((shown) => shown.length)).toEqual([1, 1]);
  });

  it('makes another key each time, and with another session', () => {
    const parties = partyNames.slice(0, 2);
    const keysOf = (seed: string, session?: Uint8Array): string =>
      hex(groupOf(resultsOf(keygenStarts(scheme, 2, parties, seed, session))).publicKey);
    expect(keysOf('a')).not.toBe(keysOf('b'));
    const session = sha256('one session');
    const fresh = (): string => {
      const params = { scheme, session, policy: 'and(phone,server)', parties, threshold: 2 };
      return hex(
        groupOf(
          resultsOf(
            new Map(parties.map((me) => [me, () => protocolFor(scheme).startKeygen({ ...params, me })])),
          ),
        ).publicKey,
      );
    };
    expect(fresh()).not.toBe(fresh());
  });

  it('agrees on a chain code that every party influences', () => {
    const parties = partyNames.slice(0, 2);
    const starts = keygenStarts(scheme, 2, parties, 'chain');
    const others = keygenStarts(scheme, 2, parties, 'other chain', sha256('session chain'));
    const codes = [undefined, ...parties].map((changed) => {
      const start = theOne((changed === undefined ? starts : others).get(changed ?? 'phone'));
      return hex(groupOf(resultsOf(new Map([...starts, [changed ?? 'phone', start]]))).chainCode);
    });
    expect(new Set(codes).size).toBe(3);
  });

  const good: KeygenParams = {
    scheme,
    session: new Uint8Array(32),
    policy: 'and(phone,server)',
    parties: ['phone', 'server'],
    threshold: 2,
    me: 'phone',
  };
  const many = Array.from({ length: 33 }, (_, i) => `p${i}`);
  it.each<readonly [string, Partial<KeygenParams>, string]>([
    ['a session of 31 bytes', { session: new Uint8Array(31) }, 'input/invalid-argument'],
    ['a session of 33 bytes', { session: new Uint8Array(33) }, 'input/invalid-argument'],
    ['no session', { session: new Uint8Array(0) }, 'input/invalid-argument'],
    ['no parties', { parties: [] }, 'input/invalid-argument'],
    ['one party', { parties: ['phone'], threshold: 1 }, 'input/invalid-argument'],
    ['33 parties', { parties: many, me: 'p0' }, 'input/invalid-argument'],
    ['a party twice', { parties: ['phone', 'phone', 'server'] }, 'input/invalid-argument'],
    ['a nameless party', { parties: ['phone', ''] }, 'input/invalid-argument'],
    ['a name no share file holds', { parties: ['phone', 'x'.repeat(33)] }, 'input/invalid-argument'],
    ['no policy', { policy: '' }, 'input/invalid-argument'],
    ['a policy no share file holds', { policy: 'x'.repeat(4097) }, 'input/invalid-argument'],
    ['threshold 0', { threshold: 0 }, 'input/invalid-argument'],
    ['threshold 1', { threshold: 1 }, 'input/invalid-argument'],
    ['a threshold over the number of parties', { threshold: 3 }, 'input/invalid-argument'],
    ['a negative threshold', { threshold: -2 }, 'input/invalid-argument'],
    ['a fractional threshold', { threshold: 1.5 }, 'input/invalid-argument'],
    ['threshold NaN', { threshold: Number.NaN }, 'input/invalid-argument'],
    ['a stranger', { me: 'mallory' }, 'abort/unknown-party'],
    [
      'another FROST scheme',
      { scheme: scheme === 'ed25519' ? 'schnorr-secp256k1' : 'ed25519' },
      'input/invalid-argument',
    ],
    ['an ECDSA scheme', { scheme: 'ecdsa-p256' }, 'input/invalid-argument'],
  ])('refuses %s', (_name, change, code) => {
    expect(codeOf(() => protocolFor(scheme).startKeygen({ ...good, ...change }))).toBe(code);
  });

  it('takes the largest key there is', () => {
    const step = protocolFor(scheme).startKeygen({
      ...good,
      policy: `and(${many.slice(0, 32).join(',')})`,
      parties: many.slice(0, 32),
      threshold: 32,
      me: 'p31',
    });
    expect(step.status).toBe('running');
    expect(step.outgoing).toHaveLength(31);
  });

  it('makes a key with which its parties sign', () => {
    const shares = keyOf(scheme, 2, 2);
    const request = plain(sha256('first use'));
    const [signature] = resultsOf(signStarts(shares, ['phone', 'server'], request, 'first use')).values();
    expect(protocolFor(scheme).verify(groupOf(shares), request, theOne(signature))).toBe(true);
  });
});

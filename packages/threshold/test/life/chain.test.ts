import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { protocolFor, type PartyId } from '../../src/index.ts';
import {
  dealKey,
  groupOf,
  interpolate,
  names,
  refresh,
  repair,
  reshare,
  schnorrSchemes,
  shareOf,
  sign,
  signRun,
  subsets,
  type Shares,
} from './setup.ts';

type Act =
  | { readonly kind: 'refresh' }
  | { readonly kind: 'repair'; readonly target: number; readonly order: readonly number[] }
  | {
      readonly kind: 'reshare';
      readonly order: readonly number[];
      readonly parties: readonly PartyId[];
      readonly threshold: number;
    };

/** More than enough random numbers to put the parties of a key into an order. */
const order = fc.array(fc.nat(1000), { minLength: 5, maxLength: 5 });
const sharing = fc
  .shuffledSubarray([...names], { minLength: 2, maxLength: 5 })
  .chain((parties) => fc.tuple(fc.constant(parties), fc.integer({ min: 2, max: parties.length })));
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant('refresh' as const) }),
  fc.record({ kind: fc.constant('repair' as const), target: fc.nat(), order }),
  fc.tuple(order, sharing).map(([random, [parties, threshold]]) => ({
    kind: 'reshare' as const,
    order: random,
    parties,
    threshold,
  })),
);

/** Some of the parties, as many as asked for, in policy order. */
const choose = (parties: readonly PartyId[], count: number, random: readonly number[]): PartyId[] => {
  const ranked = parties.map((party, i) => [random[i % random.length]!, i, party] as const);
  const chosen = ranked.sort(([a, i], [b, j]) => a - b || i - j).slice(0, count);
  return chosen.sort(([, i], [, j]) => i - j).map(([, , party]) => party);
};

const apply = (shares: Shares, step: Act, seed: string): Shares => {
  const { parties, threshold } = groupOf(shares);
  if (step.kind === 'refresh') return refresh(shares, seed);
  if (step.kind === 'reshare')
    return reshare(shares, choose(parties, threshold, step.order), step.parties, step.threshold, seed);
  const target = parties[step.target % parties.length]!;
  const others = parties.filter((party) => party !== target);
  // An n-of-n key has no quorum without the target: a lost share is final there.
  if (others.length < threshold) return shares;
  const left = new Map([...shares].filter(([party]) => party !== target));
  return new Map([...shares, ...repair(left, choose(others, threshold, step.order), target, seed)]);
};

describe.each(schnorrSchemes)('any life of a %s key', (scheme) => {
  const protocol = protocolFor(scheme);
  const request = { message: new Uint8Array([42]), digest: 'none' } as const;

  it('leaves a key that every quorum and no smaller set has', () => {
    fc.assert(
      fc.property(sharing, fc.array(act, { minLength: 1, maxLength: 4 }), ([parties, threshold], acts) => {
        const { shares: first, privateKey } = dealKey(scheme, parties, threshold, 'chain');
        let shares = first;
        for (const [i, step] of acts.entries()) {
          const next = apply(shares, step, `step ${i}`);
          const [before, after] = [groupOf(shares), groupOf(next)];
          expect(after.epoch).toBe(before.epoch + (step.kind === 'repair' ? 0 : 1));
          // A share of the epoch before does not stand in for one of this epoch.
          for (const party of after.parties.filter((name) => before.parties.includes(name)).slice(0, 1)) {
            const stale = { ...shareOf(next, party), secret: shareOf(shares, party).secret };
            expect(protocol.checkShare(stale)).toBe(step.kind === 'repair');
          }
          shares = next;
        }
        const group = groupOf(shares);
        const { keyId, publicKey, chainCode } = groupOf(first);
        expect(group).toMatchObject({ scheme, keyId, publicKey, chainCode });
        for (const share of shares.values()) {
          expect(share.group).toEqual(group);
          expect(protocol.checkShare(share)).toBe(true);
        }
        for (const quorum of subsets(group.parties, group.threshold)) {
          expect(interpolate(shares, quorum)).toBe(privateKey);
          const few = quorum.slice(1);
          expect(interpolate(shares, few)).not.toBe(privateKey);
          expect(() => signRun(shares, few, request, 'few')).toThrow(
            expect.objectContaining({ code: 'policy/unsatisfied' }),
          );
        }
        const quorum = choose(group.parties, group.threshold, [3, 1, 4, 1, 5]);
        expect(protocol.verify(groupOf(first), request, sign(shares, quorum, request, 'sign'))).toBe(true);
      }),
      { numRuns: 8 },
    );
  });
});

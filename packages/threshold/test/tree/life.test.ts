/** Refresh, repair and reshare between any policies. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { helpersOf, minimalQuorums, parsePolicy } from '@keepset/access';
import { protocolFor, type PartyId } from '../../src/index.ts';
import {
  dealUnder,
  groupOf,
  refresh,
  repair,
  repairStarts,
  reshareTo,
  runNetwork,
  schnorrSchemes,
  shareOf,
  sign,
  type Shares,
} from '../life/setup.ts';
import { keyPolicy, setsOf, sharingFor, weightedPolicy } from '../policies.ts';

const request = { message: new Uint8Array([1, 2, 3]), digest: 'none' } as const;
const anyPolicy = fc.oneof(keyPolicy(5), weightedPolicy(6, 4));
const quorumsOf = (text: string): readonly (readonly PartyId[])[] =>
  minimalQuorums(parsePolicy(text, { allowRepeats: true }));

/** That these are whole shares of the key as it was, under the policy, and that quorums of it sign. */
const expectKey = (shares: Shares, before: Shares, text: string, seed: string): void => {
  const { scheme, keyId, publicKey, chainCode, epoch } = groupOf(before);
  const protocol = protocolFor(scheme);
  const group = groupOf(shares);
  expect(group).toMatchObject({ ...sharingFor(text), keyId, publicKey, chainCode, epoch: epoch + 1 });
  for (const share of shares.values()) {
    expect(share.group).toEqual(group);
    expect(protocol.checkShare(share)).toBe(true);
  }
  for (const quorum of quorumsOf(text).slice(0, 2))
    expect(protocol.verify(group, request, sign(shares, quorum, request, `${seed} ${quorum.join()}`))).toBe(
      true,
    );
};

describe.each(schnorrSchemes)('%s', (scheme) => {
  it('a refresh gives new shares of the same key', () => {
    fc.assert(
      fc.property(anyPolicy, (text) => {
        const { shares } = dealUnder(scheme, text, text);
        const fresh = refresh(shares, 'refresh');
        expectKey(fresh, shares, text, 'refresh');
        for (const [party, share] of fresh)
          expect(share.secret.reveal()).not.toEqual(shareOf(shares, party).secret.reveal());
      }),
      { numRuns: 6 },
    );
  });

  it('a repair gives back exactly the lost share, whoever can help', () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(), (text, pick) => {
        const { shares } = dealUnder(scheme, text, text);
        const { parties } = groupOf(shares);
        const target = parties[pick % parties.length]!;
        const able = helpersOf(parsePolicy(text, { allowRepeats: true }), target);
        if (able === undefined) return;
        for (const helpers of minimalQuorums(able).slice(0, 3)) {
          const inOrder = parties.filter((party) => helpers.includes(party));
          const share = shareOf(repair(shares, inOrder, target, inOrder.join()), target);
          expect(share.secret.reveal()).toEqual(shareOf(shares, target).secret.reveal());
          expect(protocolFor(scheme).checkShare(share)).toBe(true);
        }
      }),
      { numRuns: 10 },
    );
  });

  it('a reshare takes any policy to any other', () => {
    fc.assert(
      fc.property(anyPolicy, anyPolicy, fc.nat(), (text, next, pick) => {
        const { shares } = dealUnder(scheme, text, text);
        const quorums = quorumsOf(text);
        const dealers = quorums[pick % quorums.length]!;
        const inOrder = groupOf(shares).parties.filter((party) => dealers.includes(party));
        expectKey(reshareTo(shares, inOrder, next, 'reshare'), shares, next, 'reshare');
      }),
      { numRuns: 8 },
    );
  });

  it('shares of two epochs do not add up, also not where the policy is the same', () => {
    const text = 'and(server,or(phone,thresh(2,laptop,tablet)))';
    const { shares } = dealUnder(scheme, text, 'epochs');
    const fresh = refresh(shares, 'epochs');
    const mixed = new Map([...fresh, ['phone', { ...shareOf(shares, 'phone'), group: groupOf(fresh) }]]);
    expect(protocolFor(scheme).checkShare(shareOf(mixed, 'phone'))).toBe(false);
  });

  it('who cannot act cannot deal, and who cannot help cannot start', () => {
    const text = 'and(server,or(phone,thresh(2,laptop,tablet)))';
    const { shares } = dealUnder(scheme, text, 'few');
    for (const few of setsOf(text, false).filter(({ length }) => length > 0))
      expect(() => reshareTo(shares, few, 'and(a,b)', 'few')).toThrow(
        expect.objectContaining({ code: 'policy/unsatisfied' }),
      );
    expect(() => runNetwork(repairStarts(shares, ['server', 'phone'], 'tablet', 'few'))).toThrow(
      expect.objectContaining({
        code: 'policy/unsatisfied',
        hint: expect.stringContaining('laptop') as string,
      }),
    );
  });

  it('from flat to nested and back, through every ceremony, it stays one key', () => {
    const nested = 'and(server,or(phone,thresh(2,laptop,tablet)))';
    const { shares } = dealUnder(scheme, 'thresh(2,phone,server)', 'journey');
    const tree = reshareTo(shares, ['phone', 'server'], nested, 'there');
    expectKey(tree, shares, nested, 'there');
    const fresh = refresh(tree, 'fresh');
    expectKey(fresh, tree, nested, 'fresh');
    const lost = new Map([...fresh].filter(([party]) => party !== 'tablet'));
    const found = repair(lost, ['server', 'phone', 'laptop'], 'tablet', 'found');
    expect(shareOf(found, 'tablet').secret.reveal()).toEqual(shareOf(fresh, 'tablet').secret.reveal());
    const whole = new Map([...fresh, ['tablet', shareOf(found, 'tablet')]]);
    const back = reshareTo(whole, ['server', 'laptop', 'tablet'], 'thresh(2,phone,server)', 'back');
    expectKey(back, fresh, 'thresh(2,phone,server)', 'back');
  });
});

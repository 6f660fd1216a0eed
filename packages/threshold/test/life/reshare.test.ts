import { describe, expect, it } from 'vitest';
import { decodeKeyShare, encodeKeyShare, protocolFor, type PartyId } from '../../src/index.ts';
import {
  dealKey,
  groupOf,
  heldShares,
  interpolate,
  names,
  policyOf,
  reshare,
  reshareStarts,
  resultsOf,
  runNetwork,
  schnorrSchemes,
  shareOf,
  sign,
  subsets,
  type Shares,
} from './setup.ts';

const request = { message: new Uint8Array([7, 8, 9]), digest: 'none' } as const;

describe.each(schnorrSchemes)('reshare of %s', (scheme) => {
  const protocol = protocolFor(scheme);

  const expectKey = (shares: Shares, privateKey: bigint): void => {
    const group = groupOf(shares);
    for (const share of shares.values()) {
      expect(share.group).toEqual(group);
      expect(protocol.checkShare(decodeKeyShare(encodeKeyShare(share)))).toBe(true);
    }
    for (const quorum of subsets(group.parties, group.threshold))
      expect(interpolate(shares, quorum)).toBe(privateKey);
    if (group.threshold > 2)
      for (const few of subsets(group.parties, group.threshold - 1))
        expect(interpolate(shares, few)).not.toBe(privateKey);
    const quorum = group.parties.slice(-group.threshold);
    expect(protocol.verify(group, request, sign(shares, quorum, request, 'sign'))).toBe(true);
  };

  it('grows from 2-of-2 to 2-of-3 to 3-of-5 and shrinks back, same key throughout', () => {
    const { shares: first, privateKey } = dealKey(scheme, ['phone', 'server'], 2, 'growth');
    const second = reshare(first, ['phone', 'server'], ['phone', 'server', 'usb'], 2, 'one');
    expectKey(second, privateKey);
    const five: PartyId[] = ['server', 'usb', 'ipad', 'phone', 'paper'];
    const third = reshare(second, ['phone', 'usb'], five, 3, 'two');
    expectKey(third, privateKey);
    const fourth = reshare(third, ['usb', 'phone', 'paper'], ['ipad', 'cloud'], 2, 'three');
    expectKey(fourth, privateKey);
    const { keyId, publicKey, chainCode } = groupOf(first);
    expect(groupOf(fourth)).toMatchObject({
      keyId,
      publicKey,
      chainCode,
      epoch: 3,
      policy: policyOf(['ipad', 'cloud'], 2),
      parties: ['ipad', 'cloud'],
      threshold: 2,
    });
  });

  it('removes a party that does not take part', () => {
    const { shares, privateKey } = dealKey(scheme, ['phone', 'server', 'usb'], 2, 'removal');
    const left = reshare(shares, ['phone', 'server'], ['phone', 'server'], 2, 'removal');
    expectKey(left, privateKey);
    // What the removed party still has is worth nothing with a new share, at whatever place it is put.
    const stale = shareOf(shares, 'usb').secret;
    for (const party of groupOf(left).parties) {
      const mixed = new Map(left).set(party, { ...shareOf(left, party), secret: stale });
      expect(interpolate(mixed, ['phone', 'server'])).not.toBe(privateKey);
    }
  });

  it('replaces a party that lost its share, without that party dealing', () => {
    const { shares, privateKey } = dealKey(scheme, ['phone', 'server', 'usb'], 2, 'replacement');
    const whole = reshare(shares, ['server', 'usb'], ['phone', 'server', 'usb'], 2, 'replacement');
    expectKey(whole, privateKey);
  });

  it('gives a dealer that leaves the new public data and no share', () => {
    const { shares } = dealKey(scheme, ['phone', 'server'], 2, 'leaving');
    const starts = reshareStarts(shares, ['phone', 'server'], ['server', 'usb'], 2, 'leaving');
    const results = resultsOf(runNetwork(starts));
    expect(results.get('phone')!.share).toBeUndefined();
    expect(results.get('phone')!.group).toEqual(results.get('usb')!.group);
    expect(heldShares(results).size).toBe(2);
  });

  it('shows everyone the outcome as pending before the last round', () => {
    const { shares } = dealKey(scheme, ['phone', 'server'], 2, 'pending');
    const starts = reshareStarts(shares, ['phone', 'server'], ['server', 'usb', 'ipad'], 3, 'pending');
    const { outcomes } = runNetwork(starts, (message) => (message.round === 3 ? undefined : message));
    for (const [party, outcome] of outcomes) {
      if (outcome.status !== 'waiting') throw new Error('not waiting');
      expect(outcome.pending!.group.epoch).toBe(1);
      expect(outcome.pending!.share?.party).toBe(party === 'phone' ? undefined : party);
    }
  });

  it('keeps two reshares of the same epoch apart', () => {
    const { shares } = dealKey(scheme, names.slice(0, 3), 2, 'fork');
    const one = reshare(shares, ['phone', 'server'], names.slice(0, 3), 2, 'one');
    const other = reshare(shares, ['server', 'usb'], names.slice(0, 3), 2, 'other');
    const mixed = new Map(one).set('usb', shareOf(other, 'usb'));
    expect(() => sign(mixed, ['phone', 'usb'], request, 'fork')).toThrow(
      expect.objectContaining({ code: 'abort/wrong-session' }),
    );
  });
});

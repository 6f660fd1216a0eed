/** ECDSA keys under any policy; the property runs over the transparent group, one life of a key over the real curves. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimalQuorums, parsePolicy } from '@keepset/access';
import { startEcdsaPresign } from '../../src/ecdsa/presign.ts';
import { decodeSecret, encodeSecret } from '../../src/ecdsa/secret.ts';
import { verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite, type EcdsaSuite } from '../../src/ecdsa/suites.ts';
import { decodeKeyShare, encodeKeyShare, protocolFor, type KeyShare, type PartyId } from '../../src/index.ts';
import { keygenUnder, presignStarts, resultsOf, runNetwork, signStarts } from '../ecdsa/network.ts';
import { transparentSuite } from '../ecdsa/transparent.ts';
import { groupOf, refresh, repair, reshareTo, shareOf, sign, type Shares } from '../life/setup.ts';
import { keyPolicy, setsOf, weightedPolicy } from '../policies.ts';

const request = { message: new Uint8Array([5, 6]), digest: 'sha256' } as const;
const makeUnder = (suite: EcdsaSuite, text: string): Map<PartyId, KeyShare> =>
  resultsOf(runNetwork(keygenUnder(suite, text, text)));

const expectSigned = (
  suite: EcdsaSuite,
  shares: Map<PartyId, KeyShare>,
  quorum: readonly PartyId[],
): void => {
  const results = resultsOf(runNetwork(signStarts(suite, shares, quorum, request, quorum.join())));
  expect(new Set([...results.values()].map(String)).size).toBe(1);
  expect(verifyEcdsa(suite, groupOf(shares).publicKey, request, results.get(quorum[0]!)!)).toBe(true);
};

describe('over the transparent group', () => {
  const suite = transparentSuite;

  it('every minimal quorum signs and presigns, every other set is refused', () => {
    fc.assert(
      fc.property(fc.oneof(keyPolicy(4), weightedPolicy(5, 3)), (text) => {
        const shares = makeUnder(suite, text);
        for (const quorum of minimalQuorums(parsePolicy(text, { allowRepeats: true })).slice(0, 2)) {
          expectSigned(suite, shares, quorum);
          const presigned = resultsOf(runNetwork(presignStarts(suite, shares, quorum, 'pre')));
          expect(new Set([...presigned.values()].map(({ id }) => String(id))).size).toBe(1);
        }
        for (const few of setsOf(text, false).filter(({ length }) => length > 0)) {
          const unsatisfied = expect.objectContaining({ code: 'policy/unsatisfied' }) as unknown;
          expect(signStarts(suite, shares, few, request, 'few').get(few[0]!)!).toThrow(unsatisfied);
          const share = shareOf(shares, few[0]!);
          expect(() => startEcdsaPresign(suite, { share, session: new Uint8Array(32), quorum: few })).toThrow(
            unsatisfied,
          );
        }
      }),
      { numRuns: 6 },
    );
  });

  it('signs with several sub-shares', () => {
    const shares = makeUnder(suite, 'thresh(3,phone,phone,server,usb)');
    expect(decodeSecret(suite.curve, shareOf(shares, 'phone')).shares).toHaveLength(2);
    expectSigned(suite, shares, ['phone', 'usb']);
  });

  it('a secret of another number of sub-shares is damaged', () => {
    const shares = makeUnder(suite, 'and(server,or(phone,usb))');
    const share = shareOf(shares, 'phone');
    const opened = decodeSecret(suite.curve, share);
    const twice = encodeSecret(suite.curve, { ...opened, shares: [...opened.shares, ...opened.shares] });
    expect(() => decodeSecret(suite.curve, { ...share, secret: twice })).toThrow(
      expect.objectContaining({ code: 'place/damaged' }),
    );
  });
});

describe('over the real curves', () => {
  it('a key goes from flat to nested, is refreshed and repaired, and goes back', () => {
    const protocol = protocolFor('ecdsa-secp256k1');
    const suite = ecdsaSecp256k1Suite;
    const first = makeUnder(suite, 'thresh(2,phone,server)');
    const { publicKey } = groupOf(first);
    const check = (shares: Shares, quorum: readonly PartyId[]): void => {
      for (const share of shares.values())
        expect(protocol.checkShare(decodeKeyShare(encodeKeyShare(share)))).toBe(true);
      expect(groupOf(shares).publicKey).toEqual(publicKey);
      const signature = sign(shares, quorum, request, quorum.join());
      expect(protocol.verify(groupOf(shares), request, signature)).toBe(true);
    };
    const tree = reshareTo(first, ['phone', 'server'], 'and(server,or(phone,usb))', 'there');
    const fresh = refresh(tree, 'fresh');
    check(fresh, ['server', 'phone']);
    const left = new Map([...fresh].filter(([party]) => party !== 'usb'));
    const repaired = repair(left, ['server', 'phone'], 'usb', 'repaired');
    expect(decodeSecret(suite.curve, shareOf(repaired, 'usb')).shares).toEqual(
      decodeSecret(suite.curve, shareOf(fresh, 'usb')).shares,
    );
    check(repaired, ['server', 'usb']);
    check(reshareTo(repaired, ['server', 'usb'], 'thresh(2,phone,server)', 'back'), ['phone', 'server']);
  });

  it('a nested P-256 key signs for a child', () => {
    const shares = makeUnder(ecdsaP256Suite, 'and(server,or(phone,usb))');
    const about = { ...request, path: [4, 2] };
    const signature = sign(shares, ['server', 'usb'], about, 'child');
    expect(protocolFor('ecdsa-p256').verify(groupOf(shares), about, signature)).toBe(true);
  });
});

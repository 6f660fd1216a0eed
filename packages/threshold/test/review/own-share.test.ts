/** A party whose own data are wrong finds that out itself: no honest peer is blamed, and nothing is made that no file can hold. */
import { describe, expect, it } from 'vitest';
import { decodeAs, encodeCbor, utf8ToBytes } from '@keepset/bytes';
import {
  decodeKeyShare,
  encodeKeyShare,
  protocolFor,
  type KeyShare,
  type SignRequest,
} from '../../src/index.ts';
import { startEcdsaKeygen } from '../../src/ecdsa/keygen.ts';
import { decodeSecret, encodeSecret } from '../../src/ecdsa/secret.ts';
import { ecdsaP256Suite } from '../../src/ecdsa/suites.ts';
import { bodySchema } from '../../src/life/messages.ts';
import { makeKey, partyNames, presignStarts, sessionOf, signStarts } from '../ecdsa/network.ts';
import { transparentSuite as suite } from '../ecdsa/transparent.ts';
import { dealKey, groupOf, heldShares, policyOf, resultsOf, runNetwork, shareOf } from '../life/setup.ts';

describe('an ECDSA share whose scalar is not its holder’s', () => {
  const quorum = ['phone', 'server'];
  const request: SignRequest = { message: utf8ToBytes('pay'), digest: 'sha256' };
  const key = makeKey(suite, 2, quorum, 'own share');

  it.each([1n, 0n])('signs and presigns nothing, so that no ban comes of it (%i)', (wrong) => {
    const phone = key.get('phone')!;
    const opened = decodeSecret(suite.curve, phone);
    const share = wrong === 0n ? 0n : suite.curve.reduce(opened.shares[0]! + wrong);
    const spoilt: KeyShare = { ...phone, secret: encodeSecret(suite.curve, { ...opened, shares: [share] }) };
    const shares = new Map([...key, ['phone', spoilt]]);
    const damaged = expect.objectContaining({ code: 'place/damaged', culprits: [] }) as unknown;
    expect(signStarts(suite, shares, quorum, request, 'damaged').get('phone')!).toThrow(damaged);
    expect(presignStarts(suite, shares, quorum, 'damaged').get('phone')!).toThrow(damaged);
  });
});

describe('a sharing that no share file can hold', () => {
  const { shares } = dealKey('ed25519', ['phone', 'server'], 2, 'unholdable');
  const group = groupOf(shares);
  const next = { policy: policyOf(['phone', 'usb'], 2), parties: ['phone', 'usb'], threshold: 2 };
  const reshareTo = (sharing: typeof next): Map<string, KeyShare> => {
    const run = runNetwork(
      new Map(
        ['phone', 'server', ...sharing.parties.slice(1)].map((me) => {
          const own = group.parties.includes(me) ? { share: shareOf(shares, me) } : {};
          const params = {
            session: sessionOf('r'),
            group,
            dealers: group.parties,
            next: sharing,
            me,
            ...own,
          };
          return [me, () => protocolFor('ed25519').startReshare(params)];
        }),
      ),
    );
    return new Map(heldShares(resultsOf(run)));
  };

  it.each([
    ['a policy that is empty', { ...next, policy: '' }],
    ['a policy that is too long', { ...next, policy: `thresh(2,phone,${'u'.repeat(4096)})` }],
    ['a name that is empty', { ...next, parties: ['phone', ''] }],
    ['a name that is too long', { ...next, parties: ['phone', 'u'.repeat(33)] }],
  ])('is refused before anything is dealt: %s', (_name, sharing) => {
    expect(() => reshareTo(sharing)).toThrow(expect.objectContaining({ code: 'input/invalid-argument' }));
  });

  it('is none at the limits: the new shares can be written and read', () => {
    const longest = {
      ...next,
      policy: `and(phone,${' '.repeat(4096 - 43)}${'u'.repeat(32)})`,
      parties: ['phone', 'u'.repeat(32)],
    };
    expect(longest.policy).toHaveLength(4096);
    for (const share of reshareTo(longest).values())
      expect(decodeKeyShare(encodeKeyShare(share)).group).toEqual(share.group);
  });
});

it('an ECDSA keygen refuses the name of another scheme, as the Schnorr one does', () => {
  const parties = partyNames.slice(0, 2);
  const params = {
    scheme: suite.scheme,
    session: sessionOf('k'),
    policy: `and(${parties.join(',')})`,
    parties,
    threshold: 2,
    me: parties[0]!,
  };
  expect(() => startEcdsaKeygen(ecdsaP256Suite, params)).toThrow(
    expect.objectContaining({ code: 'input/invalid-argument' }),
  );
});

it.each([
  ['an empty list', []],
  ['an empty byte string', new Uint8Array(0)],
  ['null', null],
  ['text', ''],
])('a body without fields is an empty map, not %s', (_name, value) => {
  const schema = bodySchema<{ setup?: object }>({ setup: undefined });
  expect(decodeAs(schema, encodeCbor({}), 'body')).toEqual({});
  expect(() => decodeAs(schema, encodeCbor(value), 'body')).toThrow(
    expect.objectContaining({ code: 'wire/malformed' }),
  );
});

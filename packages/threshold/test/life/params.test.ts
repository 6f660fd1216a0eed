import { describe, expect, it } from 'vitest';
import { KeepsetError, toHex } from '@keepset/bytes';
import {
  protocolFor,
  refreshContext,
  repairContext,
  reshareContext,
  type GroupKey,
  type RepairParams,
  type ReshareParams,
} from '../../src/index.ts';
import { dealKey, groupOf, names, policyOf, refresh, sessionOf, shareOf } from './setup.ts';

const parties = names.slice(0, 4);
const { shares } = dealKey('ed25519', parties, 2, 'params');
const group = groupOf(shares);
const stranger = dealKey('ed25519', parties, 2, 'another key').shares;
const later = refresh(shares, 'later');
const protocol = protocolFor('ed25519');
const session = sessionOf('params');

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'accepted';
};

describe('startRepair', () => {
  const helper: RepairParams = {
    session,
    group,
    helpers: ['phone', 'server'],
    target: 'usb',
    me: 'phone',
    share: shareOf(shares, 'phone'),
  };
  const { share: _, ...target }: RepairParams = { ...helper, me: 'usb' };
  const { share: __, ...bare } = helper;

  it('starts for a helper with its share and for the target without', () => {
    expect(codeOf(() => protocol.startRepair(helper))).toBe('accepted');
    expect(codeOf(() => protocol.startRepair(target))).toBe('accepted');
  });

  it.each<[string, RepairParams, string]>([
    ['a short session', { ...helper, session: session.subarray(1) }, 'input/invalid-argument'],
    ['too few helpers', { ...helper, helpers: ['phone'] }, 'policy/unsatisfied'],
    ['no helpers', { ...target, helpers: [] }, 'policy/unsatisfied'],
    ['a helper twice', { ...helper, helpers: ['phone', 'phone'] }, 'input/invalid-argument'],
    ['helpers out of order', { ...helper, helpers: ['server', 'phone'] }, 'input/invalid-argument'],
    ['a helper that is no party', { ...helper, helpers: ['phone', 'cloud'] }, 'abort/unknown-party'],
    ['a target that is no party', { ...helper, target: 'cloud' }, 'abort/unknown-party'],
    ['a target that helps', { ...helper, target: 'server' }, 'input/invalid-argument'],
    ['someone who takes no part', { ...bare, me: 'ipad' }, 'abort/unknown-party'],
    ['a helper without a share', bare, 'input/invalid-argument'],
    ['a target with a share', { ...target, share: shareOf(shares, 'usb') }, 'input/invalid-argument'],
    ['another party’s share', { ...helper, share: shareOf(shares, 'ipad') }, 'abort/unknown-party'],
    ['a share of the next epoch', { ...helper, share: shareOf(later, 'phone') }, 'abort/wrong-epoch'],
    ['a share of another key', { ...helper, share: shareOf(stranger, 'phone') }, 'input/invalid-argument'],
    [
      'a share with another chain code',
      {
        ...helper,
        share: { ...shareOf(shares, 'phone'), group: { ...group, chainCode: new Uint8Array(32) } },
      },
      'input/invalid-argument',
    ],
    [
      'a damaged secret',
      { ...helper, share: { ...shareOf(shares, 'phone'), secret: shareOf(shares, 'usb').secret } },
      'place/damaged',
    ],
    [
      'another key’s id',
      { ...target, group: { ...group, keyId: groupOf(stranger).keyId } },
      'input/invalid-argument',
    ],
    [
      'another key’s verifying shares',
      { ...target, group: { ...group, verifyingShares: groupOf(stranger).verifyingShares } },
      'input/invalid-argument',
    ],
    [
      'a commitment more',
      { ...target, group: { ...group, commitments: [...group.commitments, group.publicKey] } },
      'input/invalid-argument',
    ],
    [
      'another scheme',
      { ...target, group: { ...group, scheme: 'schnorr-secp256k1' } },
      'input/invalid-argument',
    ],
  ])('refuses %s', (_name, params, code) => {
    expect(codeOf(() => protocol.startRepair(params))).toBe(code);
  });
});

describe('startReshare', () => {
  const next = { policy: policyOf(['server', 'cloud'], 2), parties: ['server', 'cloud'], threshold: 2 };
  const dealer: ReshareParams = {
    session,
    group,
    dealers: ['phone', 'server'],
    next,
    me: 'phone',
    share: shareOf(shares, 'phone'),
  };
  const { share: _, ...holder }: ReshareParams = { ...dealer, me: 'cloud' };
  const { share: __, ...bare } = dealer;
  const manyNames = Array.from({ length: 33 }, (_unused, i) => `p${i}`);

  it('starts for a dealer with its share and for a new holder without', () => {
    expect(codeOf(() => protocol.startReshare(dealer))).toBe('accepted');
    expect(codeOf(() => protocol.startReshare(holder))).toBe('accepted');
  });

  it.each<[string, ReshareParams, string]>([
    ['a short session', { ...dealer, session: new Uint8Array() }, 'input/invalid-argument'],
    ['too few dealers', { ...dealer, dealers: ['phone'] }, 'policy/unsatisfied'],
    ['a dealer that is no old party', { ...dealer, dealers: ['phone', 'cloud'] }, 'abort/unknown-party'],
    ['dealers out of order', { ...dealer, dealers: ['server', 'phone'] }, 'input/invalid-argument'],
    ['one new party', { ...dealer, next: { ...next, parties: ['cloud'] } }, 'input/invalid-argument'],
    [
      'a new party twice',
      { ...dealer, next: { ...next, parties: ['usb', 'usb'] } },
      'input/invalid-argument',
    ],
    ['threshold 1', { ...dealer, next: { ...next, threshold: 1 } }, 'input/invalid-argument'],
    ['a threshold over the number', { ...dealer, next: { ...next, threshold: 3 } }, 'input/invalid-argument'],
    ['half a threshold', { ...dealer, next: { ...next, threshold: 1.5 } }, 'input/invalid-argument'],
    ['33 parties', { ...dealer, next: { ...next, parties: manyNames } }, 'input/invalid-argument'],
    ['someone who takes no part', { ...bare, me: 'usb' }, 'abort/unknown-party'],
    ['a dealer without a share', bare, 'input/invalid-argument'],
    [
      'a share from one who does not deal',
      { ...holder, me: 'cloud', share: shareOf(shares, 'phone') },
      'input/invalid-argument',
    ],
    ['a share of the next epoch', { ...dealer, share: shareOf(later, 'phone') }, 'abort/wrong-epoch'],
    ['a share of an old epoch', { ...dealer, group: groupOf(later) }, 'abort/wrong-epoch'],
    ['a share of another key', { ...dealer, share: shareOf(stranger, 'phone') }, 'input/invalid-argument'],
    [
      'public data that do not fit',
      { ...holder, group: { ...group, commitments: [...group.commitments].reverse() } },
      'input/invalid-argument',
    ],
  ])('refuses %s', (_name, params, code) => {
    expect(codeOf(() => protocol.startReshare(params))).toBe(code);
  });
});

describe('contexts', () => {
  it('are distinct for everything a ceremony is about', () => {
    const [helpers, target] = [['phone', 'server'], 'usb'];
    const next = { policy: policyOf(parties, 2), parties, threshold: 2 };
    const dealers = helpers;
    const groups: GroupKey[] = [
      group,
      { ...group, epoch: 1 },
      { ...group, policy: 'or(a,b)' },
      { ...group, threshold: 3 },
      { ...group, parties: [...parties].reverse() },
      { ...group, chainCode: new Uint8Array(32) },
      { ...group, verifyingShares: [...group.verifyingShares].reverse() },
      groupOf(later),
      groupOf(stranger),
    ];
    const other = sessionOf('other');
    const contexts = [
      ...groups.flatMap((key) => [
        refreshContext(key, { session }),
        repairContext(key, { session, helpers, target }),
        reshareContext(key, { session, dealers, next }),
      ]),
      refreshContext(group, { session: other }),
      repairContext(group, { session: other, helpers, target }),
      repairContext(group, { session, helpers: ['phone', 'ipad'], target }),
      repairContext(group, { session, helpers, target: 'ipad' }),
      reshareContext(group, { session: other, dealers, next }),
      reshareContext(group, { session, dealers: ['phone', 'usb'], next }),
      reshareContext(group, { session, dealers, next: { ...next, policy: 'or(a,b)' } }),
      reshareContext(group, { session, dealers, next: { ...next, threshold: 3 } }),
      reshareContext(group, { session, dealers, next: { ...next, parties: parties.slice(1) } }),
    ];
    expect(new Set(contexts.map(toHex)).size).toBe(contexts.length);
  });
});

import { describe, expect, it } from 'vitest';
import { Secret } from '@keepset/bytes';
import { keyIdOf, protocolFor, supportedSchemes } from '../src/index.ts';
import type { KeyShare, PartyId, ProtocolMessage, Scheme, Step } from '../src/index.ts';

/** Runs a keygen among all parties in memory. */
const makeKey = (scheme: Scheme, parties: readonly PartyId[], threshold: number): KeyShare[] => {
  const session = new Uint8Array(32).fill(parties.length);
  const policy = `thresh(${threshold},${parties.join(',')})`;
  const machines = new Map<PartyId, Step<KeyShare>>();
  const mail: ProtocolMessage[] = [];
  const keep = (me: PartyId, step: Step<KeyShare>): void => {
    machines.set(me, step);
    mail.push(...step.outgoing);
  };
  for (const me of parties)
    keep(me, protocolFor(scheme).startKeygen({ scheme, session, policy, parties, threshold, me }));
  for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
    const step = machines.get(next.to);
    if (step?.status !== 'running') throw new Error('machine ended early');
    keep(next.to, step.advance([next]));
  }
  return parties.map((party) => {
    const step = machines.get(party);
    if (step?.status !== 'done') throw new Error(`${party} did not finish`);
    return step.result;
  });
};

const frostSchemes = supportedSchemes.filter((s) => s === 'ed25519' || s === 'schnorr-secp256k1');

describe.each(frostSchemes)('checkShare for %s', (scheme) => {
  const shares = makeKey(scheme, ['phone', 'server', 'usb'], 2);
  const checkShare = (share: KeyShare): boolean => protocolFor(scheme).checkShare(share);
  const [first, second] = shares as [KeyShare, KeyShare, KeyShare];
  const copyOf = (secret: Secret): Secret => new Secret(Uint8Array.from(secret.reveal()));
  const withGroup = (change: Partial<KeyShare['group']>): KeyShare => ({
    ...first,
    group: { ...first.group, ...change },
  });

  it('accepts every share of a real key', () => {
    expect(shares.map((share) => checkShare(share))).toEqual([true, true, true]);
  });

  it('refuses a share under another party’s name', () => {
    expect(checkShare({ ...first, secret: copyOf(second.secret) })).toBe(false);
    expect(checkShare({ ...first, party: 'usb' })).toBe(false);
    expect(checkShare({ ...first, party: 'cloud' })).toBe(false);
  });

  it('refuses every flipped byte of the secret', () => {
    for (let i = 0; i < 32; i++) {
      const secret = Uint8Array.from(first.secret.reveal());
      secret[i]! ^= 1;
      expect(checkShare({ ...first, secret: new Secret(secret) })).toBe(false);
    }
    expect(checkShare({ ...first, secret: new Secret(new Uint8Array(32)) })).toBe(false);
    expect(checkShare({ ...first, secret: new Secret(new Uint8Array(0)) })).toBe(false);
    expect(checkShare({ ...first, secret: new Secret(new Uint8Array(32).fill(255)) })).toBe(false);
  });

  it('refuses public data that do not belong together', () => {
    const other = makeKey(scheme, ['phone', 'server', 'usb'], 2)[0]!.group;
    const { commitments, verifyingShares } = first.group;
    const [a, b, c] = verifyingShares as [Uint8Array, Uint8Array, Uint8Array];
    for (const change of [
      { keyId: other.keyId },
      { publicKey: other.publicKey },
      { publicKey: other.publicKey, keyId: other.keyId },
      { publicKey: other.publicKey, keyId: keyIdOf(scheme, other.publicKey), commitments: other.commitments },
      { commitments: [...commitments].reverse() },
      { commitments: commitments.slice(0, 1) },
      { commitments: [...commitments, c] },
      { commitments: [] },
      { verifyingShares: [a, c, b] },
      { verifyingShares: [a, b] },
      { verifyingShares: [a, b, other.verifyingShares[2]!] },
      { verifyingShares: [a, b, new Uint8Array(c.length)] },
      { threshold: 3 },
      { threshold: 1, commitments: commitments.slice(0, 1) },
      { parties: ['phone', 'server'] },
      { parties: ['phone', 'server', 'server'] },
    ])
      expect(checkShare(withGroup(change)), JSON.stringify(Object.keys(change))).toBe(false);
  });
});

it('refuses a share of another scheme', () => {
  const [share] = makeKey('ed25519', ['phone', 'server'], 2) as [KeyShare];
  expect(protocolFor('schnorr-secp256k1').checkShare(share)).toBe(false);
});

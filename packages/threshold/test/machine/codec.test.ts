import { describe, expect, it } from 'vitest';
import { Secret, decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { checkedShare, decodeKeyShare, encodeKeyShare, keyIdOf, schemes } from '../../src/index.ts';
import type { KeyShare } from '../../src/index.ts';
import { keyOf, frostSchemes, hex, theOne } from '../frost/network.ts';
import { codeOf } from './support.ts';

type Fields = Record<string, CborValue>;
const fieldsOf = (share: KeyShare): { group: Fields; party: CborValue; secret: CborValue } =>
  decodeCbor(encodeKeyShare(share)) as { group: Fields; party: CborValue; secret: CborValue };

describe.each(frostSchemes)('a share of %s', (scheme) => {
  const share = theOne(keyOf(scheme, 2, 3).get('server'));
  const decode = (fields: CborValue): KeyShare => decodeKeyShare(encodeCbor(fields));
  const withGroup = (change: Fields): CborValue => {
    const fields = fieldsOf(share);
    return { ...fields, group: { ...fields.group, ...change } };
  };

  it('reads back as it was written, the secret in bytes of its own', () => {
    for (const one of keyOf(scheme, 2, 3).values()) {
      const bytes = encodeKeyShare(one);
      const read = decodeKeyShare(bytes);
      bytes.fill(0);
      expect(read.group).toEqual(one.group);
      expect(read.party).toBe(one.party);
      expect(hex(read.secret.reveal())).toBe(hex(one.secret.reveal()));
    }
  });

  it('does not read cut or with more behind it; a flipped bit is refused or reads as what it says', () => {
    const bytes = encodeKeyShare(share);
    for (let length = 0; length < bytes.length; length += 1)
      expect(codeOf(() => decodeKeyShare(bytes.slice(0, length)))).toBe('wire/malformed');
    expect(codeOf(() => decodeKeyShare(Uint8Array.from([...bytes, 0])))).toBe('wire/malformed');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = bytes.with(at, theOne(bytes[at]) ^ 1);
      const code = codeOf(() => decodeKeyShare(changed));
      if (code !== 'ok') expect(code).toMatch(/^wire\/(malformed|not-canonical)$/);
      // What is canonical and fits together is written back as it came: nothing was read past.
      else expect(hex(encodeKeyShare(decodeKeyShare(changed)))).toBe(hex(changed));
    }
  });

  it.each<readonly [string, (group: KeyShare['group']) => Fields]>([
    ['another key id', () => ({ keyId: 'a'.repeat(26) })],
    ['a key id in capitals', (group) => ({ keyId: group.keyId.toUpperCase() })],
    ['another public key', (group) => ({ publicKey: theOne(group.verifyingShares[0]) })],
    ['another scheme', () => ({ scheme: scheme === 'ed25519' ? 'ecdsa-p256' : 'ed25519' })],
    ['an unknown scheme', () => ({ scheme: 'rsa' })],
    ['a threshold that is not the number of commitments', () => ({ threshold: 3 })],
    ['threshold 1', () => ({ threshold: 1 })],
    ['threshold 0', () => ({ threshold: 0 })],
    ['a party fewer', (group) => ({ parties: group.parties.slice(1) })],
    ['a party more', (group) => ({ parties: [...group.parties, 'more'] })],
    ['a party twice', (group) => ({ parties: [...group.parties.slice(1), 'server'] })],
    ['no parties', () => ({ parties: [] })],
    ['a nameless party', () => ({ parties: ['phone', 'server', ''] })],
    ['a verifying share fewer', (group) => ({ verifyingShares: group.verifyingShares.slice(1) })],
    [
      'a verifying share too short',
      (group) => ({ verifyingShares: group.verifyingShares.map((image) => image.slice(0, 31)) }),
    ],
    ['a commitment more', (group) => ({ commitments: [...group.commitments, theOne(group.commitments[0])] })],
    ['a negative epoch', () => ({ epoch: -1 })],
    ['a chain code of 31 bytes', (group) => ({ chainCode: group.chainCode.slice(1) })],
    ['no policy', () => ({ policy: '' })],
    ['a policy of 5000 characters', () => ({ policy: 'x'.repeat(5000) })],
    ['an unknown field', () => ({ extra: 1 })],
    ['a field that is null', () => ({ chainCode: null })],
  ])('does not read with %s', (_name, change) => {
    expect(codeOf(() => decode(withGroup(change(share.group))))).toBe('wire/malformed');
  });

  it.each<readonly [string, Fields]>([
    ['a stranger as holder', { party: 'mallory' }],
    ['no holder', { party: '' }],
    ['a short secret', { secret: new Uint8Array(31) }],
    ['no secret', { secret: new Uint8Array(0) }],
    ['a secret as text', { secret: 'secret' }],
    ['no group', { group: null }],
    ['an unknown field', { extra: 1 }],
  ])('does not read with %s', (_name, change) => {
    expect(codeOf(() => decode({ ...fieldsOf(share), ...change }))).toBe('wire/malformed');
  });

  it('does not read without any one of its fields', () => {
    const fields = fieldsOf(share);
    for (const name of Object.keys(fields.group)) {
      const group = Object.fromEntries(Object.entries(fields.group).filter(([key]) => key !== name));
      expect(codeOf(() => decode({ ...fields, group }))).toBe('wire/malformed');
    }
    for (const name of Object.keys(fields))
      expect(
        codeOf(() => decode(Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name)))),
      ).toBe('wire/malformed');
  });

  it('is not written once its secret is wiped', () => {
    const secret = new Secret(Uint8Array.from(share.secret.reveal()));
    secret.wipe();
    expect(codeOf(() => encodeKeyShare({ ...share, secret }))).toBe('abort/state-consumed');
  });

  it('fits together at any epoch', () => {
    for (const epoch of [0, 1, 1000, Number.MAX_SAFE_INTEGER]) {
      const later = { ...share, group: { ...share.group, epoch } };
      expect(checkedShare(later)).toBe(later);
      expect(decodeKeyShare(encodeKeyShare(later)).group.epoch).toBe(epoch);
    }
  });
});

describe('a key id', () => {
  it('is 26 characters of base32 and tells schemes and keys apart', () => {
    const keys = [new Uint8Array(32), new Uint8Array(33), new Uint8Array(33).fill(1)];
    const ids = schemes.flatMap((scheme) => keys.map((key) => keyIdOf(scheme, key)));
    for (const id of ids) expect(id).toMatch(/^[a-z2-7]{26}$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is frozen', () => {
    expect(keyIdOf('ed25519', new Uint8Array(32))).toBe('nyo6tle7gzjmex4b3pihtkpsyy');
  });
});

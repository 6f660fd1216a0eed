import { describe, expect, it } from 'vitest';
import { createIntent, verifyDetached } from '../src/index.ts';
import { plainKey, schemes, signAll, utf8 } from './simulate.ts';

const file = utf8('a file to sign\n');

describe.each(schemes)('verifyDetached with %s', (scheme) => {
  const signer = plainKey(scheme, 12);
  const kinds =
    scheme === 'ed25519' || scheme === 'ecdsa-p256' ? (['raw', 'ssh'] as const) : (['raw'] as const);
  const signed = (kind: 'raw' | 'ssh') => {
    const intent = createIntent(kind, file, signer.key, { namespace: 'release' });
    return intent.finish(signAll(signer, intent)).bytes;
  };

  it.each(kinds)('accepts %s signatures, and only over the same file by the same key', (kind) => {
    const verdict = verifyDetached(file, signer.key, signed(kind));
    expect(verdict).toEqual({ valid: true, kind, ...(kind === 'ssh' ? { namespace: 'release' } : {}) });
    expect(verifyDetached(utf8('another'), signer.key, signed(kind)).valid).toBe(false);
    expect(verifyDetached(file, plainKey(scheme, 13).key, signed(kind)).valid).toBe(false);
  });

  it.each(kinds)('refuses %s signatures after any change of one byte, cut short or with more', (kind) => {
    const good = signed(kind);
    // The armour's first line tells the forms apart, so changes begin after it.
    for (let at = kind === 'ssh' ? 30 : 0; at < good.length; at += 3)
      expect(
        verifyDetached(
          file,
          signer.key,
          good.map((b, i) => (i === at ? b ^ 1 : b)),
        ).valid,
      ).toBe(false);
    expect(verifyDetached(file, signer.key, good.subarray(0, -1)).valid).toBe(false);
    expect(verifyDetached(file, signer.key, Uint8Array.from([...good, 10])).valid).toBe(false);
  });

  it('gives a verdict on no signature and on garbage', () => {
    for (const garbage of [
      new Uint8Array(),
      utf8('garbage'),
      new Uint8Array(64),
      new Uint8Array(5000).fill(0x30),
    ])
      expect(verifyDetached(file, signer.key, garbage)).toMatchObject({ valid: false, kind: 'raw' });
  });
});

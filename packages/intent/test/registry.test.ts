import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIntent, detectIntent, formats, kindsFor, type IntentKind } from '../src/index.ts';
import { printable } from '@keepset/bytes';
import { grouped, decimal } from '../src/text.ts';
import { caught, plainKey, schemes, shown, signAll, utf8 } from './simulate.ts';

const key = (scheme: (typeof schemes)[number]) => plainKey(scheme, 11).key;

describe('detectIntent', () => {
  it.each([
    ['ed25519', 'ssh'],
    ['ecdsa-p256', 'ssh'],
    ['schnorr-secp256k1', 'raw'],
    ['ecdsa-secp256k1', 'raw'],
  ] as const)('takes plain files with %s as %s', (scheme, kind) => {
    for (const content of ['', 'text', '{"name":"a package"}', '[1]', '{', '02', 'psbt', '\u0002abc'])
      expect(detectIntent(utf8(content), key(scheme)).kind).toBe(kind);
    expect(detectIntent(new Uint8Array(3_000).fill(0xff), key(scheme)).kind).toBe(kind);
  });

  it('asks where JSON may be a token payload, naming the choices', () => {
    for (const scheme of ['ed25519', 'ecdsa-p256'] as const) {
      const error = caught(() => detectIntent(utf8('{"sub":"me","exp":1}'), key(scheme)));
      expect(error.code).toBe('input/invalid-argument');
      expect(error.hint).toBe('Say which: --as jwt, --as ssh or --as raw.');
      for (const as of ['jwt', 'ssh', 'raw'] as const)
        expect(detectIntent(utf8('{"sub":"me","exp":1}'), key(scheme), { as }).kind).toBe(as);
    }
    expect(detectIntent(utf8('{"sub":"me","exp":1}'), key('ecdsa-secp256k1')).kind).toBe('raw');
  });

  it('says which formats the key can sign when the one found does not fit', () => {
    const error = caught(() => detectIntent(utf8('{"chainId":1,"to":null}'), key('ed25519')));
    expect(error.code).toBe('input/unsupported');
    expect(error.hint).toBe('This key signs with --as ssh, raw, jwt.');
    expect(detectIntent(utf8('{"chainId":1,"to":null}'), key('ed25519'), { as: 'ssh' }).kind).toBe('ssh');
  });

  it('refuses formats it does not know', () => {
    const error = caught(() => createIntent('pdf' as IntentKind, utf8('a'), key('ed25519')));
    expect(error.code).toBe('input/invalid-argument');
    for (const { kind } of formats) expect(error.hint).toContain(kind);
  });

  it.each(schemes)('refuses public keys of %s that are none', (scheme) => {
    const good = key(scheme).publicKey;
    const bad = [
      new Uint8Array(),
      good.subarray(1),
      new Uint8Array(good.length),
      new Uint8Array(good.length).fill(0xff),
    ];
    for (const publicKey of bad)
      expect(caught(() => detectIntent(utf8('a'), { scheme, publicKey })).code).toBe(
        'input/invalid-argument',
      );
    const unknown = { scheme: 'rsa' as 'ed25519', publicKey: good };
    expect(caught(() => detectIntent(utf8('a'), unknown)).code).toBe('input/unsupported');
  });

  it('refuses Ed25519 keys of small order', () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    expect(caught(() => detectIntent(utf8('a'), { scheme: 'ed25519', publicKey: identity })).code).toBe(
      'input/invalid-argument',
    );
  });

  it('answers any bytes with an intent or an error that is meant', () => {
    const prefixes = ['', 'psbt\u00ff', 'cHNidP8', '{', '{"chainId":1,"to":', '\u0002', '0x02', 'SSHSIG'];
    fc.assert(
      fc.property(
        fc.constantFrom(...prefixes),
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom(...schemes),
        (prefix, tail, scheme) => {
          const bytes = Uint8Array.from([...Buffer.from(prefix, 'latin1'), ...tail]);
          for (const as of [undefined, ...kindsFor(scheme)]) {
            try {
              const intent = detectIntent(bytes, key(scheme), as === undefined ? {} : { as });
              expect(intent.inputs.length).toBeGreaterThan(0);
            } catch (error) {
              expect(
                caught(() => {
                  throw error;
                }).family,
              ).toMatch(/^(?:input|policy)$/);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('every format', () => {
  it.each(
    formats
      .filter(({ kind }) => kind !== 'psbt' && kind !== 'ethereum')
      .map(({ kind, schemes }) => [kind, schemes] as const),
  )('%s shows file names and content without what acts on a terminal', (kind, fitting) => {
    const evil = '{"\\u001b[2J":"\u202e\u200b","x":"\u009b31m"}';
    for (const scheme of fitting) {
      const intent = createIntent(kind, utf8(evil), key(scheme), {
        fileName: 'a\u001b]0;b\u0007\r\nFee: 0\u202e.txt',
      });
      const made = intent.finish(signAll(plainKey(scheme, 11), intent));
      for (const part of [...shown(intent), ...made.summary])
        expect(part).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }
  });
});

describe('printable', () => {
  it.each([
    ['plain text, äöü, 漢字, عربي, हिन्दी, 😀', 'plain text, äöü, 漢字, عربي, हिन्दी, 😀'],
    ['\u001b[31m', '\\u{1b}[31m'],
    ['a\r\nb\tc', 'a\\u{d}\\u{a}b\\u{9}c'],
    ['\u009b\u007f', '\\u{9b}\\u{7f}'],
    ['a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['a\u200bb\ufeffc\u00add', 'a\\u{200b}b\\u{feff}c\\u{ad}d'],
    ['a\u2028b\u00a0c\u3000d', 'a\\u{2028}b\\u{a0}c\\u{3000}d'],
    ['\ud800x', '\\u{d800}x'],
    ['\u{e0041}', '\\u{e0041}'],
    ['\u0301a', '\\u{301}a'],
    ['a\u0301\u0301\u0301\u0301\u0301', 'a\u0301\u0301\u0301\\u{301}\\u{301}'],
    ['\\u{1b}', '\\u{5c}u{1b}'],
    ['C:\\users', 'C:\\users'],
  ])('%j becomes %j', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('leaves nothing that acts, tells different texts apart, and changes nothing twice over that is safe', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(printable(a)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        if (a !== b) expect(printable(a)).not.toBe(printable(b));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('numbers', () => {
  it('are written exactly', () => {
    expect([grouped(0), grouped(999), grouped(1000), grouped(1234567n)]).toEqual([
      '0',
      '999',
      '1,000',
      '1,234,567',
    ]);
    expect([decimal(0n, 8), decimal(1n, 8), decimal(123_456_789_012n, 8)]).toEqual([
      '0.00000000',
      '0.00000001',
      '1,234.56789012',
    ]);
    expect([decimal(0n, 18, 0), decimal(10n ** 18n, 18, 0), decimal(15n * 10n ** 17n, 18, 0)]).toEqual([
      '0',
      '1',
      '1.5',
    ]);
  });
});

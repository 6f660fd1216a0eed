import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesEqual,
  concatBytes,
  fromBase32,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase32,
  toBase64,
  toBase64Url,
  toHex,
  utf8ToBytes,
} from '../src/index.ts';
import { codeOf, unhex } from './support.ts';

/** One character of `text`. */
const oneOf = (text: string): fc.Arbitrary<string> => fc.constantFrom(...Array.from(text));
const anyBytes = fc.uint8Array({ maxLength: 200 });
const notText = [undefined, null, 1, {}, [], Uint8Array.of(1)] as unknown as readonly string[];

describe.each([
  ['hex', toHex, fromHex, 'hex'],
  ['base64', toBase64, fromBase64, 'base64'],
  ['base64url', toBase64Url, fromBase64Url, 'base64url'],
] as const)('%s', (_name, to, from, node) => {
  it('writes what Node writes and reads it back', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = to(bytes);
        expect(text).toBe(Buffer.from(bytes).toString(node));
        expect(from(text)).toEqual(bytes);
      }),
    );
  });

  it('accepts a text only if it is what it would write, letter case of hex aside', () => {
    const near = fc.string({ unit: oneOf('ABab01+/-_= \n\u017f'), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        if (codeOf(() => from(text)) === 'input/malformed') return;
        expect(to(from(text))).toBe(node === 'hex' ? text.toLowerCase() : text);
      }),
    );
  });

  it.each(notText)('refuses %j', (value) => {
    expect(codeOf(() => from(value))).toBe('input/malformed');
  });
});

it.each(['abc', '0xab', 'ag', ' ab', 'ab ', 'a\nb', 'ａｂ', 'a b', '-1', '½½'])(
  'fromHex refuses %j',
  (text) => {
    expect(codeOf(() => fromHex(text))).toBe('input/malformed');
  },
);

it.each([
  'AA',
  'AA=',
  'AAA',
  'AB==',
  'AAF=',
  'AA==AA==',
  'AA ==',
  'AAAA\n',
  '-_8=',
  '====',
  'A',
  'ÀAAA',
  'AA===',
])('fromBase64 refuses %j', (text) => {
  expect(codeOf(() => fromBase64(text))).toBe('input/malformed');
});

it.each(['AA==', 'AB', 'AAF', '+/8', 'A', 'AAAA\n', ' AAAA', 'A.AA'])('fromBase64Url refuses %j', (text) => {
  expect(codeOf(() => fromBase64Url(text))).toBe('input/malformed');
});

describe('base32', () => {
  it.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('has the vector of RFC 4648 §10 for %j, without padding', (plain, text) => {
    expect(toBase32(utf8ToBytes(plain))).toBe(text);
    expect(fromBase32(text)).toEqual(utf8ToBytes(plain));
    expect(fromBase32(text.toUpperCase())).toEqual(utf8ToBytes(plain));
  });

  it('reads back what it writes, and nothing that is not what it would write', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(fromBase32(toBase32(bytes))).toEqual(bytes);
      }),
    );
    const near = fc.string({
      unit: oneOf('abyzABYZ234567018= \u017f\u0131\u00df'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        if (codeOf(() => fromBase32(text)) === 'input/malformed') return;
        expect(toBase32(fromBase32(text))).toBe(text.toLowerCase());
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    'a',
    'abc',
    'abcdef',
    'ab',
    'my======',
    'mz xq',
    'm0',
    'm1',
    'm8',
    'm9',
    'ſſſſſſſſ',
    'ıaaaaaaa',
    'ß',
    'my\n',
  ])('refuses %j', (text) => {
    expect(codeOf(() => fromBase32(text))).toBe('input/malformed');
  });

  it.each(notText)('refuses %j', (value) => {
    expect(codeOf(() => fromBase32(value))).toBe('input/malformed');
  });
});

describe('UTF-8', () => {
  it('reads back every well-formed text, a leading byte order mark included', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (text) => {
          expect(fromUtf8(utf8ToBytes(text))).toBe(text);
        },
      ),
    );
    expect(fromUtf8(unhex('efbbbf61'))).toBe('\ufeffa');
  });

  it.each([
    ['a lone continuation byte', '80'],
    ['a cut sequence', 'e6b0'],
    ['an overlong slash', 'c0af'],
    ['an overlong NUL', 'e08080'],
    ['a surrogate', 'eda080'],
    ['a code point over U+10FFFF', 'f4908080'],
    ['a byte that never occurs', 'ff'],
  ])('refuses %s', (_name, bytes) => {
    expect(codeOf(() => fromUtf8(unhex(bytes)))).toBe('input/malformed');
  });
});

describe('bytesEqual and concatBytes', () => {
  it('agree with Node', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(bytesEqual(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(bytesEqual(a, Uint8Array.from(a))).toBe(true);
        expect(concatBytes(a, b)).toEqual(Uint8Array.from(Buffer.concat([a, b])));
      }),
    );
  });

  it('see one flipped bit and one missing byte', () => {
    const a = Uint8Array.from({ length: 32 }, (_, i) => i);
    for (let i = 0; i < 32; i++) expect(bytesEqual(a, a.with(i, i ^ 128))).toBe(false);
    expect(bytesEqual(a, a.subarray(0, 31))).toBe(false);
    expect(bytesEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });
});

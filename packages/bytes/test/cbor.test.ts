import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '../src/index.ts';
import { canonicalText, cborValue, codeOf, hex, unhex } from './support.ts';

const upTo25 = Array.from({ length: 25 }, (_, i) => i + 1);

/** RFC 8949 Appendix A, the rows of the accepted subset. */
const accepted: readonly (readonly [string, CborValue])[] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1819', 25],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1000000],
  ['1b000000e8d4a51000', 1000000000000],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array(0)],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', '\u00fc'],
  ['63e6b0b4', '\u6c34'],
  ['64f0908591', '\ud800\udd51'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', upTo25],
  ['a0', {}],
  ['a26161016162820203', { a: 1, b: [2, 3] }],
  ['826161a161626163', ['a', { b: 'c' }]],
  ['a56161614161626142616361436164614461656145', { a: 'A', b: 'B', c: 'C', d: 'D', e: 'E' }],
];

describe('RFC 8949 Appendix A', () => {
  it.each(accepted)('%s', (text, value) => {
    expect(hex(encodeCbor(value))).toBe(text);
    expect(decodeCbor(unhex(text))).toEqual(value);
  });
});

describe('encodeCbor', () => {
  it.each<readonly [string, CborValue]>([
    // Bytewise order of the encoded keys (RFC 8949 §4.2.1): shorter keys first, then by bytes, not by locale.
    ['a4 6130 00 6161 01 6162 02 626161 03', { aa: 3, b: 2, a: 1, '0': 0 }],
    ['a2 617a 01 62c3a4 02', { '\u00e4': 2, z: 1 }],
    ['a2 6131 01 623130 02', { '10': 2, '1': 1 }],
    ['a1 695f5f70726f746f5f5f 01', Object.fromEntries([['__proto__', 1]])],
    ['a1 6161 01', { a: 1, b: undefined }],
    ['1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['3b001ffffffffffffe', Number.MIN_SAFE_INTEGER],
  ])('writes %s', (text, value) => {
    expect(hex(encodeCbor(value))).toBe(text.replaceAll(' ', ''));
    expect(hex(encodeCbor(decodeCbor(unhex(text))))).toBe(text.replaceAll(' ', ''));
  });

  it('takes objects without a prototype', () => {
    expect(hex(encodeCbor(Object.assign(Object.create(null), { a: 1 }) as CborValue))).toBe('a1616101');
  });

  it.each<readonly [string, unknown]>([
    ['undefined', undefined],
    ['undefined in an array', [undefined]],
    // oxlint-disable-next-line no-sparse-arrays
    ['a hole in an array', [1, , 2]],
    ['NaN', Number.NaN],
    ['infinity', Infinity],
    ['a fraction', 1.5],
    ['negative zero', -0],
    ['an integer over 2^53 - 1', 2 ** 53],
    ['an integer under -(2^53 - 1)', -(2 ** 53)],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['a set', new Set([1])],
    ['a class instance', new URL('keepset:x')],
    ['an inherited object', Object.create({ a: 1 })],
    ['a boxed number', Object(1)],
    ['another typed array', Uint16Array.of(1)],
    ['an array buffer', new ArrayBuffer(1)],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a key', { 'a\udc00': 1 }],
    ['a leading byte order mark', '\ufeffa'],
    ['a leading byte order mark in a key', { '\ufeff': 1 }],
  ])('refuses %s, at the top and deep inside', (_name, value) => {
    const at = value as CborValue;
    // In an object `undefined` means an absent property, which is the one thing it may mean.
    if (value !== undefined) expect(codeOf(() => encodeCbor({ a: { b: at } }))).toBe('bug/invariant');
    expect(codeOf(() => encodeCbor(at))).toBe('bug/invariant');
    expect(codeOf(() => encodeCbor([[at]]))).toBe('bug/invariant');
  });

  it('refuses a cycle', () => {
    const cycle: CborValue[] = [];
    cycle.push(cycle);
    expect(codeOf(() => encodeCbor(cycle))).toBe('bug/invariant');
  });
});

describe('properties', () => {
  it('decode is the inverse of encode', () => {
    fc.assert(
      fc.property(cborValue, (value) => {
        expect(decodeCbor(encodeCbor(value))).toEqual(value);
      }),
      {
        numRuns: 1000,
      },
    );
  });

  it('encode is injective', () => {
    /** Two values are the same exactly when this text is. */
    const canonicalForm = (value: CborValue | undefined): string => {
      if (value instanceof Uint8Array) return `h'${hex(value)}'`;
      if (Array.isArray(value)) return `[${value.map((item: CborValue) => canonicalForm(item)).join()}]`;
      if (typeof value === 'object' && value !== null)
        return `{${Object.entries(value)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, item]) => `${JSON.stringify(key)}:${canonicalForm(item)}`)
          .join()}}`;
      return JSON.stringify(value);
    };
    const few = fc.oneof(
      fc.constantFrom<CborValue>(0, 1, -1, '', 'a', null, false, [], {}),
      canonicalText,
      cborValue,
    );
    const pair = fc.oneof(
      fc.tuple(few, few),
      fc.tuple(fc.array(few, { maxLength: 2 }), fc.array(few, { maxLength: 2 })),
    );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(hex(encodeCbor(a)) === hex(encodeCbor(b))).toBe(canonicalForm(a) === canonicalForm(b));
      }),
      { numRuns: 1000 },
    );
  });

  it('the decoder keeps no view into its input', () => {
    const bytes = encodeCbor({ a: Uint8Array.of(1, 2) });
    const value = decodeCbor(bytes) as { a: Uint8Array };
    bytes.fill(0);
    expect(value.a).toEqual(Uint8Array.of(1, 2));
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '../src/index.ts';
import { cborValue, codeOf, hex, unhex } from './support.ts';

const refusal = /^wire\/(malformed|not-canonical)$/;

describe('RFC 8949 Appendix A: the rows outside the subset are refused', () => {
  it.each([
    ['1bffffffffffffffff', 'integer over 2^53'],
    ['3bffffffffffffffff', 'integer under -2^53'],
    ['c249010000000000000000', 'bignum'],
    ['c349010000000000000000', 'negative bignum'],
    ['f90000', '0.0'],
    ['f98000', '-0.0'],
    ['f93c00', '1.0'],
    ['fb3ff199999999999a', '1.1'],
    ['f93e00', '1.5'],
    ['f97bff', '65504.0'],
    ['fa47c35000', '100000.0'],
    ['fa7f7fffff', '3.4028234663852886e+38'],
    ['fb7e37e43c8800759c', '1.0e+300'],
    ['f90001', '5.960464477539063e-8'],
    ['f90400', '0.00006103515625'],
    ['f9c400', '-4.0'],
    ['fbc010666666666666', '-4.1'],
    ['f97c00', 'Infinity'],
    ['f97e00', 'NaN'],
    ['f9fc00', '-Infinity'],
    ['fa7f800000', 'Infinity, single'],
    ['fa7fc00000', 'NaN, single'],
    ['faff800000', '-Infinity, single'],
    ['fb7ff0000000000000', 'Infinity, double'],
    ['fb7ff8000000000000', 'NaN, double'],
    ['fbfff0000000000000', '-Infinity, double'],
    ['f7', 'undefined'],
    ['f0', 'simple(16)'],
    ['f818', 'simple(24)'],
    ['f8ff', 'simple(255)'],
    ['c074323031332d30332d32315432303a30343a30305a', 'tag 0'],
    ['c11a514b67b0', 'tag 1'],
    ['c1fb41d452d9ec200000', 'tag 1 over a float'],
    ['d74401020304', 'tag 23'],
    ['d818456449455446', 'tag 24'],
    ['d82076687474703a2f2f7777772e6578616d706c652e636f6d', 'tag 32'],
    ['a201020304', 'map with integer keys'],
    ['5f42010243030405ff', 'indefinite bytes'],
    ['7f657374726561646d696e67ff', 'indefinite text'],
    ['9fff', 'indefinite array'],
    ['9f018202039f0405ffff', 'nested indefinite arrays'],
    ['9f01820203820405ff', 'indefinite outer array'],
    ['83018202039f0405ff', 'indefinite inner array'],
    ['83019f0203ff820405', 'indefinite middle array'],
    ['9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff', 'indefinite long array'],
    ['bf61610161629f0203ffff', 'indefinite map'],
    ['826161bf61626163ff', 'indefinite map in an array'],
    ['bf6346756ef563416d7421ff', 'indefinite map of simple values'],
  ])('%s: %s', (text) => {
    expect(codeOf(() => decodeCbor(unhex(text)))).toMatch(refusal);
  });
});

describe('RFC 8949 Appendix F and more: not well-formed or not canonical', () => {
  it.each([
    ['', 'nothing'],
    ['18', 'cut integer'],
    ['19ff', 'cut 16-bit integer'],
    ['1a00', 'cut 32-bit integer'],
    ['1b00000000', 'cut 64-bit integer'],
    ['41', 'cut bytes'],
    ['5b001fffffffffffff', 'bytes of a length nobody has'],
    ['61', 'cut text'],
    ['7affffffff00', 'text longer than the input'],
    ['81', 'cut array'],
    ['9affffffff', 'array of 2^32 - 1 elements'],
    ['9bffffffffffffffff', 'array of 2^64 - 1 elements'],
    ['a161', 'cut map'],
    ['a16161', 'key without value'],
    ['bb7fffffffffffffff', 'map of 2^63 - 1 entries'],
    ['1c', 'reserved length 28'],
    ['1d', 'reserved length 29'],
    ['1e', 'reserved length 30'],
    ['1f', 'indefinite integer'],
    ['3f', 'indefinite negative integer'],
    ['df', 'indefinite tag'],
    ['ff', 'break outside'],
    ['81ff', 'break inside a definite array'],
    ['fc', 'reserved simple value'],
    ['f800', 'simple value in two bytes'],
    ['f814', 'false in two bytes'],
    ['f6f6', 'trailing value'],
    ['0000', 'trailing byte'],
    ['a1616101f6', 'trailing value after a map'],
    ['a2616101616101', 'duplicate key, same value'],
    ['a2616101616102', 'duplicate key, other value'],
    ['a2616201616101', 'keys out of order'],
    ['a262616101616202', 'longer key first'],
    ['a1f601', 'null as a key'],
    ['a1416101', 'bytes as a key'],
    ['a1f501', 'boolean as a key'],
    ['a18001', 'array as a key'],
    ['61ff', 'text that is no UTF-8'],
    ['62c328', 'bad continuation'],
    ['63eda080', 'surrogate in UTF-8'],
    ['64efbbbf61', 'text with a leading byte order mark'],
    ['d9d9f700', 'self-described CBOR'],
  ])('%s: %s', (text) => {
    expect(codeOf(() => decodeCbor(unhex(text)))).toMatch(refusal);
  });

  it('refuses what is no byte array', () => {
    const strangers = [
      undefined,
      null,
      'a1616101',
      [0],
      {},
      0,
      new ArrayBuffer(1),
    ] as unknown[] as Uint8Array[];
    for (const value of strangers) expect(codeOf(() => decodeCbor(value))).toBe('wire/malformed');
  });

  it('survives nesting a megabyte deep', () => {
    for (const byte of [0x81, 0xa1, 0x9f, 0xbf, 0xc0]) {
      const deep = new Uint8Array(1024 * 1024).fill(byte);
      expect(codeOf(() => decodeCbor(deep))).toBe('wire/malformed');
    }
  });
});

type Head = { readonly major: number; readonly argument: number };

/** Encodes values like the encoder, except that one chosen head is written `widen` steps longer than needed. */
const encodeLoosely = (
  value: CborValue,
  target: number,
  widen: number,
): { bytes: Uint8Array; heads: number } => {
  let seen = 0;
  const head = ({ major, argument }: Head): number[] => {
    const needed = argument < 24 ? 0 : argument < 256 ? 1 : argument < 65536 ? 2 : argument < 2 ** 32 ? 4 : 8;
    const sizes = [0, 1, 2, 4, 8];
    const size = seen++ === target ? (sizes[sizes.indexOf(needed) + widen] ?? needed) : needed;
    if (size === 0) return [(major << 5) | argument];
    const bytes = Array.from({ length: size }, (_, i) =>
      Number((BigInt(argument) >> BigInt(8 * (size - 1 - i))) & 255n),
    );
    return [(major << 5) | [0, 24, 25, 0, 26, 0, 0, 0, 27][size]!, ...bytes];
  };
  const write = (item: CborValue): number[] => {
    if (item === null) return [0xf6];
    if (typeof item === 'boolean') return [item ? 0xf5 : 0xf4];
    if (typeof item === 'number')
      return head(item < 0 ? { major: 1, argument: -1 - item } : { major: 0, argument: item });
    if (typeof item === 'string')
      return [...head({ major: 3, argument: Buffer.byteLength(item) }), ...Buffer.from(item)];
    if (item instanceof Uint8Array) return [...head({ major: 2, argument: item.length }), ...item];
    if (Array.isArray(item))
      return [...head({ major: 4, argument: item.length }), ...item.flatMap((one: CborValue) => write(one))];
    const entries = Object.entries(item).toSorted(([a], [b]) => {
      const [x, y] = [Buffer.from(a), Buffer.from(b)];
      return x.length - y.length || Buffer.compare(x, y);
    });
    return [
      ...head({ major: 5, argument: entries.length }),
      ...entries.flatMap(([key, one]) => [...write(key), ...write(one ?? null)]),
    ];
  };
  const bytes = Uint8Array.from(write(value));
  return { bytes, heads: seen };
};

describe('every head written longer than needed is refused', () => {
  it('in random values, at every position, by one to four steps', () => {
    fc.assert(
      fc.property(cborValue, fc.nat(), fc.integer({ min: 1, max: 4 }), (value, pick, widen) => {
        const honest = encodeLoosely(value, -1, 0);
        expect(hex(honest.bytes)).toBe(hex(encodeCbor(value)));
        if (honest.heads === 0) return;
        const { bytes } = encodeLoosely(value, pick % honest.heads, widen);
        if (hex(bytes) !== hex(honest.bytes)) expect(codeOf(() => decodeCbor(bytes))).toMatch(refusal);
      }),
      { numRuns: 1000 },
    );
  });

  it('and so is any order of keys but one', () => {
    const keys = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '0', '1'), maxLength: 3 }), {
      minLength: 2,
      maxLength: 5,
    });
    fc.assert(
      fc.property(keys, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (names, coins) => {
        const shuffled = names
          .map((name) => [coins.next().value, name] as const)
          .toSorted(([a], [b]) => a - b);
        const bytes = Uint8Array.from([
          0xa0 + names.length,
          ...shuffled.flatMap(([, name]) => [0x60 + name.length, ...Buffer.from(name), 0]),
        ]);
        const canonical = encodeCbor(Object.fromEntries(names.map((name) => [name, 0])));
        expect(codeOf(() => decodeCbor(bytes))).toMatch(hex(bytes) === hex(canonical) ? /^ok$/ : refusal);
      }),
    );
  });
});

describe('random bytes', () => {
  /** Either a typed refusal, or a value whose one encoding is these very bytes. */
  const settles = (bytes: Uint8Array): void => {
    if (codeOf(() => decodeCbor(bytes)) === 'ok') expect(hex(encodeCbor(decodeCbor(bytes)))).toBe(hex(bytes));
    else expect(codeOf(() => decodeCbor(bytes))).toMatch(refusal);
  };

  it('never crash the decoder and never decode to something that encodes otherwise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), settles), { numRuns: 3000 });
  });

  it('nor do bytes made of CBOR heads', () => {
    const head = fc.constantFrom(
      0x00,
      0x17,
      0x18,
      0x1b,
      0x20,
      0x40,
      0x41,
      0x5f,
      0x60,
      0x61,
      0x7f,
      0x80,
      0x81,
      0x82,
      0x9f,
      0xa0,
      0xa1,
      0xa2,
      0xbf,
      0xc0,
      0xd8,
      0xf4,
      0xf6,
      0xf7,
      0xf8,
      0xf9,
      0xfb,
      0xff,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(head, fc.nat(255)), { maxLength: 24 }), (bytes) =>
        settles(Uint8Array.from(bytes)),
      ),
      {
        numRuns: 3000,
      },
    );
  });

  it('nor does one changed, cut or added byte of a good encoding', () => {
    fc.assert(
      fc.property(cborValue, fc.nat(), fc.nat(255), (value, pick, byte) => {
        const good = encodeCbor(value);
        settles(good.with(pick % good.length, byte));
        expect(codeOf(() => decodeCbor(good.subarray(0, pick % good.length)))).toMatch(refusal);
        expect(codeOf(() => decodeCbor(Uint8Array.from([...good, byte])))).toMatch(refusal);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('prototype pollution', () => {
  it('does not happen: awkward names are ordinary keys', () => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];
    const value = Object.fromEntries(names.map((name) => [name, { polluted: true }]));
    const decoded = decodeCbor(encodeCbor(value));
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect(Object.keys(decoded as object).toSorted()).toEqual(names.toSorted());
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(hex(encodeCbor(decoded))).toBe(hex(encodeCbor(value)));
    // {"__proto__": {"polluted": true}} as an attacker would send it.
    const sent = unhex('a1 69 5f5f70726f746f5f5f a1 68 706f6c6c75746564 f5');
    expect((decodeCbor(sent) as { polluted?: boolean }).polluted).toBeUndefined();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import {
  KeepsetError,
  bytesBetween,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  integerBetween,
  parseAs,
  type CborValue,
  type Schema,
} from '../src/index.ts';
import { codeOf, unhex } from './support.ts';

const accepts = <T>(schema: Schema<T>, value: unknown): boolean =>
  codeOf(() => parseAs(schema, value, 'thing')) === 'ok';
const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** Values of every other kind: none of them is what a helper asks for. */
const strangers: readonly unknown[] = [
  undefined,
  null,
  true,
  '4',
  '',
  'abcd',
  [],
  [0, 0, 0, 0],
  {},
  { length: 4 },
  1n,
  Symbol('x'),
  () => 4,
  new ArrayBuffer(4),
  new Uint16Array(4),
  new Uint8ClampedArray(4),
  new DataView(new ArrayBuffer(4)),
  new Date(4),
];

describe('bytesOfLength', () => {
  it('takes exactly that many bytes', () => {
    expect([0, 3, 4, 5, 1024].map((n) => accepts(bytesOfLength(4), bytes(n)))).toEqual([
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(accepts(bytesOfLength(0), bytes(0))).toBe(true);
    expect(accepts(bytesOfLength(4), Buffer.alloc(4))).toBe(true);
  });
  it.each([...strangers, 4])('refuses %s', (value) => {
    expect(accepts(bytesOfLength(4), value)).toBe(false);
  });
});

describe('bytesBetween', () => {
  it('includes both ends', () => {
    expect([0, 1, 2, 3, 4].map((n) => accepts(bytesBetween(1, 3), bytes(n)))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(accepts(bytesBetween(0, 0), bytes(0))).toBe(true);
  });
  it.each([...strangers, 2])('refuses %s', (value) => {
    expect(accepts(bytesBetween(0, 100), value)).toBe(false);
  });
});

describe('integerBetween', () => {
  it('includes both ends', () => {
    expect([-1, 0, 1, 2, 3].map((n) => accepts(integerBetween(0, 2), n))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
  it.each([...strangers, bytes(1), Number.NaN, Infinity, -Infinity, 1.5, 2 ** 53, -(2 ** 53), 1e300])(
    'refuses %s',
    (value) => {
      expect(accepts(integerBetween(-(2 ** 60), 2 ** 60), value)).toBe(false);
    },
  );
});

describe('parseAs', () => {
  const schema: Schema<{ a: { b: Uint8Array }; list: number[] }> = v.strictObject({
    a: v.strictObject({ b: bytesOfLength(2) }),
    list: v.array(integerBetween(0, 9)),
  });
  const good = { a: { b: bytes(2) }, list: [1] };
  const failureOf = (value: unknown, code?: 'place/damaged'): KeepsetError => {
    try {
      parseAs(schema, value, 'thing', code);
    } catch (error) {
      if (error instanceof KeepsetError) return error;
      throw error;
    }
    throw new Error('accepted');
  };

  it('returns what it accepts', () => {
    expect(parseAs(schema, good, 'thing')).toEqual(good);
  });

  it('names the path and uses the code it is given', () => {
    expect(failureOf({ ...good, a: { b: bytes(3) } }).message).toBe('Malformed thing at a.b.');
    expect(failureOf({ ...good, list: [1, 2, 10] }).message).toBe('Malformed thing at list.2.');
    expect(failureOf(7).message).toBe('Malformed thing.');
    expect(failureOf(7).code).toBe('wire/malformed');
    expect(failureOf(7, 'place/damaged').code).toBe('place/damaged');
  });

  it.each(['x', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a.b', ''])(
    'refuses the unknown field %j',
    (name) => {
      const value = Object.fromEntries([...Object.entries(good), [name, 1]]);
      expect(codeOf(() => parseAs(schema, value, 'thing'))).toBe('wire/malformed');
    },
  );

  it('repeats neither a value nor a name that could forge or flood a log', () => {
    expect(failureOf({ ...good, a: { b: 'hunter2' } }).message).not.toContain('hunter2');
    for (const name of ['x\n2026-01-01 all good', 'x'.repeat(5000), '\u001b[31m']) {
      const { message } = failureOf({ ...good, [name]: 1 });
      expect(message).toBe('Malformed thing.');
    }
  });
});

describe('decodeAs', () => {
  const schema: Schema<{ a: number }> = v.strictObject({ a: integerBetween(0, 9) });
  it.each<readonly [string, string, string]>([
    ['a1616101', 'ok', 'the canonical form'],
    ['', 'wire/malformed', 'nothing'],
    ['a161610a', 'wire/malformed', 'a value out of range'],
    ['a0', 'wire/malformed', 'a missing field'],
    ['a2616101616202', 'wire/malformed', 'an unknown field'],
    ['8101', 'wire/malformed', 'another type'],
    ['a161611801', 'wire/malformed', 'a longer integer'],
    ['a16161f93c00', 'wire/not-canonical', 'a float of an integral value'],
    ['a161610100', 'wire/malformed', 'a trailing byte'],
  ])('%s: %s, being %s', (text, code) => {
    expect(codeOf(() => decodeAs(schema, unhex(text), 'thing'))).toBe(code);
  });

  it('gives arrays and maps that are plain data', () => {
    const anything: Schema<CborValue> = v.custom<CborValue>(() => true);
    const value = decodeAs(anything, encodeCbor({ list: [1, { k: bytes(1) }] }), 'thing');
    expect(value).toEqual({ list: [1, { k: bytes(1) }] });
  });
});

import { createHash, createHmac } from 'node:crypto';
import { encodeCbor, fromHex, toHex, type CborValue } from '@keepset/bytes';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_RECORD_LENGTH,
  entryKinds,
  isEntryOf,
  openField,
  readEntry,
  sealEntry,
  verifyOpening,
  type EntryFields,
  type EntryKind,
  type LogEntry,
} from '@keepset/log';
import { expectCode, flipBit } from './support.ts';

const salt = new Uint8Array(32).fill(7);
const about = { kind: 'sign', seq: 17, at: 1_800_000_000 } as const;
const fields = { tenant: 'acme', key: 'k7q2', session: Uint8Array.of(1, 2, 3), message: new Uint8Array(32) };
const sealed = sealEntry(about, fields, salt);
const entry = readEntry(sealed);
const kinds = Object.keys(entryKinds) as EntryKind[];

describe('the record', () => {
  it('has the bytes that spec/log.md describes', () => {
    // The commitment to the tenant, computed with Node's hashes and hand-written CBOR.
    const fieldSalt = createHmac('sha256', salt).update('keepset/log/field-salt/v1/tenant').digest();
    const label = 'keepset/log/commitment/v1';
    const opening = Buffer.concat([
      fromHex('a3'),
      Buffer.from('dname', 'latin1'),
      Buffer.from('ftenant', 'latin1'),
      Buffer.from('dsalt', 'latin1'),
      fromHex('5820'),
      fieldSalt,
      Buffer.from('evalue', 'latin1'),
      Buffer.from('dacme', 'latin1'),
    ]);
    const commitment = createHash('sha256')
      .update(Buffer.concat([Buffer.of(label.length), Buffer.from(label), opening]))
      .digest('hex');
    expect(toHex(entry.fields['tenant']!)).toBe(commitment);
    // {"v": 1, "at": 1800000000, "seq": 17, "kind": "sign", "fields": {"key": …, "tenant": …, "message": …, "session": …}}
    const hex = (name: string): string => `5820${toHex(entry.fields[name]!)}`;
    expect(toHex(sealed)).toBe(
      `a56176016261741a6b49d2006373657111646b696e64647369676e666669656c6473a4636b6579${hex('key')}6674656e616e74${hex('tenant')}676d657373616765${hex('message')}6773657373696f6e${hex('session')}`,
    );
  });

  it('round trips every kind, with further fields', () => {
    for (const kind of kinds) {
      const values = Object.fromEntries(entryKinds[kind].map((name) => [name, `the ${name}`]));
      const given: EntryFields = { ...values, epoch: 3, note: undefined };
      const read = readEntry(sealEntry({ kind, seq: 0, at: 0 }, given, salt));
      expect(read.kind).toBe(kind);
      expect(Object.keys(read.fields).sort()).toEqual([...entryKinds[kind], 'epoch'].sort());
      expect(isEntryOf(read, given, salt)).toBe(true);
    }
  });

  it('reads kinds and fields of later versions', () => {
    const later = { v: 1, kind: 'rotate-log', seq: 5, at: 6, fields: { shard: new Uint8Array(32) } };
    expect(readEntry(encodeCbor(later))).toEqual(later);
    expect(readEntry(encodeCbor({ ...later, fields: {} })).fields).toEqual({});
  });

  it('shows nothing of its fields: a fresh salt gives other commitments, and equal values differ by name', () => {
    const again = readEntry(sealEntry(about, fields, new Uint8Array(32).fill(8)));
    for (const name of Object.keys(fields))
      expect(toHex(again.fields[name]!)).not.toBe(toHex(entry.fields[name]!));
    const alike = readEntry(
      sealEntry({ kind: 'freeze', seq: 0, at: 0 }, { tenant: 'same', key: 'same' }, salt),
    );
    expect(toHex(alike.fields['tenant']!)).not.toBe(toHex(alike.fields['key']!));
    expect(Buffer.from(sealed).includes('acme')).toBe(false);
  });

  it('refuses to seal what is malformed', () => {
    const refuse = (a: object, f: EntryFields = fields, s = salt): void => {
      expectCode(() => sealEntry({ ...about, ...a }, f, s), 'input/invalid-argument');
    };
    refuse({ kind: 'unknown' });
    refuse({ kind: 'toString' });
    refuse({ seq: -1 });
    refuse({ seq: 1.5 });
    refuse({ at: -1 });
    refuse({ at: Number.NaN });
    refuse({}, { ...fields, message: undefined });
    refuse({}, {});
    refuse({}, { ...fields, Upper: 'x' });
    refuse({}, { ...fields, ['x'.repeat(33)]: 'x' });
    refuse({}, { ...fields, big: 'x'.repeat(1025) });
    refuse({}, { ...fields, big: new Uint8Array(1025) });
    refuse({}, { ...fields, lone: '\ud800' });
    refuse({}, { ...fields, half: 0.5 });
    refuse({}, { ...fields, zero: -0 });
    refuse({}, { ...fields, ...Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, at])) });
    refuse({}, fields, new Uint8Array(31));
    refuse({}, fields, new Uint8Array(0));
  });

  it('fits its own limit with as many and as long fields as there may be', () => {
    const many = Object.fromEntries(
      Array.from({ length: 28 }, (_, at) => [`f${at}`.padEnd(32, 'x'), 'y'.repeat(1024)]),
    );
    const large = sealEntry(
      { kind: 'sign', seq: Number.MAX_SAFE_INTEGER, at: Number.MAX_SAFE_INTEGER },
      { ...fields, ...many },
      salt,
    );
    expect(large.length).toBeLessThanOrEqual(MAX_RECORD_LENGTH);
    expect(Object.keys(readEntry(large).fields)).toHaveLength(32);
  });
});

describe('malformed records', () => {
  const plain: Record<string, CborValue> = { ...entry };
  it.each<[string, CborValue]>([
    ['no map', [1, 2]],
    ['null', null],
    ['no version', { ...plain, v: undefined }],
    ['a version in text', { ...plain, v: '1' }],
    ['no kind', { ...plain, kind: undefined }],
    ['an empty kind', { ...plain, kind: '' }],
    ['a kind in capitals', { ...plain, kind: 'Sign' }],
    ['a long kind', { ...plain, kind: 'x'.repeat(33) }],
    ['a negative number', { ...plain, seq: -1 }],
    ['a number in text', { ...plain, seq: '17' }],
    ['a negative time', { ...plain, at: -1 }],
    ['no fields', { ...plain, fields: undefined }],
    ['fields in a list', { ...plain, fields: [] }],
    ['a further property', { ...plain, more: 1 }],
    ['a missing commitment', { ...plain, fields: { tenant: salt } }],
    ['a short commitment', { ...plain, fields: { ...entry.fields, key: new Uint8Array(31) } }],
    ['a commitment in text', { ...plain, fields: { ...entry.fields, key: 'k' } }],
    ['a malformed field name', { ...plain, fields: { ...entry.fields, 'a b': salt } }],
    [
      'too many fields',
      {
        ...plain,
        fields: {
          ...entry.fields,
          ...Object.fromEntries(Array.from({ length: 29 }, (_, at) => [`f${at}`, salt])),
        },
      },
    ],
  ])('refuses %s', (_, value) => {
    expectCode(() => readEntry(encodeCbor(value)), 'wire/malformed');
  });

  it('names later versions, and refuses garbage, other encodings and what is too long', () => {
    expectCode(() => readEntry(encodeCbor({ ...plain, v: 2 })), 'wire/unsupported-version');
    expectCode(() => readEntry(encodeCbor({ v: 2 })), 'wire/unsupported-version');
    expectCode(() => readEntry(new Uint8Array(0)), 'wire/malformed');
    expectCode(() => readEntry(Uint8Array.of(...sealed, 0)), 'wire/malformed');
    expectCode(() => readEntry(new Uint8Array(MAX_RECORD_LENGTH + 1)), 'wire/too-large');
    // The same map with its version last.
    const reordered = fromHex(`${toHex(sealed).replace('a5617601', 'a5')}617601`);
    expectCode(() => readEntry(reordered), 'wire/not-canonical');
    for (let cut = 1; cut < sealed.length; cut += 1)
      expectCode(() => readEntry(sealed.slice(0, cut)), 'wire/malformed');
  });

  it('never throws anything but a typed error', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        let read: LogEntry | undefined;
        try {
          read = readEntry(flipBit(sealed, bit));
        } catch (error) {
          expect(error).toMatchObject({ name: 'KeepsetError', code: expect.stringMatching(/^wire\//u) });
        }
        if (read !== undefined) expect(read).not.toEqual(entry);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('openings', () => {
  it('shows one field and helps with no other', () => {
    const opening = openField(salt, 'message', fields.message);
    expect(verifyOpening(entry, opening)).toBe(true);
    for (const [name, value] of Object.entries(fields)) {
      expect(verifyOpening(entry, openField(salt, name, value))).toBe(true);
      if (name !== 'message') expect(verifyOpening(entry, { name, salt: opening.salt, value })).toBe(false);
    }
    expect(toHex(opening.salt)).not.toBe(toHex(salt));
  });

  it('refuses another value, type, name, salt or entry', () => {
    const good = openField(salt, 'key', fields.key);
    const bad = [
      { ...good, value: 'k7q3' },
      { ...good, value: '' },
      { ...good, value: Uint8Array.from(Buffer.from(fields.key)) },
      { ...good, value: 0 },
      { ...good, value: Number.NaN },
      { ...good, value: 'x'.repeat(2000) },
      { ...good, name: 'tenant' },
      { ...good, name: 'absent' },
      { ...good, name: 'toString' },
      { ...good, name: '__proto__' },
      { ...good, salt },
      { ...good, salt: good.salt.slice(1) },
      { ...good, salt: new Uint8Array(0) },
    ];
    for (const opening of bad) expect(verifyOpening(entry, opening)).toBe(false);
    for (let bit = 0; bit < 256; bit += 1)
      expect(verifyOpening(entry, { ...good, salt: flipBit(good.salt, bit) })).toBe(false);
    const other = readEntry(sealEntry(about, fields, new Uint8Array(32).fill(8)));
    expect(verifyOpening(other, good)).toBe(false);
  });

  it('tells the own entry from everyone else’s', () => {
    expect(isEntryOf(entry, fields, salt)).toBe(true);
    for (const name of Object.keys(fields)) {
      expect(isEntryOf(entry, { ...fields, [name]: 'other' }, salt)).toBe(false);
      expect(isEntryOf(entry, { ...fields, [name]: undefined }, salt)).toBe(false);
    }
    expect(isEntryOf(entry, { ...fields, absent: 'x' }, salt)).toBe(false);
    expect(isEntryOf(entry, { ...fields, 'Bad name': 'x' }, salt)).toBe(false);
    expect(isEntryOf(entry, {}, salt)).toBe(false);
    expect(isEntryOf(entry, fields, new Uint8Array(32))).toBe(false);
    expect(isEntryOf(entry, fields, new Uint8Array(0))).toBe(false);
  });

  it('binds for any text, bytes or number', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 50 }).filter((s) => s.isWellFormed()),
      fc.uint8Array({ maxLength: 50 }),
      fc.maxSafeInteger(),
    );
    fc.assert(
      fc.property(value, value, (tenant, key) => {
        const about = { kind: 'freeze', seq: 1, at: 1 } as const;
        const read = readEntry(sealEntry(about, { tenant, key }, salt));
        expect(isEntryOf(read, { tenant, key }, salt)).toBe(true);
        const same = encodeCbor(tenant).join() === encodeCbor(key).join();
        expect(isEntryOf(read, { tenant: key, key: tenant }, salt)).toBe(same);
      }),
    );
  });
});

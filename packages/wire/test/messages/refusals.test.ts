/** Everything a message can be other than itself. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { encodeMessage, encodeStepRequest, maxMessageBytes, wireVersion } from '../../src/index.ts';
import { counting, samples, type Sample } from './samples.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'ok';
};
const refusal = /^wire\/(malformed|not-canonical)$/;

type Fields = { readonly [name: string]: CborValue };
const fieldsOf = ({ encode }: Sample): Fields => decodeCbor(encode()) as Fields;
const isMap = (value: CborValue | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** Every place in a message: its path, and the message with something else there (`undefined`: nothing). */
interface Place {
  readonly path: string;
  readonly value: CborValue;
  readonly put: (value: CborValue | undefined) => CborValue;
}
const placesIn = (value: CborValue, path = '', put: Place['put'] = (other) => other ?? null): Place[] => {
  const here: Place = { path, value, put };
  if (Array.isArray(value))
    return [
      here,
      ...value.flatMap((item: CborValue, i) =>
        placesIn(item, `${path}[]`, (other) =>
          put(value.toSpliced(i, 1, ...(other === undefined ? [] : [other]))),
        ),
      ),
    ];
  if (!isMap(value)) return [here];
  return [
    here,
    ...Object.entries(value).flatMap(([name, item]) =>
      placesIn(item, `${path}.${name}`, (other) => put({ ...value, [name]: other })),
    ),
  ];
};

/** Fields that may be missing, by message type and path. */
const optional: Readonly<Record<string, readonly string[]>> = {
  step: [
    '.party',
    '.start',
    '.relay',
    '.head',
    '.start.request.taproot',
    '.start.request.path',
    '.start.presignature',
    '.start.approval',
    '.start.key',
  ],
  'step-result': ['.relay', '.evidence'],
  'session-outcome': ['.keyId', '.evidence'],
  resolve: ['.head'],
  kit: ['.newest'],
  error: ['.hint', '.session', '.round'],
};

/** Reading gives a typed refusal, or a message that is written as exactly these bytes: nothing is read past. */
const settles = ({ decode, again }: Sample, bytes: Uint8Array): void => {
  const code = codeOf(() => decode(bytes));
  if (code !== 'ok') expect(code).toMatch(/^wire\//);
  else if (again !== undefined) expect(hex(again(decode(bytes) as never))).toBe(hex(bytes));
};

describe.each(samples)('$name', (sample) => {
  const { encode, decode } = sample;
  const fields = fieldsOf(sample);
  const places = placesIn(fields).filter(({ path }) => path !== '.v' && path !== '.type');
  const read = (value: CborValue): string => codeOf(() => decode(encodeCbor(value)));

  it('is read as it was written', () => {
    expect(decode(encode())).toEqual(sample.value);
    settles(sample, encode());
  });

  it('carries version and type', () => {
    expect(fields).toMatchObject({
      v: wireVersion,
      type: sample.name.replace(
        /^(keys|kit(?!-note)|step-result|session-outcome|resolve|error|step).*$/,
        '$1',
      ),
    });
  });

  it.each([0, 2, 3, -1, Number.MAX_SAFE_INTEGER])('is refused as version %i, whatever else it holds', (v) => {
    expect(read({ ...fields, v })).toBe('wire/unsupported-version');
    expect(read({ v, type: fields['type'] ?? '', something: 'new' })).toBe('wire/unsupported-version');
  });

  it.each([null, '1', true, [1], {}])('is refused with version %j', (v) => {
    expect(read({ ...fields, v })).toBe('wire/malformed');
  });

  it('is refused without version or type, and as any other type', () => {
    const { v, type, ...rest } = fields;
    expect(read(rest)).toBe('wire/malformed');
    expect(read({ ...rest, v: v ?? 1 })).toBe('wire/malformed');
    expect(read({ ...rest, type: type ?? '' })).toBe('wire/malformed');
    for (const other of ['', 'STEP', 'unknown', '__proto__', 1, null])
      expect(read({ ...fields, type: other })).toBe('wire/malformed');
    for (const { name, decode: decodeOther } of samples)
      if (fieldsOf(theSample(name))['type'] !== type)
        expect(codeOf(() => decodeOther(encode()))).toBe('wire/malformed');
  });

  it('is refused with an unknown field, anywhere', () => {
    for (const { value, put, path } of places)
      if (isMap(value))
        for (const name of ['x', '', '__proto__', 'constructor', 'toString', 'V'])
          expect(
            read(put(Object.fromEntries([...Object.entries(value), [name, 0]]))),
            `${path}.${name}`,
          ).toBe('wire/malformed');
  });

  it('is refused without any field it must have, and faithful without one it may lack', () => {
    const type = fields['type'] as string;
    for (const { path, put } of places.filter((place) => place.path !== '' && !place.path.endsWith('[]'))) {
      const without = put(undefined);
      if ((optional[type] ?? []).includes(path)) {
        expect(read(without), path).toBe('ok');
        settles(sample, encodeCbor(without));
      } else expect(read(without), path).toBe('wire/malformed');
    }
  });

  it('is refused with a value of another type, anywhere', () => {
    const kindOf = (value: CborValue): string =>
      value instanceof Uint8Array
        ? 'bytes'
        : Array.isArray(value)
          ? 'array'
          : value === null
            ? 'null'
            : typeof value;
    const strangers: readonly CborValue[] = [null, true, 7, 'text', Uint8Array.of(1, 2), [7], { a: 7 }];
    for (const { path, value, put } of places)
      for (const stranger of strangers)
        if (kindOf(stranger) !== kindOf(value))
          expect(read(put(stranger)), `${path} ${kindOf(stranger)}`).toBe('wire/malformed');
  });

  it('is refused or faithful with an odd value of the right type, anywhere', () => {
    const odd = (value: CborValue): readonly CborValue[] => {
      if (typeof value === 'number')
        return [-1, 0, 33, 1001, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
      if (typeof value === 'string')
        return ['', 'A', 'a b', 'a\n', 'x'.repeat(33), 'x'.repeat(5000), '../..', '\u0000', 'ünï'];
      if (value instanceof Uint8Array)
        return [new Uint8Array(0), value.slice(1), Uint8Array.from([...value, 0]), new Uint8Array(70_000)];
      if (Array.isArray(value))
        return [
          [],
          [...value, ...value],
          Array.from({ length: 300 }, () => (value[0] as CborValue | undefined) ?? 0),
          value.slice(1),
        ];
      return [{}];
    };
    for (const { value, put } of places)
      for (const other of odd(value)) settles(sample, encodeCbor(put(other)));
  });

  it('is refused in any form but the canonical one', () => {
    const bytes = encode();
    const entries = Object.keys(fields).length;
    for (const wrong of [
      new Uint8Array(0),
      bytes.slice(0, -1),
      bytes.slice(1),
      Uint8Array.from([...bytes, 0]),
      Uint8Array.from([...bytes, ...bytes]),
      Uint8Array.from([0xb8, entries, ...bytes.slice(1)]),
      Uint8Array.from([0xbf, ...bytes.slice(1), 0xff]),
      Uint8Array.from([0xd9, 0xd9, 0xf7, ...bytes]),
      encodeCbor([fields]),
      encodeCbor(bytes),
    ])
      expect(codeOf(() => decode(wrong))).toMatch(refusal);
    // The first two keys of the top map exchanged: both are one character or more of text.
    const [one, two] = [entryAt(bytes, 1), entryAt(bytes, 1 + entryAt(bytes, 1).length)];
    const swapped = Uint8Array.from([
      ...bytes.slice(0, 1),
      ...two,
      ...one,
      ...bytes.slice(1 + one.length + two.length),
    ]);
    expect(swapped).toHaveLength(bytes.length);
    expect(codeOf(() => decode(swapped))).toMatch(refusal);
  });

  it('survives damage: refused, or faithful to what the bytes now say', () => {
    const bytes = encode();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(7), (at, byte, bit) => {
        settles(sample, bytes.with(at, byte));
        settles(sample, bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit)));
        expect(codeOf(() => decode(bytes.slice(0, at)))).toMatch(refusal);
      }),
      { numRuns: 200 },
    );
  });

  it('survives random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        settles(sample, bytes);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused over one megabyte before it is read', () => {
    for (const size of [maxMessageBytes + 1, 2 * maxMessageBytes])
      expect(codeOf(() => decode(new Uint8Array(size)))).toBe('wire/too-large');
    expect(codeOf(() => decode(new Uint8Array(maxMessageBytes)))).toMatch(refusal);
  });
});

const theSample = (name: string): Sample => {
  const found = samples.find((sample) => sample.name === name);
  if (found === undefined) throw new Error(`no sample ${name}`);
  return found;
};

/** The bytes of the map entry that starts at `from`: found by asking the decoder where it ends. */
const entryAt = (bytes: Uint8Array, from: number): Uint8Array => {
  for (let end = from + 2; end <= bytes.length; end += 1) {
    const entry = bytes.slice(from, end);
    if (codeOf(() => decodeCbor(Uint8Array.from([0xa1, ...entry]))) === 'ok') return entry;
  }
  throw new Error('no entry');
};

describe('one megabyte', () => {
  const withBody = (length: number): Uint8Array =>
    encodeStepRequest({
      session: counting(32, 0),
      step: 1,
      messages: [
        { context: counting(32, 0), round: 1, from: 'phone', to: 'server', body: new Uint8Array(length) },
      ],
    });
  const overhead = withBody(100_000).length - 100_000;

  it('is the most that is written and read, to the byte', () => {
    const largest = withBody(maxMessageBytes - overhead);
    expect(largest).toHaveLength(maxMessageBytes);
    expect(codeOf(() => theSample('step-sign').decode(largest))).toBe('ok');
    expect(codeOf(() => withBody(maxMessageBytes - overhead + 1))).toBe('wire/too-large');
    expect(codeOf(() => encodeMessage('x', { text: 'x'.repeat(maxMessageBytes) }))).toBe('wire/too-large');
  });
});

describe('names', () => {
  const readParty = (party: string): string => {
    const sample = theSample('enrol');
    return codeOf(() => sample.decode(encodeCbor({ ...fieldsOf(sample), party })));
  };
  it.each(['phone', 'a', 'a-b', 'p2', 'x'.repeat(32), 'constructor'])('%j can be a party', (party) => {
    expect(readParty(party)).toBe('ok');
  });
  it.each(['', 'Phone', '2p', '-a', 'a_b', 'a b', 'a\n', 'ä', 'x'.repeat(33), '__proto__', 'a.b', 'a/b'])(
    '%j cannot',
    (party) => {
      expect(readParty(party)).toBe('wire/malformed');
    },
  );
});

describe('limits', () => {
  const reads = (name: string, path: string, value: CborValue): string => {
    const sample = theSample(name);
    const place = placesIn(fieldsOf(sample)).find((one) => one.path === path);
    if (place === undefined) throw new Error(`no ${path} in ${name}`);
    return codeOf(() => sample.decode(encodeCbor(place.put(value))));
  };
  it.each<readonly [string, string, string, CborValue]>([
    ['step-later', '.step', 'wire/malformed', 0],
    ['step-later', '.step', 'ok', 1000],
    ['step-later', '.step', 'wire/malformed', 1001],
    ['step-later', '.messages[].round', 'wire/malformed', 0],
    ['step-later', '.messages[].round', 'ok', 32],
    ['step-later', '.messages[].round', 'wire/malformed', 33],
    ['step-later', '.messages[].body', 'wire/malformed', new Uint8Array(0)],
    ['step-later', '.head.size', 'wire/malformed', -1],
    ['step-later', '.head.root', 'wire/malformed', counting(31, 0)],
    ['step-later', '.session', 'wire/malformed', counting(33, 0)],
    ['step-relay', '.relay', 'wire/malformed', []],
    ['step-relay', '.relay[].sealed', 'wire/malformed', new Uint8Array(0)],
    ['step-keygen', '.start.kind', 'wire/malformed', 'destroy'],
    ['step-keygen', '.start.kind', 'wire/malformed', 'toString'],
    ['step-keygen', '.start.scheme', 'wire/malformed', 'rsa'],
    ['step-keygen', '.start.policy', 'wire/malformed', ''],
    ['step-keygen', '.start.policy', 'wire/malformed', 'x'.repeat(4097)],
    ['step-reshare-approved', '.start.approval', 'wire/malformed', ''],
    ['step-repair-approved', '.start.approval', 'wire/malformed', 'x'.repeat(65)],
    ['step-sign', '.start.keyId', 'wire/malformed', 'abcdefghijklmnopqrstuvwxy'],
    ['step-sign', '.start.keyId', 'wire/malformed', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'],
    ['step-sign', '.start.keyId', 'wire/malformed', 'abcdefghijklmnopqrstuvwxy1'],
    ['step-sign', '.start.quorum', 'wire/malformed', ['phone']],
    ['step-sign', '.start.quorum', 'wire/malformed', Array.from({ length: 33 }, (_, i) => `p${i}`)],
    ['step-sign', '.start.request.digest', 'wire/malformed', 'md5'],
    ['step-sign', '.start.request.message', 'ok', new Uint8Array(0)],
    ['step-sign-script', '.start.request.taproot.merkleRoot', 'wire/malformed', counting(31, 0)],
    ['step-sign-script', '.start.request.taproot.merkleRoot', 'wire/malformed', counting(1, 0)],
    ['step-sign-script', '.start.request.taproot.merkleRoot', 'wire/malformed', counting(33, 0)],
    ['step-sign-path', '.start.request.path', 'wire/malformed', []],
    ['step-sign-path', '.start.request.path', 'wire/malformed', [2 ** 31]],
    ['step-sign-path', '.start.request.path', 'wire/malformed', [-1]],
    ['step-result-committed', '.state', 'wire/malformed', 'done'],
    [
      'step-result-committed',
      '.evidence.inclusion',
      'wire/malformed',
      Array.from({ length: 65 }, () => counting(32, 0)),
    ],
    ['session-outcome-committed', '.keyId', 'wire/malformed', 'not a key id'],
    ['error-abort', '.culprits', 'wire/malformed', Array.from({ length: 33 }, () => 'usb')],
    ['error-abort', '.round', 'wire/malformed', -1],
    ['error-abort', '.message', 'wire/malformed', 'x'.repeat(1001)],
    ['error-abort', '.retry', 'wire/malformed', 'always'],
    ['enrol', '.code', 'wire/malformed', ''],
    ['enrol', '.code', 'wire/malformed', 'x'.repeat(129)],
    ['enrol', '.publicKey', 'wire/malformed', counting(32, 0)],
    ['keys', '.keys[].state', 'wire/malformed', 'gone'],
    ['keys', '.keys[].publicKey', 'wire/malformed', counting(34, 0)],
  ])('%s with another %s: %s', (name, path, code, value) => {
    expect(reads(name, path, value)).toBe(code);
  });
});

/** Every way in which one field of a FROST message can be wrong. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { hex, theOne, unhex, type FrostScheme } from './network.ts';

/** What a field holds. `proof` is a point followed by a scalar. */
export type Kind = 'opaque' | 'point' | 'scalar' | 'proof';

export const kindOf: Readonly<Record<string, Kind>> = {
  random: 'opaque',
  commitments: 'point',
  proof: 'proof',
  chainCommitment: 'opaque',
  chainPart: 'opaque',
  transcript: 'opaque',
  share: 'scalar',
  hiding: 'point',
  binding: 'point',
};

/** A wrong value, and whether its form alone gives it away. */
export interface Wrong<T> {
  readonly name: string;
  readonly value: T;
  /** `form`: not even the right type or length. `value`: no valid point or scalar. `content`: valid, but not the one sent. */
  readonly flaw: 'form' | 'value' | 'content';
}

type Fields = { readonly [name: string]: CborValue };
export const fieldsOf = (body: Uint8Array): Fields => decodeCbor(body) as Fields;

const flipped = (bytes: Uint8Array, at: number, bit: number): Uint8Array =>
  bytes.with(at, theOne(bytes[at]) ^ bit);

const wrongLengths = (bytes: Uint8Array): Wrong<CborValue>[] => [
  { name: 'empty', value: new Uint8Array(0), flaw: 'form' },
  { name: 'one byte short', value: bytes.slice(0, -1), flaw: 'form' },
  { name: 'one byte long', value: Uint8Array.from([...bytes, 0]), flaw: 'form' },
  { name: 'twice', value: Uint8Array.from([...bytes, ...bytes]), flaw: 'form' },
];

const wrongTypes = (bytes: Uint8Array): Wrong<CborValue>[] => [
  { name: 'null', value: null, flaw: 'form' },
  { name: 'a number', value: 7, flaw: 'form' },
  { name: 'text', value: hex(bytes), flaw: 'form' },
  { name: 'an array', value: [bytes], flaw: 'form' },
  { name: 'a map', value: { bytes }, flaw: 'form' },
];

const wrongOpaque = (bytes: Uint8Array, others: Uint8Array): Wrong<Uint8Array>[] => [
  { name: 'first bit flipped', value: flipped(bytes, 0, 128), flaw: 'content' },
  { name: 'last bit flipped', value: flipped(bytes, bytes.length - 1, 1), flaw: 'content' },
  { name: 'zeros', value: new Uint8Array(bytes.length), flaw: 'content' },
  { name: 'ones', value: new Uint8Array(bytes.length).fill(255), flaw: 'content' },
  { name: 'another party’s', value: others, flaw: 'content' },
];

/** Encodings of the points of order 1, 2, 4 and 8 of edwards25519, and of the identity and (0, -1) out of range. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0100000000000000000000000000000000000000000000000000000000000080',
];

const wrongEd25519Point = (bytes: Uint8Array): Wrong<Uint8Array>[] => {
  const point = ed25519.Point.fromBytes(bytes);
  const torsion = ed25519.Point.fromBytes(unhex(theOne(smallOrder[4])));
  return [
    ...smallOrder.map((text) => ({
      name: `small order ${text.slice(0, 4)}…${text.slice(-2)}`,
      value: unhex(text),
      flaw: 'value' as const,
    })),
    { name: 'plus a point of order 8', value: point.add(torsion).toBytes(), flaw: 'value' },
    { name: 'all ones', value: new Uint8Array(32).fill(255), flaw: 'value' },
    {
      name: 'off the curve',
      value: offCurve(bytes, (candidate) => ed25519.Point.fromBytes(candidate)),
      flaw: 'value',
    },
    { name: 'negated', value: point.negate().toBytes(), flaw: 'content' },
    { name: 'the generator', value: ed25519.Point.BASE.toBytes(), flaw: 'content' },
  ];
};

const wrongSecp256k1Point = (bytes: Uint8Array): Wrong<Uint8Array>[] => {
  const point = secp256k1.Point.fromBytes(bytes);
  const fieldPrime = 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f';
  return [
    { name: 'zeros', value: new Uint8Array(33), flaw: 'value' },
    { name: 'ones', value: new Uint8Array(33).fill(255), flaw: 'value' },
    { name: 'prefix 4', value: bytes.with(0, 4), flaw: 'value' },
    { name: 'prefix 6', value: bytes.with(0, 6), flaw: 'value' },
    { name: 'x = p', value: unhex(`02${fieldPrime}`), flaw: 'value' },
    { name: 'x = 0', value: unhex(`02${'00'.repeat(32)}`), flaw: 'value' },
    {
      name: 'off the curve',
      value: offCurve(bytes, (candidate) => secp256k1.Point.fromBytes(candidate)),
      flaw: 'value',
    },
    { name: 'negated', value: point.negate().toBytes(), flaw: 'content' },
    { name: 'the generator', value: secp256k1.Point.BASE.toBytes(), flaw: 'content' },
  ];
};

/** The next encoding, counting up in one byte, of which `parse` says that it is no point. */
const offCurve = (bytes: Uint8Array, parse: (candidate: Uint8Array) => unknown): Uint8Array => {
  for (let step = 1; step < 256; step += 1) {
    const candidate = bytes.with(10, (theOne(bytes[10]) + step) % 256);
    try {
      parse(candidate);
    } catch {
      return candidate;
    }
  }
  throw new Error('half of all encodings are off the curve');
};

/** RFC 8032 §5.1 and SEC 2 §2.4.1. */
export const orders: Readonly<Record<FrostScheme, bigint>> = {
  ed25519: 2n ** 252n + 27742317777372353535851937790883648493n,
  'schnorr-secp256k1': 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
};

/** 32 bytes in the byte order of the scheme's scalars. */
export const scalarBytes = (scheme: FrostScheme, n: bigint): Uint8Array => {
  const big = unhex(n.toString(16).padStart(64, '0'));
  return scheme === 'ed25519' ? big.reverse() : big;
};
export const scalarOf = (scheme: FrostScheme, bytes: Uint8Array): bigint =>
  BigInt(`0x${hex(scheme === 'ed25519' ? Uint8Array.from(bytes).reverse() : bytes)}`);

const wrongScalar = (scheme: FrostScheme, bytes: Uint8Array): Wrong<Uint8Array>[] => {
  const order = orders[scheme];
  const honest = scalarOf(scheme, bytes);
  const to = (n: bigint): Uint8Array => scalarBytes(scheme, n);
  const beyond = 2n ** 256n - 1n - honest;
  return [
    { name: 'zero', value: to(0n), flaw: 'content' },
    { name: 'one', value: to(1n), flaw: 'content' },
    { name: 'plus one', value: to((honest + 1n) % order), flaw: 'content' },
    { name: 'negated', value: to(order - honest), flaw: 'content' },
    { name: 'the order', value: to(order), flaw: 'value' },
    { name: 'the order plus one', value: to(order + 1n), flaw: 'value' },
    { name: 'the largest number', value: to(2n ** 256n - 1n), flaw: 'value' },
    // The same scalar in a second encoding, where 256 bits leave room for one.
    ...(order <= beyond
      ? [{ name: 'plus the order', value: to(honest + order), flaw: 'value' as const }]
      : []),
  ];
};

const wrongPoint = (scheme: FrostScheme, bytes: Uint8Array): Wrong<Uint8Array>[] =>
  scheme === 'ed25519' ? wrongEd25519Point(bytes) : wrongSecp256k1Point(bytes);

const wrongProof = (scheme: FrostScheme, bytes: Uint8Array): Wrong<Uint8Array>[] => {
  const [point, scalar] = [bytes.slice(0, -32), bytes.slice(-32)];
  const join = (a: Uint8Array, b: Uint8Array): Uint8Array => Uint8Array.from([...a, ...b]);
  return [
    ...wrongPoint(scheme, point).map(({ name, value, flaw }) => ({
      name: `R ${name}`,
      value: join(value, scalar),
      flaw,
    })),
    ...wrongScalar(scheme, scalar).map(({ name, value, flaw }) => ({
      name: `z ${name}`,
      value: join(point, value),
      flaw,
    })),
  ];
};

/** Wrong values for a field that holds bytes. `others` is the same field of another party's message. */
export const wrongBytes = (
  scheme: FrostScheme,
  kind: Kind,
  bytes: Uint8Array,
  others: Uint8Array,
): Wrong<CborValue>[] => [
  ...(kind === 'opaque' ? wrongOpaque(bytes, others) : []),
  ...(kind === 'point' ? wrongPoint(scheme, bytes) : []),
  ...(kind === 'scalar' ? wrongScalar(scheme, bytes) : []),
  ...(kind === 'proof' ? wrongProof(scheme, bytes) : []),
  ...(kind === 'opaque' ? [] : [{ name: 'another party’s', value: others, flaw: 'content' as const }]),
  ...wrongLengths(bytes),
  ...wrongTypes(bytes),
];

/** Wrong values for one field of a message, list or not. */
export const wrongField = (
  scheme: FrostScheme,
  name: string,
  body: Uint8Array,
  othersBody: Uint8Array,
): Wrong<Uint8Array>[] => {
  const [fields, others] = [fieldsOf(body), fieldsOf(othersBody)];
  const kind = theOne(kindOf[name]);
  const [value, othersValue] = [theOne(fields[name]), theOne(others[name])];
  const put = (changed: Wrong<CborValue>): Wrong<Uint8Array> => ({
    ...changed,
    value: encodeCbor({ ...fields, [name]: changed.value }),
  });
  if (value instanceof Uint8Array) return wrongBytes(scheme, kind, value, othersValue as Uint8Array).map(put);
  const [list, othersList] = [value as readonly Uint8Array[], othersValue as readonly Uint8Array[]];
  const wrongItems = list.flatMap((item, at) =>
    wrongBytes(scheme, kind, item, theOne(othersList[at])).map((wrong) => ({
      ...wrong,
      name: `[${at}] ${wrong.name}`,
      value: list.with(at, wrong.value as Uint8Array),
    })),
  );
  const last = theOne(list.at(-1));
  const wrongLists: Wrong<CborValue>[] = [
    { name: 'no list', value: null, flaw: 'form' },
    { name: 'empty list', value: [], flaw: 'form' },
    { name: 'one fewer', value: list.slice(0, -1), flaw: 'form' },
    { name: 'one more', value: [...list, last], flaw: 'form' },
    { name: 'a thousand', value: Array.from({ length: 1000 }, () => last), flaw: 'form' },
    { name: 'in reverse', value: list.toReversed(), flaw: 'content' },
    { name: 'all the same', value: list.map(() => last), flaw: 'content' },
    { name: 'another party’s', value: othersList, flaw: 'content' },
  ];
  return [...wrongItems, ...wrongLists].map(put);
};

/** Bodies that are no message at all, or not in the one form. */
export const wrongForms = (body: Uint8Array): Wrong<Uint8Array>[] => {
  const fields = fieldsOf(body);
  const names = Object.keys(fields);
  const without = (name: string): Uint8Array => encodeCbor({ ...fields, [name]: undefined });
  return [
    { name: 'nothing', value: new Uint8Array(0) },
    { name: 'one byte short', value: body.slice(0, -1) },
    { name: 'half', value: body.slice(0, body.length >> 1) },
    { name: 'one byte long', value: Uint8Array.from([...body, 0]) },
    { name: 'twice', value: Uint8Array.from([...body, ...body]) },
    { name: 'null', value: encodeCbor(null) },
    { name: 'an empty map', value: encodeCbor({}) },
    { name: 'a list', value: encodeCbor(Object.values(fields)) },
    { name: 'a list of itself', value: encodeCbor([fields]) },
    { name: 'an unknown field', value: encodeCbor({ ...fields, extra: 1 }) },
    {
      name: 'a field named __proto__',
      value: encodeCbor(Object.fromEntries([...Object.entries(fields), ['__proto__', {}]])),
    },
    { name: 'a longer map header', value: Uint8Array.from([0xb8, names.length, ...body.slice(1)]) },
    { name: 'an indefinite map', value: Uint8Array.from([0xbf, ...body.slice(1), 0xff]) },
    { name: 'random bytes', value: unhex('8f3a'.repeat(40)) },
    { name: 'a megabyte', value: new Uint8Array(1024 * 1024) },
    ...names.map((name) => ({ name: `no ${name}`, value: without(name) })),
  ].map((wrong) => ({ ...wrong, flaw: 'form' as const }));
};

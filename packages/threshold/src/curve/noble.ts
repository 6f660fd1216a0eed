/**
 * The port over @noble/curves: its groups, encodings and public-data routines. Multiplication by secret scalars runs
 * in fixed windows (windows.ts), because the library's own takes twice to four times as long.
 */
import { normalizeZ } from '@noble/curves/abstract/curve.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p256_hasher } from '@noble/curves/nist.js';
import { secp256k1, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { KeepsetError } from '@keepset/bytes';
import type { Scheme } from '../key.ts';
import type { CurvePort, EcdsaCurve, GroupPoint } from './port.ts';
import { combOf, multiplyComb, multiplyWindowed } from './windows.ts';
import { completeFormulas, type Arithmetic, type Projective } from './complete.ts';

type WeierstrassPoint = InstanceType<typeof secp256k1.Point>;
type EdwardsPoint = InstanceType<typeof ed25519.Point>;

/** What {@link groupOf} needs of a point class of the library. */
interface PointClass<P> {
  readonly BASE: P;
  readonly ZERO: P;
  fromBytes(bytes: Uint8Array): P;
  readonly Fn: { readonly ORDER: bigint; inv(value: bigint): bigint };
}
interface LibraryPoint<P> {
  add(other: P): P;
  double(): P;
  negate(): P;
  equals(other: P): boolean;
  is0(): boolean;
  isTorsionFree(): boolean;
  assertValidity(): void;
  toBytes(): Uint8Array;
  multiplyUnsafe(scalar: bigint): P;
}

const wrap = (point: unknown): GroupPoint => point as GroupPoint;

/** How points multiply by secret scalars: in coordinates of type A. */
interface Ladder<P, A> {
  readonly arithmetic: Arithmetic<A>;
  enter(this: void, point: P): A;
  leave(this: void, point: A): P;
}

interface GroupOptions<P, A> {
  readonly name: CurvePort['name'];
  readonly Point: PointClass<P>;
  readonly pointBytes: number;
  readonly wideBytes: number;
  readonly littleEndian: boolean;
  readonly normalize: (points: P[]) => P[];
  readonly ladder: Ladder<P, A>;
}

const groupOf = <P extends LibraryPoint<P>, A>(options: GroupOptions<P, A>): CurvePort => {
  const { Point, littleEndian, wideBytes } = options;
  const { arithmetic, enter, leave } = options.ladder;
  const order = Point.Fn.ORDER;
  const zero = Point.ZERO;
  const unwrap = (point: GroupPoint): P => point as unknown as P;
  let comb: readonly (readonly A[])[] | undefined;

  const readWords = (view: DataView, offset: number, words: number): bigint => {
    let value = 0n;
    for (let i = 0; i < words; i++) {
      const place = littleEndian ? words - 1 - i : i;
      value = (value << 64n) | view.getBigUint64(offset + 8 * place, littleEndian);
    }
    return value;
  };
  const writeInteger = (view: DataView, offset: number, value: bigint): void => {
    for (let i = 0; i < 4; i++) {
      const place = littleEndian ? i : 3 - i;
      view.setBigUint64(offset + 8 * place, BigInt.asUintN(64, value >> BigInt(64 * i)), littleEndian);
    }
  };
  const viewOf = (bytes: Uint8Array): DataView =>
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reduce = (value: bigint): bigint => {
    const rest = value % order;
    return rest < 0n ? rest + order : rest;
  };
  const encodePoints = (points: readonly GroupPoint[]): Uint8Array[] =>
    options.normalize(points.map(unwrap)).map((point) => {
      if (point.is0()) throw new KeepsetError('bug/invariant', 'The identity has no encoding.');
      return point.toBytes();
    });

  return {
    name: options.name,
    order,
    pointBytes: options.pointBytes,
    wideBytes,
    identity: wrap(zero),
    generator: wrap(Point.BASE),
    add: (a, b) => wrap(unwrap(a).add(unwrap(b))),
    subtract: (a, b) => wrap(unwrap(a).add(unwrap(b).negate())),
    equals: (a, b) => unwrap(a).equals(unwrap(b)),
    isIdentity: (point) => unwrap(point).is0(),
    multiplyGenerator: (scalar) => {
      comb ??= combOf(arithmetic, enter(Point.BASE));
      return wrap(leave(multiplyComb(arithmetic, comb, scalar)));
    },
    multiply: (point, scalar) => wrap(leave(multiplyWindowed(arithmetic, enter(unwrap(point)), scalar))),
    multiplyVarTime: (point, scalar) => wrap(unwrap(point).multiplyUnsafe(scalar)),
    encodePoint: (point) => encodePoints([point])[0] as Uint8Array,
    encodePoints,
    decodePoint: (bytes) => {
      if (bytes.length !== options.pointBytes) return undefined;
      try {
        const point = Point.fromBytes(bytes);
        point.assertValidity();
        return !point.is0() && point.isTorsionFree() ? wrap(point) : undefined;
      } catch {
        return undefined;
      }
    },
    encodeScalar: (scalar) => {
      const bytes = new Uint8Array(32);
      writeInteger(viewOf(bytes), 0, scalar);
      return bytes;
    },
    decodeScalar: (bytes) => {
      if (bytes.length !== 32) return undefined;
      const value = readWords(viewOf(bytes), 0, 4);
      return value < order ? value : undefined;
    },
    readInteger: (view, offset) => readWords(view, offset, 4),
    writeInteger,
    readUniformScalar: (view, offset) => readWords(view, offset, wideBytes / 8) % order,
    reduce,
    invert: (scalar) => {
      if (reduce(scalar) === 0n) throw new KeepsetError('bug/invariant', 'Zero has no inverse.');
      return Point.Fn.inv(reduce(scalar));
    },
    randomScalar: (random) => {
      // 128 bits more than the order has: the bias is below 2^-127.
      const bytes = random(48);
      const scalar = (readWords(viewOf(bytes), 0, 6) % (order - 1n)) + 1n;
      bytes.fill(0);
      return scalar;
    },
  };
};

const weierstrassLadder = (Point: typeof secp256k1.Point): Ladder<WeierstrassPoint, Projective> => {
  const { p, a, b } = Point.CURVE();
  const mod = (value: bigint): bigint => {
    const rest = value % p;
    return rest < 0n ? rest + p : rest;
  };
  return {
    arithmetic: completeFormulas(p, a > p >> 1n ? a - p : a, b),
    enter: ({ X, Y, Z }) => ({ x: X, y: Y, z: Z }),
    leave: ({ x, y, z }) => new Point(mod(x), mod(y), mod(z)),
  };
};

const edwardsLadder: Ladder<EdwardsPoint, EdwardsPoint> = {
  arithmetic: {
    zero: ed25519.Point.ZERO,
    add: (l, r) => l.add(r),
    double: (point) => point.double(),
  },
  enter: (point) => point,
  leave: (point) => point,
};

const ecdsaCurveOf = (
  group: CurvePort,
  name: EcdsaCurve['name'],
  hashToCurve: (message: Uint8Array, options: { DST: string }) => WeierstrassPoint,
): EcdsaCurve => ({
  ...group,
  name,
  hashToPoint: (message, domain) => wrap(hashToCurve(message, { DST: domain })),
  affine: (point) => {
    const { x, y } = (point as unknown as WeierstrassPoint).toAffine();
    return { x, yIsOdd: (y & 1n) === 1n };
  },
  // The fixed windows are also the fastest way here.
  multiplyAddVarTime: (a, point, b) => group.add(group.multiplyGenerator(a), group.multiply(point, b)),
});

/** @spec SEC 2 §2.4.1. The order is 2^256 − 2^128.4, so 32 uniform bytes make a scalar with a bias of 2^-127.6. */
export const secp256k1Curve: EcdsaCurve = ecdsaCurveOf(
  groupOf({
    name: 'secp256k1',
    Point: secp256k1.Point,
    pointBytes: 33,
    wideBytes: 32,
    littleEndian: false,
    normalize: (points) => normalizeZ(secp256k1.Point, points),
    ladder: weierstrassLadder(secp256k1.Point),
  }),
  'secp256k1',
  (message, options) => secp256k1_hasher.hashToCurve(message, options),
);

/** @spec FIPS 186-5, SP 800-186 §3.2.1.3 */
export const p256Curve: EcdsaCurve = ecdsaCurveOf(
  groupOf({
    name: 'p256',
    Point: p256.Point,
    pointBytes: 33,
    wideBytes: 48,
    littleEndian: false,
    normalize: (points) => normalizeZ(p256.Point, points),
    ladder: weierstrassLadder(p256.Point),
  }),
  'p256',
  (message, options) => p256_hasher.hashToCurve(message, options),
);

/** The prime-order subgroup of edwards25519. @spec RFC 8032 §5.1 */
export const ed25519Curve: CurvePort = groupOf({
  name: 'ed25519',
  Point: ed25519.Point,
  pointBytes: 32,
  wideBytes: 48,
  littleEndian: true,
  normalize: (points) => normalizeZ(ed25519.Point, points),
  ladder: edwardsLadder,
});

/** The group of a scheme's keys. */
export const curveOf = (scheme: Scheme): CurvePort =>
  ({
    ed25519: ed25519Curve,
    'schnorr-secp256k1': secp256k1Curve,
    'ecdsa-secp256k1': secp256k1Curve,
    'ecdsa-p256': p256Curve,
    'ecdh-p256': p256Curve,
  })[scheme];

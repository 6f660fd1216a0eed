/** The own point arithmetic against textbook affine formulas and plain integers, at every edge. */
import { describe, expect, it } from 'vitest';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { completeFormulas, type Arithmetic, type Projective } from '../../src/curve/complete.ts';
import { combOf, multiplyComb, multiplyWindowed } from '../../src/curve/windows.ts';

type Affine = { readonly x: bigint; readonly y: bigint } | undefined;

const curves = [
  { name: 'secp256k1', Point: secp256k1.Point },
  { name: 'p256', Point: p256.Point },
] as const;

describe.each(curves)('complete formulas on $name', ({ Point }) => {
  const { p, a, b, n, Gx, Gy } = Point.CURVE();
  const mod = (value: bigint): bigint => ((value % p) + p) % p;
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n;
    for (let rest = exponent, square = mod(base); rest > 0n; rest >>= 1n, square = mod(square * square))
      if ((rest & 1n) === 1n) result = mod(result * square);
    return result;
  };
  const inverse = (value: bigint): bigint => power(value, p - 2n);

  /** Chord and tangent. */
  const addAffine = (l: Affine, r: Affine): Affine => {
    if (l === undefined) return r;
    if (r === undefined) return l;
    if (l.x === r.x && mod(l.y + r.y) === 0n) return undefined;
    const slope =
      l.x === r.x
        ? mod((3n * l.x * l.x + a) * inverse(2n * l.y))
        : mod((r.y - l.y) * inverse(mod(r.x - l.x)));
    const x = mod(slope * slope - l.x - r.x);
    return { x, y: mod(slope * (l.x - x) - l.y) };
  };
  const timesAffine = (point: Affine, scalar: bigint): Affine => {
    let sum: Affine;
    for (let rest = scalar, double = point; rest > 0n; rest >>= 1n, double = addAffine(double, double))
      if ((rest & 1n) === 1n) sum = addAffine(sum, double);
    return sum;
  };

  const { zero, add, double } = completeFormulas(p, a > p >> 1n ? a - p : a, b);
  const affineOf = ({ x, y, z }: Projective): Affine => {
    const i = inverse(mod(z));
    if (mod(z) === 0n) {
      // Of all triples with z = 0 only (0 : y : 0), y ≠ 0, is a point.
      expect([mod(x), mod(y) === 0n]).toEqual([0n, false]);
      return undefined;
    }
    return { x: mod(x * i), y: mod(y * i) };
  };
  /** The same point by other representatives: scaled, negative, not reduced. */
  const facesOf = (point: Affine): Projective[] => {
    const plain = point === undefined ? zero : { x: point.x, y: point.y, z: 1n };
    const times = (k: bigint): Projective => ({
      x: mod(plain.x * k),
      y: mod(plain.y * k),
      z: mod(plain.z * k),
    });
    const scaled = times(0x1234567890abcdefn);
    return [plain, scaled, { x: scaled.x - p, y: scaled.y - p, z: scaled.z - p }];
  };

  const base: Affine = { x: Gx, y: Gy };
  const points: Affine[] = [
    undefined,
    ...[1n, 2n, 3n, n >> 1n, n - 2n, n - 1n].map((k) => timesAffine(base, k)),
  ];

  it('add any two points: the identity, equal ones, opposite ones, in any representation', () => {
    for (const l of points)
      for (const r of points) {
        const expected = addAffine(l, r);
        for (const left of facesOf(l))
          for (const right of facesOf(r)) expect(affineOf(add(left, right))).toEqual(expected);
      }
  });

  it('double any point', () => {
    for (const point of points)
      for (const face of facesOf(point)) expect(affineOf(double(face))).toEqual(addAffine(point, point));
  });

  it('multiply by 0, the order and its neighbours, through comb and windows', () => {
    const start = facesOf(base)[2]!;
    const comb = combOf({ zero, add, double }, start);
    for (const scalar of [0n, 1n, n - 1n, n, n + 1n, (1n << 256n) - 1n]) {
      const expected = timesAffine(base, scalar % n);
      expect(affineOf(multiplyComb({ zero, add, double }, comb, scalar))).toEqual(expected);
      expect(affineOf(multiplyWindowed({ zero, add, double }, start, scalar))).toEqual(expected);
      expect(
        affineOf(multiplyWindowed({ zero, add, double }, facesOf(undefined)[1]!, scalar)),
      ).toBeUndefined();
    }
  });
});

describe('comb and windows over the integers', () => {
  const integers: Arithmetic<bigint> = { zero: 0n, add: (l, r) => l + r, double: (value) => 2n * value };
  const comb = combOf(integers, 7n);
  const check = (scalar: bigint): void => {
    expect(multiplyComb(integers, comb, scalar)).toBe(7n * scalar);
    expect(multiplyWindowed(integers, 7n, scalar)).toBe(7n * scalar);
  };

  it('read every digit at every place right', () => {
    for (let place = 0n; place < 256n; place += 4n)
      for (let digit = 0n; digit < 16n; digit++) check(digit << place);
    for (let place = 0n; place < 252n; place += 6n)
      for (let digit = 0n; digit < 64n; digit++) check(digit << place);
    for (let digit = 0n; digit < 16n; digit++) check(digit << 252n);
    check((1n << 256n) - 1n);
  });

  it('run the same operations whatever the scalar', () => {
    const countsFor = (scalar: bigint): readonly [number, number, number] => {
      let [additions, doublings] = [0, 0];
      const counting: Arithmetic<bigint> = {
        zero: 0n,
        add: (l, r) => {
          additions += 1;
          return l + r;
        },
        double: (value) => {
          doublings += 1;
          return 2n * value;
        },
      };
      multiplyWindowed(counting, 1n, scalar);
      const windowed = additions;
      multiplyComb(counting, comb, scalar);
      return [windowed, additions - windowed, doublings];
    };
    const counts = countsFor((1n << 256n) - 1n);
    for (const scalar of [0n, 1n, 1n << 255n, 0x5555n << 100n]) expect(countsFor(scalar)).toEqual(counts);
  });
});

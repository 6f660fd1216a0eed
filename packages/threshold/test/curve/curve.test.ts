import * as fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p256_hasher } from '@noble/curves/nist.js';
import { secp256k1, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { fromHex } from '@keepset/bytes';
import { nobleHash } from '../../src/curve/hash.ts';
import { ed25519Curve, p256Curve, secp256k1Curve } from '../../src/curve/noble.ts';
import { evaluateCommitmentsVarTime, evaluatePolynomial, lagrangeAtZero } from '../shamir.ts';
import type { CurvePort, EcdsaCurve } from '../../src/curve/port.ts';
import { seededRng } from '../ecdsa/network.ts';

interface LibraryPoint {
  multiply(scalar: bigint): LibraryPoint;
  toBytes(): Uint8Array;
}

const curves: readonly { readonly port: CurvePort; readonly base: LibraryPoint }[] = [
  { port: secp256k1Curve, base: secp256k1.Point.BASE },
  { port: p256Curve, base: p256.Point.BASE },
  { port: ed25519Curve, base: ed25519.Point.BASE },
];

describe.each(curves)('the port over $port.name', ({ port, base }) => {
  const { order } = port;
  const scalars = fc.bigInt({ min: 1n, max: order - 1n });
  const edges = [1n, 2n, 3n, 15n, 16n, 17n, 63n, 64n, 65n, order >> 1n, order - 2n, order - 1n];

  it('multiplies the generator as the library does', () => {
    for (const scalar of edges)
      expect(port.encodePoint(port.multiplyGenerator(scalar))).toEqual(base.multiply(scalar).toBytes());
    fc.assert(
      fc.property(scalars, (scalar) => {
        expect(port.encodePoint(port.multiplyGenerator(scalar))).toEqual(base.multiply(scalar).toBytes());
      }),
      { numRuns: 30 },
    );
  });

  it('multiplies other points as the library does', () => {
    const check = (start: bigint, scalar: bigint): void => {
      const point = port.multiplyGenerator(start);
      const expected = base.multiply(start).multiply(scalar).toBytes();
      expect(port.encodePoint(port.multiply(point, scalar))).toEqual(expected);
      expect(port.encodePoint(port.multiplyVarTime(point, scalar))).toEqual(expected);
    };
    for (const scalar of edges) check(7n, scalar);
    fc.assert(fc.property(scalars, scalars, check), { numRuns: 15 });
  });

  it('treats zero and the identity as the group does', () => {
    const point = port.multiplyGenerator(5n);
    expect(port.isIdentity(port.multiplyGenerator(0n))).toBe(true);
    expect(port.isIdentity(port.multiply(point, 0n))).toBe(true);
    expect(port.isIdentity(port.multiply(port.identity, 5n))).toBe(true);
    expect(port.isIdentity(port.subtract(point, point))).toBe(true);
    expect(port.equals(port.add(point, port.identity), point)).toBe(true);
    expect(port.equals(port.add(point, point), port.multiplyGenerator(10n))).toBe(true);
    expect(port.equals(point, port.identity)).toBe(false);
    expect(() => port.encodePoint(port.identity)).toThrow();
  });

  it('encodes many points as it encodes each', () => {
    const points = edges.map((scalar) => port.multiplyGenerator(scalar));
    expect(port.encodePoints(points)).toEqual(points.map((point) => port.encodePoint(point)));
    expect(port.encodePoints([])).toEqual([]);
    for (const point of points) {
      const decoded = port.decodePoint(port.encodePoint(point));
      expect(decoded !== undefined && port.equals(decoded, point)).toBe(true);
    }
  });

  it('decodes nothing but canonical points', () => {
    const good = port.encodePoint(port.multiplyGenerator(9n));
    expect(port.decodePoint(good)).toBeDefined();
    const bad = [
      new Uint8Array(0),
      new Uint8Array(port.pointBytes),
      new Uint8Array(port.pointBytes).fill(255),
      good.subarray(1),
      Uint8Array.of(...good, 0),
      port.name === 'ed25519'
        ? Uint8Array.of(1, ...new Uint8Array(31))
        : Uint8Array.of(5, ...good.subarray(1)),
    ];
    for (const bytes of bad) expect(port.decodePoint(bytes)).toBeUndefined();
  });

  it('reads and writes scalars strictly', () => {
    fc.assert(
      fc.property(scalars, (scalar) => {
        expect(port.decodeScalar(port.encodeScalar(scalar))).toBe(scalar);
      }),
    );
    const littleEndian = port.name === 'ed25519';
    const encoded = port.encodeScalar(0x0102n);
    expect([...(littleEndian ? encoded.subarray(0, 2) : encoded.subarray(30).toReversed())]).toEqual([2, 1]);
    const tooLarge = new Uint8Array(32);
    port.writeInteger(new DataView(tooLarge.buffer), 0, order);
    expect(port.readInteger(new DataView(tooLarge.buffer), 0)).toBe(order);
    expect(port.decodeScalar(tooLarge)).toBeUndefined();
    expect(port.decodeScalar(new Uint8Array(32).fill(255))).toBeUndefined();
    expect(port.decodeScalar(new Uint8Array(31))).toBeUndefined();
    expect(port.decodeScalar(new Uint8Array(33))).toBeUndefined();
  });

  it('makes uniform scalars of wide bytes by reducing them', () => {
    const bytes = seededRng('wide')(port.wideBytes);
    const ordered = port.name === 'ed25519' ? bytes.toReversed() : bytes;
    const expected = ordered.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % order;
    expect(port.readUniformScalar(new DataView(bytes.buffer, bytes.byteOffset), 0)).toBe(expected);
    const seen = new Set(Array.from({ length: 50 }, () => port.randomScalar(seededRng('same'))));
    expect(seen.size).toBe(1);
    expect(port.randomScalar((length) => new Uint8Array(length))).toBe(1n);
  });

  it('reduces and inverts', () => {
    expect(port.reduce(-1n)).toBe(order - 1n);
    expect(port.reduce(order * 3n + 4n)).toBe(4n);
    fc.assert(
      fc.property(scalars, (scalar) => {
        expect(port.reduce(scalar * port.invert(scalar))).toBe(1n);
      }),
    );
    expect(() => port.invert(0n)).toThrow();
    expect(() => port.invert(order)).toThrow();
  });

  it('interpolates and evaluates polynomials in scalars and in points', () => {
    const random = seededRng('polynomial');
    const coefficients = Array.from({ length: 4 }, () => port.randomScalar(random));
    const images = coefficients.map((coefficient) => port.multiplyGenerator(coefficient));
    const values = new Map([1, 3, 6, 16].map((x) => [x, evaluatePolynomial(port, coefficients, x)]));
    for (const [x, value] of values)
      expect(port.equals(evaluateCommitmentsVarTime(port, images, x), port.multiplyGenerator(value))).toBe(
        true,
      );
    const sum = [...values].reduce(
      (total, [x, value]) => total + value * lagrangeAtZero(port, [...values.keys()], x),
      0n,
    );
    expect(port.reduce(sum)).toBe(coefficients[0]);
    expect(() => lagrangeAtZero(port, [1, 1, 2], 1)).toThrow();
    expect(() => lagrangeAtZero(port, [1, 2], 3)).toThrow();
    expect(() => lagrangeAtZero(port, [0, 1], 1)).toThrow();
  });
});

describe.each([
  { port: secp256k1Curve, hasher: secp256k1_hasher, suite: 'secp256k1_XMD:SHA-256_SSWU_RO_' },
  { port: p256Curve, hasher: p256_hasher, suite: 'P256_XMD:SHA-256_SSWU_RO_' },
] satisfies { port: EcdsaCurve; hasher: unknown; suite: string }[])(
  'ECDSA on $port.name',
  ({ port, suite }) => {
    it('hashes to the curve as RFC 9380 says', () => {
      // RFC 9380 Appendices J.1.1 and J.8.1, message "abc".
      const x =
        port.name === 'p256'
          ? '0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f'
          : '3377e01eab42db296b512293120c6cee72b6ecf9f9205760bd9ff11fb3cb2c4b';
      const point = port.hashToPoint(new TextEncoder().encode('abc'), `QUUX-V01-CS02-with-${suite}`);
      expect(port.affine(point).x).toBe(BigInt(`0x${x}`));
    });

    it('gives affine coordinates and double multiplications', () => {
      fc.assert(
        fc.property(
          fc.bigInt({ min: 0n, max: port.order - 1n }),
          fc.bigInt({ min: 1n, max: port.order - 1n }),
          (a, b) => {
            const point = port.multiplyGenerator(77n);
            const expected = port.multiplyGenerator(port.reduce(a + 77n * b));
            expect(port.equals(port.multiplyAddVarTime(a, point, b), expected)).toBe(true);
          },
        ),
        { numRuns: 10 },
      );
      const { x, yIsOdd } = port.affine(port.multiplyGenerator(3n));
      const encoded = port.encodePoint(port.multiplyGenerator(3n));
      expect(encoded[0]).toBe(yIsOdd ? 3 : 2);
      expect(port.encodeScalar(x)).toEqual(encoded.subarray(1));
    });
  },
);

describe('SHA-256', () => {
  const platform = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

  it('gives the digests of FIPS 180-4 examples', () => {
    const abc = fromHex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    const bytes = new TextEncoder().encode('abc');
    expect(nobleHash.sha256(bytes)).toEqual(abc);
    expect(nobleHash.sha256Each(bytes, 3, 1)).toEqual(abc);
  });

  it('hashes batches of every length as the platform does', () => {
    const random = seededRng('batches');
    for (let length = 0; length <= 55; length++) {
      const packed = random(3 * length);
      const digests = nobleHash.sha256Each(packed, length, 3);
      for (let i = 0; i < 3; i++)
        expect([...digests.subarray(32 * i, 32 * i + 32)]).toEqual([
          ...platform(packed.subarray(length * i, length * (i + 1))),
        ]);
    }
    expect(nobleHash.sha256Each(new Uint8Array(0), 20, 0)).toEqual(new Uint8Array(0));
  });

  it('refuses batches that do not fit', () => {
    expect(() => nobleHash.sha256Each(new Uint8Array(56), 56, 1)).toThrow();
    expect(() => nobleHash.sha256Each(new Uint8Array(50), 51, 1)).toThrow();
  });
});

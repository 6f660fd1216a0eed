/**
 * A stand-in for the curve in which everyone sees every discrete logarithm: a "point" is a scalar. It has the same
 * order and the same lengths, so that protocols run through all their steps and checks, a hundred times faster.
 * Nothing about it is secret or hard; it serves tests that run protocols by the thousand.
 */
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@keepset/bytes';
import { secp256k1Curve } from '../../src/curve/noble.ts';
import type { EcdsaCurve, GroupPoint } from '../../src/curve/port.ts';
import { ecdsaSecp256k1Suite, type EcdsaSuite } from '../../src/ecdsa/suites.ts';

const { order } = secp256k1Curve;
const mod = (value: bigint): bigint => ((value % order) + order) % order;
const wrap = (value: bigint): GroupPoint => ({ log: mod(value) }) as unknown as GroupPoint;
const log = (point: GroupPoint): bigint => (point as unknown as { log: bigint }).log;

const encodePoint = (point: GroupPoint): Uint8Array => {
  if (log(point) === 0n) throw new Error('the identity has no encoding');
  return concatBytes(Uint8Array.of(2), secp256k1Curve.encodeScalar(log(point)));
};

const curve: EcdsaCurve = {
  ...secp256k1Curve,
  identity: wrap(0n),
  generator: wrap(1n),
  add: (a, b) => wrap(log(a) + log(b)),
  subtract: (a, b) => wrap(log(a) - log(b)),
  equals: (a, b) => log(a) === log(b),
  isIdentity: (point) => log(point) === 0n,
  multiplyGenerator: (scalar) => wrap(scalar),
  multiply: (point, scalar) => wrap(log(point) * scalar),
  multiplyVarTime: (point, scalar) => wrap(log(point) * scalar),
  encodePoint,
  encodePoints: (points) => points.map(encodePoint),
  decodePoint: (bytes) => {
    const value = secp256k1Curve.decodeScalar(bytes.subarray(1));
    return bytes.length !== 33 || bytes[0] !== 2 || value === undefined || value === 0n
      ? undefined
      : wrap(value);
  },
  hashToPoint: (message, domain) => {
    const digest = sha512(concatBytes(utf8ToBytes(domain), message));
    return wrap(secp256k1Curve.readInteger(new DataView(digest.buffer), 0));
  },
  // As on a curve, a point and its negative have the same x and different parity.
  affine: (point) => {
    const isUpper = log(point) > order >> 1n;
    const digest = sha256(secp256k1Curve.encodeScalar(isUpper ? order - log(point) : log(point)));
    return { x: secp256k1Curve.readInteger(new DataView(digest.buffer), 0), yIsOdd: isUpper };
  },
  multiplyAddVarTime: (a, point, b) => wrap(a + b * log(point)),
};

export const transparentSuite: EcdsaSuite = { ...ecdsaSecp256k1Suite, curve };

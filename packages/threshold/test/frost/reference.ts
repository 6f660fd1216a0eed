/** The definitions, written a second time over plain BigInt arithmetic: nothing here comes from the code under test. */
import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { KeyShare } from '../../src/index.ts';
import { orders, scalarBytes, scalarOf } from './mutations.ts';
import { hex, unhex, type FrostScheme } from './network.ts';

/** A value of the sharing polynomial. */
export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const pointOf = (scheme: FrostScheme, x: number, share: KeyShare): Point => ({
  x: BigInt(x),
  y: scalarOf(scheme, share.secret.reveal()),
});

/** The value at 0 of the polynomial of least degree through the points (Lagrange). */
export const interpolate = (scheme: FrostScheme, points: readonly Point[]): Uint8Array => {
  const q = orders[scheme];
  const mod = (n: bigint): bigint => ((n % q) + q) % q;
  let sum = 0n;
  for (const { x, y } of points) {
    let [num, den] = [1n, 1n];
    for (const other of points)
      if (other.x !== x) [num, den] = [mod(num * other.x), mod(den * (other.x - x))];
    sum = mod(sum + y * num * power(den, q - 2n, q));
  }
  return scalarBytes(scheme, sum);
};

const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let [result, square] = [1n, base];
  for (let e = exponent; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
};

/** Scalar times generator, encoded. */
export const publicKeyOf = (scheme: FrostScheme, secret: Uint8Array): Uint8Array => {
  const n = scalarOf(scheme, secret);
  return scheme === 'ed25519'
    ? ed25519.Point.BASE.multiply(n).toBytes()
    : secp256k1.Point.BASE.multiply(n).toBytes();
};

/** SubjectPublicKeyInfo of RFC 8410. */
const spkiOf = (publicKey: Uint8Array): Uint8Array =>
  Uint8Array.from([...unhex('302a300506032b6570032100'), ...publicKey]);

/** Whether the OpenSSL inside Node accepts an Ed25519 signature. */
export const nodeVerifies = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const key = createPublicKey({ key: Buffer.from(spkiOf(publicKey)), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
};

/** Whether the `openssl` command accepts an Ed25519 signature. */
export const opensslVerifies = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'keepset-frost-'));
  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const key = ['-pubin', '-keyform', 'DER', '-inkey', file('key', spkiOf(publicKey))];
  const input = ['-rawin', '-in', file('message', message), '-sigfile', file('signature', signature)];
  try {
    return spawnSync('openssl', ['pkeyutl', '-verify', ...key, ...input], {
      encoding: 'utf8',
    }).stdout.includes('Signature Verified Successfully');
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const tagged = (tag: string, ...parts: readonly Uint8Array[]): Uint8Array => {
  const tagHash = createHash('sha256').update(tag).digest();
  return Uint8Array.from(
    createHash('sha256')
      .update(Buffer.concat([tagHash, tagHash, ...parts]))
      .digest(),
  );
};

/** Verification of BIP 340, step by step as the document has it. `key` is x-only. */
export const bip340Verifies = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const { Point, CURVE } = { Point: secp256k1.Point, CURVE: secp256k1.Point.CURVE() };
  if (key.length !== 32 || signature.length !== 64) return false;
  const P = Point.fromBytes(Uint8Array.from([2, ...key]));
  const r = BigInt(`0x${hex(signature.slice(0, 32))}`);
  const s = BigInt(`0x${hex(signature.slice(32))}`);
  if (r >= CURVE.p || s >= CURVE.n) return false;
  const e = BigInt(`0x${hex(tagged('BIP0340/challenge', signature.slice(0, 32), key, message))}`) % CURVE.n;
  const R = Point.BASE.multiplyUnsafe(s).subtract(P.multiplyUnsafe(e));
  if (R.is0()) return false;
  const { x, y } = R.toAffine();
  return y % 2n === 0n && x === r;
};

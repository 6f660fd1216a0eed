/**
 * Nonce points whose x-coordinate is not below the order, one in 2^128 on secp256k1 and one in 2^32 on P-256. Nobody knows
 * the logarithm of one, but the key under which it makes a signature can be computed from it.
 */
import { describe, expect, it } from 'vitest';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@keepset/bytes';
import type { GroupPoint } from '../../src/curve/port.ts';
import { assembleSignature, messageScalar, nonceFacts, verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';

const request = { message: utf8ToBytes('rare'), digest: 'sha256' } as const;

describe.each([
  { suite: ecdsaSecp256k1Suite, noble: secp256k1 },
  { suite: ecdsaP256Suite, noble: p256 },
])('a nonce beyond the order of $suite.scheme', ({ suite, noble }) => {
  const { curve } = suite;
  /** The first point whose x is the order or more, and r not 0. */
  const nonce = ((): GroupPoint => {
    for (let x = curve.order + 1n; ; x++) {
      const point = curve.decodePoint(Uint8Array.of(2, ...curve.encodeScalar(x)));
      if (point !== undefined) return point;
    }
  })();

  it.each([2, 3])('makes a signature with recovery id %i', (id) => {
    const point = id === 2 ? nonce : curve.subtract(curve.identity, nonce);
    const facts = nonceFacts(curve, point);
    expect(facts).toMatchObject({ id });
    const s = 12345n;
    const z = messageScalar(suite, request);
    // Q = (s·R − z·G) / r
    const key = curve.multiplyVarTime(
      curve.subtract(curve.multiplyVarTime(point, s), curve.multiplyGenerator(z)),
      curve.invert(facts.r),
    );
    const whole = { numerator: s, denominator: 1n };
    const signature = assembleSignature(suite, key, facts, z, [whole])!;
    expect(signature[64]).toBe(id);
    const publicKey = curve.encodePoint(key);
    expect(verifyEcdsa(suite, publicKey, request, signature)).toBe(true);
    for (const other of [0, 1, 2, 3].filter((value) => value !== id))
      expect(verifyEcdsa(suite, publicKey, request, Uint8Array.of(...signature.subarray(0, 64), other))).toBe(
        false,
      );
    const recovered = noble.Signature.fromBytes(signature.subarray(0, 64), 'compact')
      .addRecoveryBit(id)
      .recoverPublicKey(sha256(request.message));
    expect(recovered.toBytes()).toEqual(publicKey);
  });
});

import { describe, expect, it } from 'vitest';
import { p256Curve as curve } from '../../src/curve/noble.ts';
import { proveEquality, verifyEqualityVarTime, type Statement } from '../../src/ecdh/proof.ts';
import { hex, seededRng, sha256 } from '../frost/network.ts';

const rng = seededRng('proofs');
const make = (): { readonly secret: bigint; readonly statement: Statement } => {
  const secret = curve.randomScalar(rng);
  const base = curve.multiplyGenerator(curve.randomScalar(rng));
  const statement: Statement = {
    context: sha256('context'),
    party: 'phone',
    image: curve.multiplyGenerator(secret),
    base,
    power: curve.multiply(base, secret),
  };
  return { secret, statement };
};
const { secret, statement } = make();
const proof = proveEquality(curve, statement, secret, seededRng('one'));
const verify = (s: Statement, p = proof): boolean => verifyEqualityVarTime(curve, s, p);
const q = curve.order;
const plus = (bytes: Uint8Array, n: bigint): Uint8Array =>
  curve.encodeScalar(curve.reduce((curve.decodeScalar(bytes) ?? 0n) + n));

describe('a proof of equal logarithms', () => {
  it('holds for what it was made for, also at the edges', () => {
    for (const a of [1n, 2n, q - 1n, secret]) {
      const s = { ...statement, image: curve.multiplyGenerator(a), power: curve.multiply(statement.base, a) };
      expect(verify(s, proveEquality(curve, s, a, rng))).toBe(true);
    }
  });

  it('holds for no other statement', () => {
    const other = make().statement;
    const doubled = { image: curve.add(statement.image, statement.image) };
    for (const change of [
      { context: sha256('another') },
      { party: 'server' },
      { image: other.image },
      { base: other.base },
      { power: other.power },
      { image: other.image, base: other.base, power: other.power },
      { base: curve.generator, power: statement.image },
      { base: statement.power, power: statement.base },
      doubled,
    ])
      expect(verify({ ...statement, ...change }), Object.keys(change).join()).toBe(false);
  });

  it('cannot be made for different logarithms, even by one who knows both', () => {
    const wrong = { ...statement, power: curve.multiply(statement.base, curve.reduce(secret + 1n)) };
    for (const known of [secret, curve.reduce(secret + 1n)])
      expect(verify(wrong, proveEquality(curve, wrong, known, rng))).toBe(false);
  });

  it('bears no change and no other writing of its numbers', () => {
    const { challenge, response } = proof;
    for (const changed of [
      { challenge: plus(challenge, 1n), response },
      { challenge, response: plus(response, 1n) },
      { challenge: plus(challenge, 1n), response: plus(response, secret) },
      { challenge: response, response: challenge },
      { challenge: new Uint8Array(32), response },
      { challenge, response: new Uint8Array(32) },
      { challenge: new Uint8Array(32), response: new Uint8Array(32) },
      { challenge: new Uint8Array(32).fill(255), response },
      { challenge, response: new Uint8Array(32).fill(255) },
      { challenge: challenge.slice(1), response },
      { challenge, response: Uint8Array.from([...response, 0]) },
    ])
      expect(verify(statement, changed)).toBe(false);
  });

  it('has another nonce for another statement, secret or draw', () => {
    // z − e·a is the nonce.
    const nonceOf = (s: Statement, a: bigint, seed: string): string => {
      const { challenge, response } = proveEquality(curve, s, a, seededRng(seed));
      const [e, z] = [curve.decodeScalar(challenge) ?? 0n, curve.decodeScalar(response) ?? 0n];
      return hex(curve.encodeScalar(curve.reduce(z - e * a)));
    };
    const again = nonceOf(statement, secret, 'one');
    const other = make();
    const nonces = [
      again,
      nonceOf(statement, secret, 'two'),
      nonceOf({ ...statement, context: sha256('another') }, secret, 'one'),
      nonceOf({ ...statement, party: 'server' }, secret, 'one'),
      nonceOf({ ...statement, base: other.statement.base }, secret, 'one'),
      nonceOf(statement, other.secret, 'one'),
    ];
    expect(nonceOf(statement, secret, 'one')).toBe(again);
    expect(new Set(nonces).size).toBe(nonces.length);
  });
});

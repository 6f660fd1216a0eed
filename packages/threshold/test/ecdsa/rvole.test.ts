import { beforeAll, describe, expect, it } from 'vitest';
import { nobleHash } from '../../src/curve/hash.ts';
import { bitAt } from '../../src/ecdsa/bits.ts';
import {
  factorOf,
  gadgetVector,
  multiplyAsAlice,
  multiplyAsBob,
  readProduct,
  type Pair,
  type ProductMessage,
} from '../../src/ecdsa/rvole.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';
import { zeroShare } from '../../src/ecdsa/zero-sharing.ts';
import { seededRng } from './network.ts';

describe.each([ecdsaSecp256k1Suite, ecdsaP256Suite])('RVOLE for $scheme', (suite) => {
  const { curve } = suite;
  const random = seededRng(`rvole ${suite.scheme}`);
  const batch = random(32);
  const choices = random(52);
  const delta = new Int32Array([1, 2, 3, 4]);
  const rows = Int32Array.from(random(416 * 16).slice(0, 416 * 4));
  // Rows as an ideal extension would deal them.
  const ofBob = rows.map((word, i) => word ^ (bitAt(choices, i >> 2) === 1 ? delta[i & 3]! : 0));
  const inputs: Pair = [curve.randomScalar(random), curve.randomScalar(random)];
  const factor = factorOf(suite, choices);
  let message: ProductMessage;
  let shares: Pair;
  beforeAll(() => {
    ({ message, shares } = multiplyAsAlice(suite, batch, rows, delta, inputs, random));
  });
  const bob = (changed: Partial<ProductMessage>, id = batch): Pair | undefined =>
    multiplyAsBob(suite, id, ofBob, choices, readProduct(suite, { ...message, ...changed })!);

  it('gives shares of both products: c + d = a · b', () => {
    const theirs = bob({})!;
    for (const i of [0, 1] as const)
      expect(curve.reduce(shares[i] + theirs[i])).toBe(curve.reduce(inputs[i] * factor));
  });

  it('has a gadget vector of 416 distinct scalars, the same each time', () => {
    const gadget = gadgetVector(suite);
    expect(new Set(gadget).size).toBe(416);
    expect(gadgetVector({ curve, hash: { ...nobleHash } })).toBe(gadget);
    expect(gadget.every((weight) => weight > 0n && weight < curve.order)).toBe(true);
    const ones = new Uint8Array(52).fill(255);
    expect(factorOf(suite, ones)).toBe(curve.reduce(gadget.reduce((sum, weight) => sum + weight, 0n)));
    expect(factorOf(suite, new Uint8Array(52))).toBe(0n);
  });

  it('fails the check in another session and for a wrong η or digest', () => {
    expect(bob({}, random(32))).toBeUndefined();
    const digest = message.digest.slice();
    digest[0]! ^= 1;
    expect(bob({ digest })).toBeUndefined();
    const response = curve.encodeScalar(curve.reduce(curve.decodeScalar(message.response)! + 1n));
    expect(bob({ response })).toBeUndefined();
  });

  /** The message of an Alice who sends `masked` as it stands, with the check values of her true inputs. */
  const forge = (masked: Uint8Array): ProductMessage => {
    // θ is the hash of ã: make it the hash of the changed one.
    const sha256 = (bytes: Uint8Array): Uint8Array => {
      const prefix = bytes.length - masked.length;
      return nobleHash.sha256(prefix > 0 ? Uint8Array.of(...bytes.subarray(0, prefix), ...masked) : bytes);
    };
    const again = seededRng('check value');
    const kernel = { curve, hash: { ...nobleHash, sha256 } };
    return { ...multiplyAsAlice(kernel, batch, rows, delta, inputs, again).message, masked };
  };

  /** Alice multiplies another value in one OT. She passes exactly if Bob's bit there is 0, which is what she learns. */
  const cheat = (ot: number, column: number): boolean => {
    const honest = multiplyAsAlice(suite, batch, rows, delta, inputs, seededRng('check value')).message;
    const masked = honest.masked.slice();
    const view = new DataView(masked.buffer);
    const place = 32 * (3 * ot + column);
    curve.writeInteger(view, place, curve.reduce(curve.readInteger(view, place) + 5n));
    return multiplyAsBob(suite, batch, ofBob, choices, readProduct(suite, forge(masked))!) !== undefined;
  };

  it('lets a selective failure through only where Bob’s bit is guessed right', () => {
    for (let ot = 0; ot < 30; ot++) expect(cheat(ot, ot % 3)).toBe(bitAt(choices, ot) === 0);
  });

  it('reads no scalar outside the field', () => {
    const masked = message.masked.slice();
    curve.writeInteger(new DataView(masked.buffer), 32 * 1247, curve.order);
    expect(readProduct(suite, { ...message, masked })).toBeUndefined();
    expect(readProduct(suite, { ...message, response: new Uint8Array(32).fill(255) })).toBeUndefined();
    expect(readProduct(suite, message)).toBeDefined();
  });
});

describe('shares of zero', () => {
  const { curve } = ecdsaSecp256k1Suite;
  const random = seededRng('zero');
  const parties = ['a', 'b', 'c', 'd'];
  const seeds = new Map(parties.flatMap((p, i) => parties.slice(i + 1).map((q) => [`${p}${q}`, random(32)])));
  const share = (me: string, session: Uint8Array): bigint => {
    const peers = parties.filter((party) => party !== me);
    const mine = new Map(
      peers.map((peer) => [peer, seeds.get(me < peer ? `${me}${peer}` : `${peer}${me}`)!]),
    );
    return zeroShare(ecdsaSecp256k1Suite, session, parties, me, mine);
  };

  it('sum up to zero, and change with the session', () => {
    const [first, second] = [random(32), random(32)];
    expect(curve.reduce(parties.reduce((sum, party) => sum + share(party, first), 0n))).toBe(0n);
    for (const party of parties) {
      expect(share(party, first)).not.toBe(0n);
      expect(share(party, first)).not.toBe(share(party, second));
    }
  });
});

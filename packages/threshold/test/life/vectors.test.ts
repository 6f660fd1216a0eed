import { readFileSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ed25519 } from '@noble/curves/ed25519.js';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { fromHex } from '@keepset/bytes';
import { lifeVectors } from '../../../../vectors/generate-life.ts';

const folder = new URL('../../../../vectors/life/', import.meta.url);
const names = readdirSync(folder);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

describe('the frozen vectors', () => {
  let made: ReturnType<typeof lifeVectors>;
  beforeAll(() => {
    made = lifeVectors();
    // Ten seconds of computing, which a busy machine stretches.
  }, 300_000);

  it('are all made by the generator', () => {
    expect([...made.keys()].toSorted()).toEqual(names.toSorted());
  });

  it.each(names)('%s comes out again', (name) => {
    expect(made.get(name)).toEqual(read(name));
  });
});

interface Stage {
  readonly secrets: Readonly<Record<string, { readonly share: string }>>;
}
interface Sharing extends Stage {
  readonly group: { readonly epoch: number; readonly publicKey: string; readonly parties: readonly string[] };
}
interface Life {
  readonly keygen: Sharing;
  readonly sign: { readonly message: string; readonly signature: string };
  readonly refresh: Sharing;
  readonly repair: Stage;
  readonly reshare: Sharing;
}

/** What the vectors say, checked without our code. */
describe.each([
  { name: 'ed25519.json', Point: ed25519.Point },
  { name: 'schnorr-secp256k1.json', Point: secp256k1.Point },
  { name: 'ecdsa-secp256k1.json', Point: secp256k1.Point },
])('$name', ({ name, Point }) => {
  const { keygen, sign, refresh, repair, reshare } = read(name) as Life;
  const { Fn } = Point;
  /** The point of the key that these parties' shares have in common. */
  const keyOf = (secrets: Stage['secrets'], order: readonly string[], quorum: readonly string[]): string => {
    const places = quorum.map((party) => Fn.create(BigInt(order.indexOf(party) + 1)));
    const key = quorum.reduce((sum, party, i) => {
      const weight = places.reduce(
        (product, place, j) =>
          i === j ? product : Fn.mul(product, Fn.div(place, Fn.sub(place, places[i]!))),
        Fn.ONE,
      );
      return Fn.add(sum, Fn.mul(weight, Fn.fromBytes(fromHex(secrets[party]!.share))));
    }, Fn.ZERO);
    return Point.BASE.multiply(key).toHex();
  };

  it('has shares of one key at every stage, and no key in shares of two stages', () => {
    const { publicKey, parties } = keygen.group;
    for (const [a, b] of [
      ['phone', 'server'],
      ['phone', 'usb'],
      ['server', 'usb'],
    ] as const)
      for (const { secrets } of [keygen, refresh, repair])
        expect(keyOf(secrets, parties, [a, b])).toBe(publicKey);
    expect(keyOf(reshare.secrets, reshare.group.parties, reshare.group.parties)).toBe(publicKey);
    const mixed = { phone: keygen.secrets['phone']!, server: refresh.secrets['server']! };
    expect(keyOf(mixed, parties, ['phone', 'server'])).not.toBe(publicKey);
    expect([keygen, refresh, reshare].map(({ group }) => group.epoch)).toEqual([0, 1, 2]);
    expect(repair.secrets['usb']!.share).toBe(refresh.secrets['usb']!.share);
  });

  it('has a signature that verifies', () => {
    const [signature, message, key] = [sign.signature, sign.message, keygen.group.publicKey].map(fromHex);
    const isValid = {
      'ed25519.json': () => ed25519.verify(signature!, message!, key!),
      'schnorr-secp256k1.json': () => schnorr.verify(signature!, message!, key!.subarray(1)),
      'ecdsa-secp256k1.json': () =>
        secp256k1.verify(signature!.subarray(0, 64), sha256(message!), key!, { prehash: false }),
    }[name]!;
    expect(isValid()).toBe(true);
  });
});

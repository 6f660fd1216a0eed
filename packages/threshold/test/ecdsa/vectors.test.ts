import { readFileSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { fromHex } from '@keepset/bytes';
import { ecdsaVectors } from '../../../../vectors/generate-ecdsa.ts';

const folder = new URL('../../../../vectors/ecdsa/', import.meta.url);
const names = readdirSync(folder);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

describe('the frozen vectors', () => {
  let made: ReturnType<typeof ecdsaVectors>;
  beforeAll(() => {
    made = ecdsaVectors();
  });

  it('are all made by the generator', () => {
    expect(names).toHaveLength(8);
    expect([...made.keys()].toSorted()).toEqual(names.toSorted());
  });

  it.each(names)('%s comes out again', (name) => {
    expect(made.get(name)).toEqual(read(name));
  });
});

interface KeyVector {
  readonly keygen: {
    readonly group: { readonly publicKey: string; readonly verifyingShares: readonly string[] };
    readonly shares: Readonly<Record<'phone' | 'server', { readonly share: string }>>;
  };
  readonly sign: { readonly message: string; readonly signature: string };
  readonly presign: { readonly publicKey: string; readonly signing: { readonly signature: string } };
}

/** What the vectors say, checked without our code. */
describe.each([
  { name: 'ecdsa-secp256k1.json', curve: secp256k1 },
  { name: 'ecdsa-p256.json', curve: p256 },
])('$name', ({ name, curve }) => {
  const { keygen, sign, presign } = read(name) as KeyVector;
  const { Fn } = curve.Point;
  const scalar = (text: string): bigint => Fn.fromBytes(fromHex(text));

  it('has shares whose line passes through the private key', () => {
    const [first, second] = [scalar(keygen.shares.phone.share), scalar(keygen.shares.server.share)];
    const key = Fn.sub(Fn.mul(2n, first), second);
    expect(curve.getPublicKey(Fn.toBytes(key))).toEqual(fromHex(keygen.group.publicKey));
    expect(curve.getPublicKey(Fn.toBytes(second))).toEqual(fromHex(keygen.group.verifyingShares[1]!));
  });

  it('has signatures that verify', () => {
    const digest = sha256(fromHex(sign.message));
    const valid = (signature: string, key: string): boolean =>
      curve.verify(fromHex(signature).subarray(0, 64), digest, fromHex(key), { prehash: false });
    expect(valid(sign.signature, keygen.group.publicKey)).toBe(true);
    expect(valid(presign.signing.signature, presign.publicKey)).toBe(true);
    expect(valid(sign.signature, presign.publicKey)).toBe(false);
  });
});

interface Products {
  readonly scheme: string;
  readonly factor: string;
  readonly inputs: readonly string[];
  readonly aliceShares: readonly string[];
  readonly bobShares: readonly string[];
}

describe('rvole.json', () => {
  it.each(read('rvole.json') as readonly Products[])('has shares of the products for $scheme', (vector) => {
    const { Fn } = (vector.scheme === 'ecdsa-p256' ? p256 : secp256k1).Point;
    const scalar = (text: string | undefined): bigint => Fn.fromBytes(fromHex(text ?? ''));
    for (const i of [0, 1])
      expect(Fn.add(scalar(vector.aliceShares[i]), scalar(vector.bobShares[i]))).toBe(
        Fn.mul(scalar(vector.inputs[i]), scalar(vector.factor)),
      );
  });
});

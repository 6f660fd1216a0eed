import { createECDH } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ecdhVectors } from '../../../../vectors/generate-ecdh.ts';

const folder = new URL('../../../../vectors/ecdh/', import.meta.url);
const names = readdirSync(folder);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

it('the frozen vectors are all made by the generator', () => {
  expect([...ecdhVectors().keys()].toSorted()).toEqual(names.toSorted());
  expect(names).toHaveLength(2);
});

it.each(names)('%s comes out again', (name) => {
  expect(ecdhVectors().get(name)).toEqual(read(name));
});

it('what a quorum comes to is what OpenSSL agrees with the public key', () => {
  const openings = read('open.json') as readonly {
    readonly group: { readonly publicKey: string };
    readonly ephemeralSecret: string;
    readonly ephemeral: string;
    readonly shared: string;
  }[];
  expect(openings).toHaveLength(2);
  for (const { group, ephemeralSecret, ephemeral, shared } of openings) {
    const file = createECDH('prime256v1');
    file.setPrivateKey(ephemeralSecret, 'hex');
    expect(file.getPublicKey('hex')).toBe(ephemeral);
    expect(file.computeSecret(group.publicKey, 'hex', 'hex')).toBe(shared);
  }
});

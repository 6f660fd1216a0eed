import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { expect, it } from 'vitest';
import { toHex } from '@keepset/bytes';
import { decodeIdentityFile, openShareFile, openingKeyOf } from '../src/index.ts';

const read = (name: string): Uint8Array =>
  Uint8Array.from(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));

const text = v.string();
const index = v.parse(
  v.object({
    passphrase: text,
    recipient: text,
    expected: v.pipe(
      v.array(
        v.object({
          file: text,
          generation: v.number(),
          createdAt: text,
          scheme: text,
          keyId: text,
          policy: text,
          party: text,
          publicKey: text,
          chainCode: text,
          secret: text,
          signerKey: text,
        }),
      ),
      v.minLength(3),
    ),
  }),
  JSON.parse(readFileSync(new URL('fixtures/v1.json', import.meta.url), 'utf8')),
);

it('reads the v1 identity file, in clear and under its passphrase', async () => {
  const { passphrase } = index;
  const clear = await decodeIdentityFile(read('v1-identity.txt'));
  const sealed = await decodeIdentityFile(read('v1-identity-scrypt.age'), { passphrase });
  expect(clear.recipient).toBe(index.recipient);
  expect(sealed.recipient).toBe(index.recipient);
  expect(toHex(sealed.signingKey.reveal())).toBe(toHex(clear.signingKey.reveal()));
});

it.each(index.expected)('opens v1 share file $file', async ({ file, ...expected }) => {
  const device = await decodeIdentityFile(read('v1-identity.txt'));
  const opened = await openShareFile(read(file), [openingKeyOf(device), { passphrase: index.passphrase }]);
  const { group } = opened.share;
  expect({
    generation: opened.generation,
    createdAt: opened.createdAt,
    scheme: group.scheme,
    keyId: group.keyId,
    policy: group.policy,
    party: opened.share.party,
    publicKey: toHex(group.publicKey),
    chainCode: toHex(group.chainCode),
    secret: toHex(opened.share.secret.reveal()),
    signerKey: toHex(opened.signerKey),
  }).toEqual(expected);
});

import { createECDH, type ECDH } from 'node:crypto';
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { p256 } from '@noble/curves/nist.js';
import { Encrypter, Stanza } from 'age-encryption';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import { openAge, sealAge, tagIdentity, tagRecipient } from '../src/index.ts';

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'no error';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('a p256tag stanza', () => {
  const secret = p256.utils.randomSecretKey();
  const publicKey = p256.getPublicKey(secret, false);
  const identity = tagIdentity(publicKey, async (peer) => p256.getSharedSecret(secret, peer, true).slice(1));

  it('that is malformed is damage', async () => {
    const enc = Buffer.from(publicKey).toString('base64').replaceAll('=', '');
    for (const [args, length] of [
      [['p256tag'], 32],
      [['p256tag', 'AAAAAA'], 32],
      [['p256tag', 'AAAAAA', enc, 'x'], 32],
      [['p256tag', 'AAAAAA', enc], 31],
      [['p256tag', 'AAA', enc], 32],
      [['p256tag', 'AAAAAA', enc.slice(0, 40)], 32],
      [['p256tag', 'AAAAAA', Buffer.alloc(65, 4).toString('base64').replaceAll('=', '')], 32],
      [['p256tag', '!', enc], 32],
    ] as const) {
      const stanza = new Stanza([...args], new Uint8Array(length));
      expect(await codeOf(Promise.resolve(identity.unwrapFileKey([stanza]))), args.join(' ')).toBe(
        'place/damaged',
      );
    }
    expect(await identity.unwrapFileKey([new Stanza(['X25519', 'x'], new Uint8Array(32))])).toBeNull();
  });

  it('needs a real public key', async () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(33), new Uint8Array(65).fill(4)])
      expect(await codeOf((async () => tagRecipient(bytes))())).toBe('input/malformed');
    expect(tagRecipient(publicKey)).toBe(tagRecipient(p256.getPublicKey(secret, true)));
  });
});

const opensslKey = (secretHex: string): ECDH => {
  const key = createECDH('prime256v1');
  key.setPrivateKey(secretHex, 'hex');
  return key;
};
const agreeBy =
  (key: ECDH) =>
  (peer: Uint8Array): Promise<Uint8Array> =>
    Promise.resolve(Uint8Array.from(key.computeSecret(peer)));

describe('a file sealed to a P-256 key', () => {
  it('by the age library long ago opens with the same ECDH, done by OpenSSL', async () => {
    const key = opensslKey('11'.repeat(32));
    const publicKey = Uint8Array.from(key.getPublicKey());
    expect(tagRecipient(publicKey)).toBe(
      'age1tag1qgpp0esh7zmygwfgy78edxv7dx3r5nevz54a7mtvmanwtwqzst2w6avry5x',
    );
    const file = Uint8Array.from(readFileSync(new URL('fixtures/v1-p256tag.age', import.meta.url)));
    expect(await openAge(file, [tagIdentity(publicKey, agreeBy(key))])).toEqual(
      utf8ToBytes('opened by a quorum\n'),
    );
  });

  it('has a stanza that HPKE opens, by a library that is not ours', async () => {
    const key = opensslKey('22'.repeat(32));
    const seen: Stanza[] = [];
    const encrypter = new Encrypter();
    encrypter.addRecipient(tagRecipient(Uint8Array.from(key.getPublicKey())));
    const file = await encrypter.encrypt('text');
    const identity = tagIdentity(Uint8Array.from(key.getPublicKey()), agreeBy(key));
    let fileKey: Uint8Array | null = null;
    await openAge(file, [
      {
        unwrapFileKey: async (stanzas) => {
          seen.push(...stanzas);
          fileKey = await identity.unwrapFileKey(stanzas);
          return fileKey;
        },
      },
    ]);
    expect(seen).toHaveLength(1);
    const [, , enc = ''] = seen[0]?.args ?? [];
    const kem = new DhkemP256HkdfSha256();
    const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Chacha20Poly1305() });
    const recipientKey = await kem.importKey('raw', Uint8Array.from(key.getPrivateKey()).buffer, false);
    const opened = await suite.open(
      {
        recipientKey,
        enc: Uint8Array.from(Buffer.from(enc, 'base64')).buffer,
        info: Uint8Array.from(utf8ToBytes('age-encryption.org/p256tag')).buffer,
      },
      Uint8Array.from(seen[0]?.body ?? []).buffer,
    );
    expect(new Uint8Array(opened)).toEqual(fileKey);
  });

  it('is refused by another key before that is asked to agree', async () => {
    const key = opensslKey('33'.repeat(32));
    const other = opensslKey('44'.repeat(32));
    const file = await sealAge(utf8ToBytes('x'), [tagRecipient(Uint8Array.from(key.getPublicKey()))]);
    let asked = 0;
    const identity = tagIdentity(Uint8Array.from(other.getPublicKey()), () => {
      asked += 1;
      return Promise.resolve(new Uint8Array(32));
    });
    expect(await codeOf(openAge(file, [identity]))).toBe('place/locked');
    expect(asked).toBe(0);
  });
});

import { randomBytes } from 'node:crypto';
import { Decrypter, Encrypter, Stanza, webauthn } from 'age-encryption';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { bech32 } from '@scure/base';
import { encodeCbor, type CborValue } from '@keepset/bytes';
import { encodeShareFile, openShareFile } from '@keepset/wire';
import {
  browserPasskey,
  createPasskey,
  decodePasskeyName,
  encodePasskeyName,
  openIdentityWithPasskey,
  passkeyIdentity,
  passkeyRecipient,
  sealIdentityToPasskey,
  type Passkey,
} from '../src/index.ts';
import { authenticator, type AuthenticatorOptions } from './authenticator.ts';
import { codeOf } from './contract.ts';
import { makeWriter, type Writer } from './shares.ts';

let writer: Writer;
beforeAll(async () => {
  writer = await makeWriter();
});
afterEach(() => vi.unstubAllGlobals());

const party = { id: 'localhost', name: 'Keepset' };

const makePasskey = async (
  options: AuthenticatorOptions = {},
): Promise<{ passkey: Passkey; prompts: () => number }> => {
  const device = authenticator(options);
  const id = await createPasskey(device, party, 'Ada');
  return { passkey: browserPasskey(device, party, id), prompts: device.prompts };
};

describe('a passkey', () => {
  it('opens the identity that opens the share, with one question', async () => {
    const { passkey, prompts } = await makePasskey();
    const sealed = await sealIdentityToPasskey(writer.key, passkey);
    expect(prompts()).toBe(3);
    const identity = await openIdentityWithPasskey(sealed, passkey);
    expect(identity).toBe(writer.key);
    expect(prompts()).toBe(4);
    const file = await writer.write(1);
    expect((await openShareFile(file, [identity])).share.party).toBe('phone');
  });

  it('that was synced to another device is found without its id', async () => {
    const device = authenticator();
    const id = await createPasskey(device, party, 'Ada');
    const sealed = await sealIdentityToPasskey(writer.key, browserPasskey(device, party, id));
    expect(await openIdentityWithPasskey(sealed, browserPasskey(device, party))).toBe(writer.key);
  });

  it('of another account does not open it', async () => {
    const [one, two] = [await makePasskey(), await makePasskey()];
    const sealed = await sealIdentityToPasskey(writer.key, one.passkey);
    expect(await codeOf(openIdentityWithPasskey(sealed, two.passkey))).toBe('place/locked');
  });

  it('that gives other values each time is found out before anything relies on it', async () => {
    const { passkey } = await makePasskey({ fickle: true });
    expect(await codeOf(sealIdentityToPasskey(writer.key, passkey))).toBe('input/unsupported');
  });

  it('without PRF is refused', async () => {
    const device = authenticator({ prf: false });
    expect(await codeOf(createPasskey(device, party, 'Ada'))).toBe('input/unsupported');
    expect(await codeOf(sealIdentityToPasskey(writer.key, browserPasskey(device, party)))).toBe(
      'input/unsupported',
    );
  });

  const counting = Uint8Array.from({ length: 32 }, (_, i) => i);
  it.each([
    ['nothing', new Uint8Array(0), new Uint8Array(0)],
    ['zeros', new Uint8Array(32), new Uint8Array(32).fill(1)],
    ['one value twice', counting, counting],
    ['a short value', counting, counting.slice(1)],
    ['a constant beside a secret', counting, new Uint8Array(32).fill(7)],
  ])('that gives %s seals nothing', async (_what, first, second) => {
    const passkey: Passkey = { evaluate: () => Promise.resolve([first.slice(), second.slice()]) };
    expect(await codeOf(sealIdentityToPasskey(writer.key, passkey))).toBe('input/unsupported');
  });

  it('that is declined or deleted says so', async () => {
    expect(await codeOf(createPasskey(authenticator({ declines: true }), party, 'Ada'))).toBe('place/locked');
    const { passkey } = await makePasskey();
    const sealed = await sealIdentityToPasskey(writer.key, passkey);
    const deleted = browserPasskey(authenticator(), party, randomBytes(16));
    expect(await codeOf(openIdentityWithPasskey(sealed, deleted))).toBe('place/locked');
    expect(await codeOf(sealIdentityToPasskey('not an identity', passkey))).toBe('input/malformed');
  });
});

describe('the stanza', () => {
  it('is that of typage: each opens what the other sealed', async () => {
    const device = authenticator();
    const id = await createPasskey(device, party, 'Ada');
    vi.stubGlobal('navigator', { credentials: device });
    const theirs = new Encrypter();
    theirs.addRecipient(new webauthn.WebAuthnRecipient({ rpId: party.id }));
    const ours = new Encrypter();
    ours.addRecipient(passkeyRecipient(browserPasskey(device, party, id)));
    for (const sealed of [await theirs.encrypt('hello'), await ours.encrypt('hello')]) {
      const [typage, own] = [new Decrypter(), new Decrypter()];
      typage.addIdentity(new webauthn.WebAuthnIdentity({ rpId: party.id }));
      own.addIdentity(passkeyIdentity(browserPasskey(device, party, id)));
      expect(await typage.decrypt(sealed, 'text')).toBe('hello');
      expect(await own.decrypt(sealed, 'text')).toBe('hello');
    }
  });

  it('that is malformed or one of several is damage, and foreign ones ask nobody', async () => {
    const { passkey, prompts } = await makePasskey();
    const identity = passkeyIdentity(passkey);
    const label = 'age-encryption.org/fido2prf';
    const nonce = 'AAAAAAAAAAAAAAAAAAAAAA';
    for (const [args, length] of [
      [[label], 32],
      [[label, 'AAAA'], 32],
      [[label, '!'], 32],
      [[label, nonce, 'x'], 32],
      [[label, nonce], 16],
    ] as const)
      expect(
        await codeOf(
          Promise.resolve(identity.unwrapFileKey([new Stanza([...args], new Uint8Array(length))])),
        ),
      ).toBe('place/damaged');
    const two = [
      new Stanza([label, nonce], new Uint8Array(32)),
      new Stanza([label, nonce], new Uint8Array(32)),
    ];
    expect(await codeOf(Promise.resolve(identity.unwrapFileKey(two)))).toBe('place/damaged');
    const file = await encodeShareFile(
      writer.share,
      { generation: 1, createdAt: '2026-11-22T08:00:00Z' },
      { passphrase: 'x', workFactor: 4 },
      writer.signer,
    );
    expect(await codeOf(openShareFile(file, [identity]))).toBe('place/locked');
    expect(prompts()).toBe(1);
  });
});

describe('the name of a passkey', () => {
  const credentialId = Uint8Array.from({ length: 32 }, (_, i) => i);
  const text = encodePasskeyName({ credentialId, rpId: 'localhost' });

  it('is the identity that typage takes: it asks for that passkey at that domain', async () => {
    const asked: unknown[] = [];
    const get = (options: unknown): Promise<never> => {
      asked.push(options);
      return Promise.reject(new Error('seen'));
    };
    vi.stubGlobal('navigator', { credentials: { get } });
    const theirs = new webauthn.WebAuthnRecipient({ identity: text });
    await expect(theirs.wrapFileKey(new Uint8Array(16))).rejects.toThrow('seen');
    expect(asked).toMatchObject([
      { publicKey: { rpId: 'localhost', allowCredentials: [{ id: credentialId, type: 'public-key' }] } },
    ]);
  });

  it('reads back, and one of typage with its transports too; anything else is damage', () => {
    const found = { credentialId, rpId: 'localhost' };
    expect(decodePasskeyName(`# which\n\n${text}\r\n`)).toEqual(found);
    const transports = bech32.encode(
      'AGE-PLUGIN-FIDO2PRF-',
      bech32.toWords(encodeCbor([1, credentialId, 'localhost', ['internal', 'hybrid']]).subarray(1)),
      false,
    );
    expect(decodePasskeyName(transports.toUpperCase())).toEqual(found);
    const other = (...items: CborValue[]): string =>
      bech32
        .encode('AGE-PLUGIN-FIDO2PRF-', bech32.toWords(encodeCbor(items).subarray(1)), false)
        .toUpperCase();
    for (const bad of [
      '',
      `${text}\n${text}`,
      text.slice(0, -1),
      text.replace('FIDO2PRF', 'YUBIKEY'),
      writer.key,
      other(2, credentialId, 'localhost', []),
      other(1, new Uint8Array(0), 'localhost', []),
      other(1, credentialId, '', []),
      other(1, credentialId, 'localhost'),
    ])
      expect(() => decodePasskeyName(bad)).toThrow(expect.objectContaining({ code: 'place/damaged' }));
  });
});

import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, bytesEqual, fromUtf8, utf8ToBytes } from '@keepset/bytes';
import {
  decodeIdentityFile,
  encodeIdentityFile,
  encryptIdentityFile,
  fromPkcs8,
  generateIdentity,
  identityOf,
  isEncryptedIdentity,
  openingKeyOf,
  sealAge,
  signerOf,
  toPkcs8,
  wipeIdentity,
  type DeviceIdentity,
} from '../src/index.ts';

const createdAt = '2026-11-22T08:00:00Z';
let device: DeviceIdentity;
let text: string;
const folder = mkdtempSync(join(tmpdir(), 'keepset-identity-'));

beforeAll(async () => {
  device = await generateIdentity();
  text = fromUtf8(encodeIdentityFile(device, createdAt).reveal());
});
afterAll(() => rmSync(folder, { recursive: true }));

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'no error';
};
const save = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const same = (a: DeviceIdentity, b: DeviceIdentity): boolean =>
  a.recipient === b.recipient &&
  bytesEqual(a.publicSigningKey, b.publicSigningKey) &&
  bytesEqual(a.ageIdentity.reveal(), b.ageIdentity.reveal()) &&
  bytesEqual(a.signingKey.reveal(), b.signingKey.reveal());

describe('the file in clear', () => {
  it('comes back the same', async () => {
    expect(same(await decodeIdentityFile(utf8ToBytes(text)), device)).toBe(true);
    expect(isEncryptedIdentity(utf8ToBytes(text))).toBe(false);
  });

  it('is an identity file of the age command', async () => {
    const sealed = save('sealed', await sealAge(utf8ToBytes('hello'), [device.recipient]));
    const path = save('identity.txt', text);
    expect(execFileSync('age', ['-d', '-i', path, sealed]).toString()).toBe('hello');
    expect(execFileSync('age-keygen', ['-y', path]).toString().trim()).toBe(device.recipient);
  });

  it('is refused when damaged, doubled or of a later version', async () => {
    const key = openingKeyOf(device);
    for (const [bad, code] of [
      ['', 'place/damaged'],
      ['hello', 'place/damaged'],
      [key, 'place/damaged'],
      [text.replace('v1', 'v2'), 'wire/unsupported-version'],
      [text.replace('v1', 'v1x'), 'place/damaged'],
      [text.replace(key, ''), 'place/damaged'],
      [text + key, 'place/damaged'],
      [
        text.replace(
          key,
          key.replace(/.$/, (c) => (c === 'Q' ? 'P' : 'Q')),
        ),
        'place/damaged',
      ],
      [text.replace(/PKCS #8\): ..../, 'PKCS #8): AAAA'), 'place/damaged'],
      [text.replace(/# signing key.*\n/, ''), 'place/damaged'],
      [text.repeat(100), 'wire/too-large'],
    ] as const)
      expect(await codeOf(decodeIdentityFile(utf8ToBytes(bad))), bad.slice(0, 40)).toBe(code);
    expect(await codeOf(decodeIdentityFile(Uint8Array.of(0xff, 0xfe)))).toBe('place/damaged');
  });
});

describe('the file under a passphrase', () => {
  const passphrase = { passphrase: 'open sesame', workFactor: 8 };

  it('comes back the same', async () => {
    const sealed = utf8ToBytes(await encryptIdentityFile(device, createdAt, passphrase));
    expect(isEncryptedIdentity(sealed)).toBe(true);
    expect(same(await decodeIdentityFile(sealed, passphrase), device)).toBe(true);
  });

  it('is an encrypted identity file of the age command', async () => {
    const path = save('identity.age', await encryptIdentityFile(device, createdAt, passphrase));
    const sealed = save('sealed', await sealAge(utf8ToBytes('hello'), [device.recipient]));
    // age asks its terminal for the passphrase: script(1) gives it one.
    const terminal = execFileSync(
      'script',
      ['-qec', `age -d -i '${path}' -o '${sealed}.txt' '${sealed}'`, '/dev/null'],
      { input: 'open sesame\n' },
    ).toString();
    expect(terminal).toContain('passphrase');
    expect(execFileSync('cat', [`${sealed}.txt`]).toString()).toBe('hello');
  });

  it('says what is wrong', async () => {
    const sealed = await encryptIdentityFile(device, createdAt, passphrase);
    expect(await codeOf(decodeIdentityFile(utf8ToBytes(sealed)))).toBe('place/locked');
    expect(await codeOf(decodeIdentityFile(utf8ToBytes(sealed), { passphrase: 'no' }))).toBe(
      'input/wrong-passphrase',
    );
    expect(await codeOf(decodeIdentityFile(utf8ToBytes(sealed.slice(0, -40)), passphrase))).toBe(
      'place/damaged',
    );
    expect(await codeOf(encryptIdentityFile(device, createdAt, { passphrase: '' }))).toBe(
      'input/invalid-argument',
    );
    const swapped = sealed.replace(/\n(.)(.)/, '\n$2$1');
    expect(await codeOf(decodeIdentityFile(utf8ToBytes(swapped), passphrase))).toBe('place/damaged');
  });
});

describe('the signing key', () => {
  it('is PKCS #8 as OpenSSL reads and writes it', () => {
    const der = toPkcs8(device.signingKey.reveal());
    const theirs = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    expect(bytesEqual(theirs.export({ format: 'der', type: 'pkcs8' }), der)).toBe(true);
    for (let i = 0; i < 20; i++) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const exported = Uint8Array.from(privateKey.export({ format: 'der', type: 'pkcs8' }));
      expect(bytesEqual(toPkcs8(fromPkcs8(exported)), exported)).toBe(true);
    }
  });

  it('signs what OpenSSL verifies', async () => {
    const message = utf8ToBytes('a message');
    const signature = await signerOf(device).sign(message);
    const der = Buffer.from(toPkcs8(device.signingKey.reveal()));
    const publicKey = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    expect(verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  });

  it('refuses other curves, other forms and altered bytes', () => {
    const der = toPkcs8(device.signingKey.reveal());
    const codeFor = (bytes: Uint8Array): string => {
      try {
        fromPkcs8(bytes);
      } catch (error) {
        return error instanceof KeepsetError ? error.code : 'other';
      }
      return 'no error';
    };
    for (let i = 0; i < der.length; i++) {
      const changed = Uint8Array.from(der);
      changed[i]! ^= 1;
      expect(codeFor(changed), `byte ${i}`).toBe('input/malformed');
    }
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    expect(codeFor(privateKey.export({ format: 'der', type: 'pkcs8' }))).toBe('input/malformed');
    expect(codeFor(new Uint8Array(0))).toBe('input/malformed');
  });
});

it('refuses halves that are no keys', async () => {
  const good = device.signingKey.reveal();
  expect(await codeOf(identityOf('AGE-SECRET-KEY-1', good))).toBe('input/malformed');
  expect(await codeOf(identityOf('AGE-SECRET-KEY-PQ-1ABC', good))).toBe('input/malformed');
  expect(await codeOf(identityOf(openingKeyOf(device), new Uint8Array(32)))).toBe('input/malformed');
});

it('is gone after wiping', async () => {
  const gone = await generateIdentity();
  wipeIdentity(gone);
  expect(() => openingKeyOf(gone)).toThrow(KeepsetError);
  expect(() => encodeIdentityFile(gone, createdAt)).toThrow(KeepsetError);
});

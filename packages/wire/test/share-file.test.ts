import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, scrypt, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, Secret, bytesEqual, decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { supportedSchemes, type KeyShare } from '@keepset/threshold';
import {
  encodeShareFile,
  generateIdentity,
  maxShareFileBytes,
  openShareFile,
  openingKeyOf,
  sealAge,
  signerOf,
  type DeviceIdentity,
  type FileSigner,
  type ScryptWork,
} from '../src/index.ts';
import { makeKey } from './keys.ts';

const meta = { generation: 3, createdAt: '2026-11-22T08:00:00Z' };
const [share] = makeKey('ed25519', ['phone', 'server'], 2) as [KeyShare];
let device: DeviceIdentity;
let other: DeviceIdentity;
let file: Uint8Array;
const folder = mkdtempSync(join(tmpdir(), 'keepset-share-'));

beforeAll(async () => {
  [device, other] = await Promise.all([generateIdentity(), generateIdentity()]);
  file = await encodeShareFile(share, meta, [device.recipient], signerOf(device));
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

const openPlain = async (bytes: Uint8Array): Promise<Uint8Array> => {
  const decrypter = new Decrypter();
  decrypter.addIdentity(openingKeyOf(device));
  return decrypter.decrypt(bytes);
};

/** A file whose content was changed behind the writer's back, or by a writer with another idea of the format. */
const forge = async (
  change: (map: Record<string, CborValue | undefined>) => CborValue,
): Promise<Uint8Array> => {
  const map = decodeCbor(await openPlain(file)) as Record<string, CborValue>;
  return sealAge(encodeCbor(change({ ...map })), [device.recipient]);
};

describe.each(supportedSchemes)('round trip of %s', (scheme) => {
  it('gives back every share of a 2-of-3 key', async () => {
    for (const original of makeKey(scheme, ['phone', 'server', 'usb'], 2)) {
      const bytes = await encodeShareFile(original, meta, [device.recipient], signerOf(device));
      const opened = await openShareFile(bytes, [openingKeyOf(device)], {
        expectedSigner: device.publicSigningKey,
      });
      expect(opened.share.group).toEqual(original.group);
      expect(opened.share.party).toBe(original.party);
      expect(bytesEqual(opened.share.secret.reveal(), original.secret.reveal())).toBe(true);
      expect({ generation: opened.generation, createdAt: opened.createdAt }).toEqual(meta);
      expect(opened.signerKey).toEqual(device.publicSigningKey);
    }
  });
});

describe('writers', () => {
  const keyOf = (type: 'ed25519' | 'ec'): { signer: FileSigner } => {
    const pair =
      type === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
    const raw = (text: string): Buffer => Buffer.from(text, 'base64url');
    const publicKey =
      type === 'ed25519' ? Uint8Array.from(raw(x)) : Uint8Array.from([2 + (raw(y).at(-1)! & 1), ...raw(x)]);
    return {
      signer: {
        publicKey,
        sign: async (message) =>
          Uint8Array.from(
            type === 'ed25519'
              ? sign(null, message, pair.privateKey)
              : sign('sha256', message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }),
          ),
      },
    };
  };

  it.each(['ed25519', 'ec'] as const)('may use a %s key of OpenSSL', async (type) => {
    // Several, since OpenSSL makes low and high s alike.
    for (let i = 0; i < 8; i++) {
      const { signer } = keyOf(type);
      const bytes = await encodeShareFile(share, meta, [device.recipient], signer);
      const opened = await openShareFile(bytes, [openingKeyOf(device)], { expectedSigner: signer.publicKey });
      expect(opened.signerKey).toEqual(signer.publicKey);
    }
  });

  it('cannot be passed off as another', async () => {
    const open = openShareFile(file, [openingKeyOf(device)], { expectedSigner: other.publicSigningKey });
    expect(await codeOf(open)).toBe('place/foreign');
    const claimed = await forge((map) => ({ ...map, signerKey: other.publicSigningKey }));
    expect(await codeOf(openShareFile(claimed, [openingKeyOf(device)]))).toBe('place/damaged');
  });

  it('are checked before anything is written', async () => {
    const broken: FileSigner = { publicKey: device.publicSigningKey, sign: async () => new Uint8Array(64) };
    expect(await codeOf(encodeShareFile(share, meta, [device.recipient], broken))).toBe(
      'abort/bad-signature',
    );
    const short: FileSigner = { ...broken, publicKey: new Uint8Array(5) };
    expect(await codeOf(encodeShareFile(share, meta, [device.recipient], short))).toBe(
      'input/invalid-argument',
    );
  });
});

describe('the age command', () => {
  const ageDecrypt = (bytes: Uint8Array, identity: string): Uint8Array => {
    writeFileSync(join(folder, 'identity.txt'), `${identity}\n`);
    return execFileSync('age', ['-d', '-i', join(folder, 'identity.txt')], { input: bytes });
  };

  it('opens a share file and yields the same CBOR', async () => {
    const plain = ageDecrypt(file, openingKeyOf(device));
    expect(bytesEqual(plain, await openPlain(file))).toBe(true);
    const map = decodeCbor(Uint8Array.from(plain)) as Record<string, CborValue>;
    expect(map).toMatchObject({ v: 1, type: 'share', keyId: share.group.keyId, generation: 3 });
    expect(Object.keys(map).toSorted()).toEqual(
      'chainCode commitments createdAt epoch generation keyId parties party policy publicKey scheme secret signature signerKey threshold type v verifyingShares'.split(
        ' ',
      ),
    );
  });

  it('opens it with any of several recipients', async () => {
    const bytes = await encodeShareFile(share, meta, [other.recipient, device.recipient], signerOf(device));
    for (const identity of [device, other])
      expect(ageDecrypt(bytes, openingKeyOf(identity)).length).toBeGreaterThan(300);
  });

  it('writes what openShareFile reads', async () => {
    const sealed = execFileSync('age', ['-r', device.recipient], { input: await openPlain(file) });
    const opened = await openShareFile(Uint8Array.from(sealed), [openingKeyOf(device)]);
    expect(opened.share.group).toEqual(share.group);
  });
});

describe('recipients', () => {
  const write = (recipients: Parameters<typeof encodeShareFile>[2]): Promise<Uint8Array> =>
    encodeShareFile(share, meta, recipients, signerOf(device));

  it('refuses none, garbage, an empty passphrase and unfit work factors', async () => {
    for (const recipients of [
      [],
      [''],
      ['age1'],
      ['ssh-ed25519 AAAA'],
      [openingKeyOf(device)],
      [`${device.recipient}x`],
      [device.recipient.replace(/.$/, (c) => (c === 'q' ? 'p' : 'q'))],
      { passphrase: '' },
      { passphrase: 'x', workFactor: 0 },
      { passphrase: 'x', workFactor: 21 },
      { passphrase: 'x', workFactor: 1.5 },
    ])
      expect(await codeOf(write(recipients)), JSON.stringify(recipients)).toBe('input/invalid-argument');
  });

  it('never mixes post-quantum and classic', async () => {
    const hybrid = await generateHybridIdentity();
    const recipient = await identityToRecipient(hybrid);
    expect(await codeOf(write([recipient, device.recipient]))).toBe('input/invalid-argument');
    const opened = await openShareFile(await write([recipient]), [hybrid]);
    expect(opened.share.party).toBe('phone');
  });

  it('refuses a file that has a passphrase beside a key', async () => {
    const encrypter = new Encrypter();
    encrypter.setPassphrase('x');
    encrypter.setScryptWorkFactor(4);
    const stanzaOf = async (bytes: Uint8Array): Promise<string> => {
      const lines = Buffer.from(bytes).toString('latin1').split('\n');
      return `${lines[1]}\n${lines[2]}`;
    };
    const withPassphrase = await stanzaOf(await encrypter.encrypt('x'));
    const text = Buffer.from(file).toString('latin1');
    const mixed = Uint8Array.from(
      Buffer.from(
        text.replace('age-encryption.org/v1\n', `age-encryption.org/v1\n${withPassphrase}\n`),
        'latin1',
      ),
    );
    expect(await codeOf(openShareFile(mixed, [{ passphrase: 'x' }]))).toBe('place/damaged');
  });
});

describe('passphrases', () => {
  const work: ScryptWork = (passphrase, salt, workFactor) =>
    new Promise((resolve, reject) => {
      const cost = { N: 2 ** workFactor, r: 8, p: 1, maxmem: 2 ** 31 };
      scrypt(passphrase, salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
    });
  const write = (passphrase: string, scryptWork?: ScryptWork): Promise<Uint8Array> =>
    encodeShareFile(
      share,
      meta,
      { passphrase, workFactor: 8, ...(scryptWork === undefined ? {} : { scrypt: scryptWork }) },
      signerOf(device),
    );

  it('open the file with the built-in scrypt, with another one, and with the library alone', async () => {
    const bytes = await write('correct horse 🐎');
    const opened = await openShareFile(bytes, [{ passphrase: 'correct horse 🐎' }]);
    expect(opened.share.group.keyId).toBe(share.group.keyId);
    const elsewhere = await openShareFile(await write('y', work), [{ passphrase: 'y', scrypt: work }]);
    expect(elsewhere.generation).toBe(3);
    const decrypter = new Decrypter();
    decrypter.addPassphrase('correct horse 🐎');
    expect((await decrypter.decrypt(bytes)).length).toBeGreaterThan(300);
  });

  it('that are wrong are called wrong, and a missing one is called locked', async () => {
    const bytes = await write('right');
    expect(await codeOf(openShareFile(bytes, [{ passphrase: 'wrong' }]))).toBe('input/wrong-passphrase');
    expect(await codeOf(openShareFile(bytes, [openingKeyOf(device)]))).toBe('place/locked');
    expect(await codeOf(openShareFile(file, [{ passphrase: 'right' }]))).toBe('place/locked');
    const several = await openShareFile(bytes, [
      openingKeyOf(device),
      { passphrase: 'wrong' },
      { passphrase: 'right' },
    ]);
    expect(several.share.party).toBe('phone');
  });

  it('are not tried against a file that asks for too much work', async () => {
    const text = Buffer.from(await write('x')).toString('latin1');
    const change = (to: string): Uint8Array =>
      Uint8Array.from(Buffer.from(text.replace(/(-> scrypt \S+) 8\n/, `$1 ${to}\n`), 'latin1'));
    const never: ScryptWork = () => Promise.reject(new Error('ran'));
    const open = (bytes: Uint8Array): Promise<string> =>
      codeOf(openShareFile(bytes, [{ passphrase: 'x', scrypt: never }]));
    expect(await open(change('21'))).toBe('input/unsupported');
    expect(await open(change('99'))).toBe('input/unsupported');
    for (const factor of ['0', '08', '1e1', '-8', '100'])
      expect(await open(change(factor))).toBe('place/damaged');
  });
});

describe('bad files', () => {
  const open = (bytes: Uint8Array): Promise<string> => codeOf(openShareFile(bytes, [openingKeyOf(device)]));

  it('are damaged when empty, cut, garbage or extended', async () => {
    expect(await open(new Uint8Array(0))).toBe('place/damaged');
    expect(await open(new TextEncoder().encode('age-encryption.org/v1'))).toBe('place/damaged');
    expect(await open(new TextEncoder().encode('hello world\n'))).toBe('place/damaged');
    for (let length = 1; length < file.length; length += 13)
      expect(await open(file.subarray(0, length)), `cut to ${length}`).toBe('place/damaged');
    expect(await open(Uint8Array.from([...file, 0]))).toBe('place/damaged');
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        async (bytes) => (await open(bytes)) === 'place/damaged',
      ),
      { numRuns: 50 },
    );
  });

  it('never open with any byte changed', async () => {
    const codes = new Set<string>();
    for (let i = 0; i < file.length; i++) {
      const bytes = Uint8Array.from(file);
      bytes[i]! ^= 0x10;
      codes.add(await open(bytes));
    }
    // A changed stanza body cannot be told from another person's file.
    expect([...codes].toSorted()).toEqual(['place/damaged', 'place/locked']);
  });

  it('of a later version say so', async () => {
    const later = Uint8Array.from(file);
    later[20] = '2'.charCodeAt(0);
    expect(await open(later)).toBe('wire/unsupported-version');
    expect(await open(await forge((map) => ({ ...map, v: 2, more: true })))).toBe('wire/unsupported-version');
  });

  it('of more than 1 MiB are refused unread', async () => {
    expect(await open(new Uint8Array(maxShareFileBytes + 1))).toBe('wire/too-large');
    const bloated = { ...share, secret: new Secret(new Uint8Array(2_000_000)) };
    expect(await codeOf(encodeShareFile(bloated, meta, [device.recipient], signerOf(device)))).toBe(
      'input/invalid-argument',
    );
    expect(await codeOf(sealAge(new Uint8Array(maxShareFileBytes), [device.recipient]))).toBe(
      'wire/too-large',
    );
  });

  it('are refused when any field is missing, superfluous, of another type or changed after signing', async () => {
    const keys = Object.keys(decodeCbor(await openPlain(file)) as object);
    for (const key of keys) {
      expect(await open(await forge((map) => ({ ...map, [key]: undefined }))), `without ${key}`).toBe(
        'place/damaged',
      );
      expect(await open(await forge((map) => ({ ...map, [key]: null }))), `${key} null`).toBe(
        'place/damaged',
      );
    }
    for (const change of [
      { extra: 1 },
      { epoch: 1 },
      { generation: 4 },
      { createdAt: '2026-11-22T08:00:01Z' },
      { createdAt: '2026-13-41T08:00:00Z' },
      { policy: 'and(phone,server)' },
      { party: 'server' },
      { threshold: 3 },
      { type: 'identity' },
      { scheme: 'schnorr-secp256k1' },
      { chainCode: new Uint8Array(32) },
      { v: 0 },
      { v: -1 },
    ])
      expect(await open(await forge((map) => ({ ...map, ...change }))), JSON.stringify(change)).toBe(
        'place/damaged',
      );
    for (const value of [null, 1, 'share', [], new Uint8Array(9)])
      expect(await open(await forge(() => value))).toBe('place/damaged');
    const trailing = await sealAge(Uint8Array.from([...(await openPlain(file)), 0]), [device.recipient]);
    expect(await open(trailing)).toBe('place/damaged');
  });

  it('are refused when the writer signed a share that does not fit its key', async () => {
    const [mine, theirs] = makeKey('ed25519', ['phone', 'server'], 2) as [KeyShare, KeyShare];
    const unfit = { ...mine, secret: theirs.secret };
    expect(await codeOf(encodeShareFile(unfit, meta, [device.recipient], signerOf(device)))).toBe(
      'input/invalid-argument',
    );
    const { signedBytes, decodeContent, encodeContent } = await import('../src/share-file/content.ts');
    const { signature: _, ...content } = decodeContent(await openPlain(file));
    const signed = async (change: object): Promise<Uint8Array> => {
      const changed = { ...content, ...change };
      const signature = await signerOf(device).sign(signedBytes(changed));
      return sealAge(encodeContent({ ...changed, signature }), [device.recipient]);
    };
    expect(await open(await signed({}))).toBe('no error');
    expect(await open(await signed({ secret: theirs.secret.reveal() }))).toBe('place/damaged');
    expect(await open(await signed({ keyId: mine.group.keyId }))).toBe('place/damaged');
    expect(await open(await signed({ publicKey: mine.group.publicKey }))).toBe('place/damaged');
    expect(await open(await signed({ party: 'server' }))).toBe('place/damaged');
  });

  it('are locked to anyone else', async () => {
    expect(await codeOf(openShareFile(file, [openingKeyOf(other)]))).toBe('place/locked');
    expect(await codeOf(openShareFile(file, []))).toBe('place/locked');
    expect(await codeOf(openShareFile(file, ['AGE-SECRET-KEY-1XYZ']))).toBe('input/malformed');
    expect(await codeOf(openShareFile(file, ['nonsense']))).toBe('input/malformed');
  });
});

it('refuses meta that would not be read again', async () => {
  for (const change of [
    { generation: -1 },
    { generation: 1.5 },
    { createdAt: '' },
    { createdAt: '22.11.2026' },
    { createdAt: '2026-11-22T08:00:00+01:00' },
  ])
    expect(
      await codeOf(encodeShareFile(share, { ...meta, ...change }, [device.recipient], signerOf(device))),
    ).toBe('input/invalid-argument');
});

it('prints no secret in errors', async () => {
  const forged = await forge((map) => ({ ...map, epoch: 9 }));
  for (const [bytes, key] of [
    [file, openingKeyOf(other)],
    [file, `${openingKeyOf(device)}Q`],
    [forged, openingKeyOf(device)],
  ] as const) {
    const error: unknown = await openShareFile(bytes, [key]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KeepsetError);
    const text = `${inspect(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
    expect(text).not.toContain(key.slice(20, 30));
    expect(text).not.toContain(Buffer.from(share.secret.reveal()).toString('hex').slice(0, 16));
  }
});

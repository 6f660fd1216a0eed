import { describe, expect, it } from 'vitest';
import { schnorr } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@keepset/bytes';
import { createIntent, spkiPem, verifySignature } from '../src/index.ts';
import { caught, plainKey, runWith, schemes, signAll, utf8 } from './simulate.ts';

const file = utf8('a file to sign\n');

const signedWith = (scheme: (typeof schemes)[number], content: Uint8Array) => {
  const signer = plainKey(scheme, 2);
  const intent = createIntent('raw', content, signer.key);
  return { signer, bytes: intent.finish(signAll(signer, intent)).bytes };
};

describe('raw signatures', () => {
  it('Ed25519 is accepted by openssl pkeyutl, and only over the same file', () => {
    const { signer, bytes } = signedWith('ed25519', file);
    expect(bytes).toHaveLength(64);
    const verify = (content: Uint8Array) =>
      runWith({ file: content, sig: bytes, 'pub.pem': spkiPem(signer.key) }, [
        'openssl',
        ...'pkeyutl -verify -rawin -pubin -inkey pub.pem -in file -sigfile sig'.split(' '),
      ]);
    expect(verify(file)).toEqual({ status: 0, output: 'Signature Verified Successfully\n' });
    expect(verify(utf8('another file')).status).not.toBe(0);
  });

  it.each(['ecdsa-p256', 'ecdsa-secp256k1'] as const)('%s is accepted by openssl dgst', (scheme) => {
    // Several files: r and s come with and without a high first bit.
    for (const content of [
      file,
      new Uint8Array(),
      ...Array.from({ length: 8 }, (_, i) => utf8(`file ${i}`)),
    ]) {
      const { signer, bytes } = signedWith(scheme, content);
      const { status, output } = runWith({ file: content, sig: bytes, 'pub.pem': spkiPem(signer.key) }, [
        'openssl',
        ...'dgst -sha256 -verify pub.pem -signature sig file'.split(' '),
      ]);
      expect(output).toBe('Verified OK\n');
      expect(status).toBe(0);
    }
  });

  it('BIP 340 signs the SHA-256 of the file under the untweaked key', () => {
    const { signer, bytes } = signedWith('schnorr-secp256k1', file);
    expect(schnorr.verify(bytes, sha256(file), signer.key.publicKey.subarray(1))).toBe(true);
  });

  it.each(schemes)('%s: a wrong, short, long or missing signature is refused', (scheme) => {
    const signer = plainKey(scheme, 2);
    const intent = createIntent('raw', file, signer.key);
    const [good] = signAll(signer, intent);
    const wrong = [
      good!.subarray(1),
      concatBytes(good!, Uint8Array.of(0)),
      new Uint8Array(good!.length),
      new Uint8Array(),
    ];
    wrong.push(signAll(plainKey(scheme, 3), intent)[0]!);
    for (const bad of wrong) expect(caught(() => intent.finish([bad])).code).toBe('abort/bad-signature');
    expect(caught(() => intent.finish([])).code).toBe('input/invalid-argument');
    expect(caught(() => intent.finish([good!, good!])).code).toBe('input/invalid-argument');
  });

  it.each(['ecdsa-p256', 'ecdsa-secp256k1'] as const)(
    '%s: high s and a wrong recovery id are refused',
    (scheme) => {
      const signer = plainKey(scheme, 2);
      const intent = createIntent('raw', file, signer.key);
      const [good] = signAll(signer, intent);
      const order =
        scheme === 'ecdsa-p256'
          ? 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
          : 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
      const s = BigInt(`0x${Buffer.from(good!.subarray(32, 64)).toString('hex')}`);
      const high = Uint8Array.from(good!);
      high.set(Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'), 32);
      for (let id = 0; id < 256; id++) {
        high[64] = id;
        expect(verifySignature(signer.key, intent.inputs[0]!, high)).toBe(false);
        const other = Uint8Array.from(good!);
        other[64] = id;
        expect(verifySignature(signer.key, intent.inputs[0]!, other)).toBe(id === good![64]);
      }
    },
  );

  it('refuses files above the limit where every party must receive them', () => {
    const huge = new Uint8Array(512 * 1024 + 1);
    for (const scheme of ['ed25519', 'ecdsa-p256', 'ecdsa-secp256k1'] as const)
      expect(caught(() => createIntent('raw', huge, plainKey(scheme, 2).key)).code).toBe('wire/too-large');
    expect(createIntent('raw', huge, plainKey('schnorr-secp256k1', 2).key).inputs[0]!.message).toHaveLength(
      32,
    );
  });

  it('has no PEM form for BIP 340 keys', () => {
    expect(caught(() => spkiPem(plainKey('schnorr-secp256k1', 2).key)).code).toBe('input/unsupported');
  });
});

describe('files that are something else in disguise', () => {
  const innerOf = (kind: 'ssh' | 'jwt', scheme: 'ed25519' | 'ecdsa-p256') =>
    createIntent(kind, utf8('{"sub":"me"}'), plainKey(scheme, 2).key).inputs[0]!.message;
  const rawCode = (content: Uint8Array, scheme: (typeof schemes)[number]) =>
    caught(() => createIntent('raw', content, plainKey(scheme, 2).key)).code;

  it.each(['ed25519', 'ecdsa-p256'] as const)(
    '%s does not sign the inside of SSH signatures or tokens as a file',
    (scheme) => {
      expect(rawCode(innerOf('ssh', scheme), scheme)).toBe('policy/forbidden');
      expect(rawCode(innerOf('jwt', scheme), scheme)).toBe('policy/forbidden');
    },
  );

  it('sees tokens with a detached payload, odd characters and left-over bits', () => {
    const header = Buffer.from('{"alg":"EdDSA","b64":false,"crit":["b64"]}').toString('base64url');
    for (const text of [
      `${header}.any\u0007thing`,
      `${header.slice(0, 9)}\n${header.slice(9)}.e30`,
      `${header}Z.e30`,
    ])
      for (const scheme of ['ed25519', 'ecdsa-p256', 'ecdsa-secp256k1'] as const)
        expect(rawCode(utf8(text), scheme)).toBe('policy/forbidden');
  });

  it('secp256k1 keys do not sign bare hashes or tagged hashes as files', () => {
    expect(rawCode(sha256(file), 'ecdsa-secp256k1')).toBe('policy/forbidden');
    const tag = sha256(utf8('TapSighash'));
    expect(rawCode(concatBytes(tag, tag, new Uint8Array(175)), 'schnorr-secp256k1')).toBe('policy/forbidden');
  });

  it('leaves ordinary files alone', () => {
    for (const content of [
      file,
      utf8('e30.e30'),
      utf8('{"alg":"none"}.'),
      new Uint8Array(200),
      utf8('Dear. Sir'),
    ])
      for (const scheme of schemes)
        expect(createIntent('raw', content, plainKey(scheme, 2).key).inputs).toHaveLength(1);
  });
});

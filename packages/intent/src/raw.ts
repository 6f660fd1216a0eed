import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes, fromHex, toBase64 } from '@keepset/bytes';
import { disguise } from './disguise.ts';
import { describeFile, fileWarnings } from './file.ts';
import type { Format, IntentKey, KeyScheme, SignInput } from './intent.ts';
import { checkedKey, requireScheme, uncompressed } from './key.ts';
import { maxMessageBytes, requireAtMost } from './limits.ts';
import { checkedSignatures, derSignature } from './signature.ts';
import { line } from './text.ts';

/**
 * Detached signatures over a file's bytes as they are, without any wrapping.
 *
 * - Ed25519: 64 bytes over the file itself (RFC 8032), as `openssl pkeyutl -verify -rawin` takes them.
 * - ECDSA: DER over the file's SHA-256, as `openssl dgst -sha256 -verify` takes it.
 * - BIP 340: 64 bytes over the file's SHA-256 as the 32-byte message, since most verifiers take no other length;
 *   the key is used untweaked.
 *
 * Nothing in such a signature says what it is for. Bytes that would make it valid as something else this
 * package knows are refused: see `disguise`.
 */
export const rawFormat: Format = {
  kind: 'raw',
  title: 'Detached signature over a file (openssl)',
  schemes: ['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256'],
  create(bytes, key, options) {
    const hidden = disguise(bytes, key.scheme);
    if (hidden !== undefined)
      throw new KeepsetError('policy/forbidden', `A raw signature over this file would be ${hidden.as}.`, {
        hint: hidden.hint,
      });
    if (key.scheme !== 'schnorr-secp256k1')
      requireAtMost(
        bytes,
        maxMessageBytes,
        'The file',
        'Sign a file with its SHA-256 sums instead, or use --as ssh.',
      );
    const inputs = [inputFor(key.scheme, bytes)];
    return {
      kind: 'raw',
      description: [
        line('Format', `Detached signature, ${forms[key.scheme]}`),
        ...describeFile(bytes, options),
      ],
      warnings: fileWarnings(bytes),
      inputs,
      finish(signatures) {
        const [signature = new Uint8Array()] = checkedSignatures(key, inputs, signatures);
        return {
          bytes: isEcdsa(key.scheme) ? derSignature(key, signature) : signature,
          mediaType: 'application/octet-stream',
          suffix: '.sig',
          summary: [`Detached signature, ${forms[key.scheme]}`],
        };
      },
    };
  },
};

/**
 * The public key in PEM, as OpenSSL reads it.
 * @throws KeepsetError `input/unsupported` for BIP 340 keys, for which no such form is defined; `input/invalid-argument`.
 * @spec RFC 5480 §2 (id-ecPublicKey), RFC 8410 §4 (Ed25519)
 */
export const spkiPem = (key: IntentKey): string => {
  requireScheme(key, ['ed25519', 'ecdsa-secp256k1', 'ecdsa-p256'], 'A PEM public key');
  const valid = checkedKey(key);
  const prefix = spkiPrefixes[key.scheme] ?? '';
  const der = concatBytes(fromHex(prefix), key.scheme === 'ed25519' ? valid.publicKey : uncompressed(valid));
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`;
};

/** SubjectPublicKeyInfo up to the key's own bytes, whose length is fixed. */
const spkiPrefixes: Readonly<Partial<Record<KeyScheme, string>>> = {
  ed25519: '302a300506032b6570032100',
  'ecdsa-p256': '3059301306072a8648ce3d020106082a8648ce3d030107034200',
  'ecdsa-secp256k1': '3056301006072a8648ce3d020106052b8104000a034200',
};

const forms: Readonly<Record<KeyScheme, string>> = {
  ed25519: 'Ed25519 over the file',
  'schnorr-secp256k1': 'BIP 340 over the SHA-256 of the file',
  'ecdsa-secp256k1': 'ECDSA secp256k1 (DER) over the SHA-256 of the file',
  'ecdsa-p256': 'ECDSA P-256 (DER) over the SHA-256 of the file',
};

const isEcdsa = (scheme: KeyScheme): boolean => scheme.startsWith('ecdsa-');

const inputFor = (scheme: KeyScheme, file: Uint8Array): SignInput => {
  if (isEcdsa(scheme)) return { message: file, digest: 'sha256' };
  return { message: scheme === 'schnorr-secp256k1' ? sha256(file) : file, digest: 'none' };
};

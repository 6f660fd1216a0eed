import { bytesEqual } from '@keepset/bytes';
import type { KeyScheme } from './intent.ts';
import { startsWith } from './text.ts';

/** What a raw signature would also be, and how to get it honestly. */
export interface Disguise {
  readonly as: string;
  readonly hint: string;
}

/**
 * Whether a raw signature over `file` would be valid as something else that this package signs with a proper
 * description. Asked to sign "a file", a person must not end up having signed a transaction or a token.
 */
export const disguise = (file: Uint8Array, scheme: KeyScheme): Disguise | undefined => {
  const asOther = (as: string, kind: string): Disguise => ({
    as,
    hint: `Give the original input and --as ${kind}, so that it can be shown.`,
  });
  if ((scheme === 'ed25519' || scheme === 'ecdsa-p256') && startsWith(file, 'SSHSIG'))
    return asOther('an SSH signature over another file', 'ssh');
  // ES256K tokens are not made here, but are valid all the same.
  if (scheme !== 'schnorr-secp256k1' && isJwsSigningInput(file))
    return asOther('a signed JSON web token', 'jwt');
  // Bitcoin's ECDSA digests are double SHA-256: a file holding the inner hash gives the outer one.
  if (scheme === 'ecdsa-secp256k1' && file.length === 32)
    return asOther('possibly one over a Bitcoin transaction, since the file is a bare 32-byte hash', 'psbt');
  if (scheme === 'schnorr-secp256k1' && isTaggedPreimage(file))
    return asOther('one over a tagged hash, as Bitcoin transactions use it', 'psbt');
  return undefined;
};

/**
 * `base64url(header) . payload`, where RFC 7797 allows any payload. Decodes as loosely as the loosest verifier:
 * characters outside the alphabet and left-over bits are skipped.
 * @spec RFC 7515 §5.1, RFC 7797 §3
 */
const isJwsSigningInput = (file: Uint8Array): boolean => {
  const dot = file.indexOf(0x2e);
  if (dot <= 0) return false;
  try {
    const header: unknown = JSON.parse(looseBase64(file.subarray(0, dot)));
    return typeof header === 'object' && header !== null && 'alg' in header;
  } catch {
    return false;
  }
};

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const looseBase64 = (text: Uint8Array): string => {
  const out: string[] = [];
  let bits = 0;
  let count = 0;
  for (const byte of text) {
    const char = String.fromCharCode(byte).replace('+', '-').replace('/', '_');
    const value = alphabet.indexOf(char);
    if (value < 0) continue;
    bits = ((bits << 6) | value) & 0x3fff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push(String.fromCharCode((bits >> count) & 0xff));
  }
  return out.join('');
};

/** BIP 340's tagged hash is SHA-256 over tag hash ‖ tag hash ‖ data: any file that begins so is one. */
const isTaggedPreimage = (file: Uint8Array): boolean =>
  file.length >= 64 &&
  bytesEqual(file.subarray(0, 32), file.subarray(32, 64)) &&
  !isUniform(file.subarray(0, 32));

/** A run of one byte value is not the hash of any tag, and is common in real files. */
const isUniform = (bytes: Uint8Array): boolean => bytes.every((b) => b === bytes[0]);

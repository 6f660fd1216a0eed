import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { KeepsetError } from '@keepset/bytes';
import type { IntentKey, KeyScheme } from './intent.ts';

const lengths: Readonly<Record<KeyScheme, 32 | 33>> = {
  ed25519: 32,
  'schnorr-secp256k1': 33,
  'ecdsa-secp256k1': 33,
  'ecdsa-p256': 33,
};

/**
 * Checks the key and returns an own copy of it.
 * @throws KeepsetError `input/invalid-argument` if the public key is not a canonical point of the scheme's
 * prime-order group.
 */
export const checkedKey = (key: IntentKey): IntentKey => {
  const length: number | undefined = lengths[key.scheme];
  if (length === undefined) throw new KeepsetError('input/unsupported', 'Unknown signature scheme.');
  if (key.publicKey.length !== length)
    throw invalid(`A public key of ${key.scheme} has ${length} bytes, not ${key.publicKey.length}.`);
  const publicKey = Uint8Array.from(key.publicKey);
  try {
    if (key.scheme === 'ed25519') {
      const point = ed25519.Point.fromBytes(publicKey);
      if (point.is0() || !point.isTorsionFree()) throw invalid('Small-order point.');
    } else if (key.scheme === 'ecdsa-p256') p256.Point.fromBytes(publicKey).assertValidity();
    else secp256k1.Point.fromBytes(publicKey).assertValidity();
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `Not a valid public key of ${key.scheme}.`, { cause });
  }
  return { scheme: key.scheme, publicKey };
};

/**
 * A key of any scheme, as one that signs.
 * @throws KeepsetError `input/unsupported` for a scheme whose keys do not.
 */
export const signingKey = <K extends { readonly scheme: string; readonly publicKey: Uint8Array }>(
  key: K,
): K & IntentKey => {
  if (isSigning(key)) return key;
  throw new KeepsetError('input/unsupported', `An ${key.scheme} key signs nothing.`, {
    hint:
      key.scheme === 'ecdh-p256'
        ? 'It opens sealed files: see `keepset seal` and `keepset open`. To sign, make a key of another scheme.'
        : 'Make a key of another scheme.',
  });
};

const isSigning = <K extends { readonly scheme: string; readonly publicKey: Uint8Array }>(
  key: K,
): key is K & IntentKey => Object.hasOwn(lengths, key.scheme);

/** The P-256 or secp256k1 public key in SEC 1 uncompressed form, 65 bytes. */
export const uncompressed = (key: IntentKey): Uint8Array =>
  (key.scheme === 'ecdsa-p256' ? p256 : secp256k1).Point.fromBytes(key.publicKey).toBytes(false);

/**
 * Insists on one of `schemes`.
 * @throws KeepsetError `input/unsupported`, naming the schemes that fit.
 */
export const requireScheme = (
  key: IntentKey,
  schemes: readonly KeyScheme[],
  what: string,
  hint?: string,
): void => {
  if (schemes.includes(key.scheme)) return;
  throw new KeepsetError(
    'input/unsupported',
    `${what} takes a key of ${schemes.join(' or ')}; this one is ${key.scheme}.`,
    hint === undefined ? {} : { hint },
  );
};

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

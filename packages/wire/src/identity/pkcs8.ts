/**
 * P-256 private keys as PKCS #8, in the one form that OpenSSL and WebCrypto write.
 * @spec RFC 5958, RFC 5915
 */
import { p256 } from '@noble/curves/nist.js';
import { KeepsetError, bytesEqual, concatBytes, fromHex } from '@keepset/bytes';

// SEQUENCE { 0, { id-ecPublicKey, prime256v1 }, OCTET STRING { SEQUENCE { 1, OCTET STRING (32 bytes follow)
const head = fromHex('308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420');
// [1] BIT STRING (65 bytes follow)
const middle = fromHex('a144034200');
const length = head.length + 32 + middle.length + 65;

/** @param scalar 32 bytes big-endian. @returns 138 bytes of DER. */
export const toPkcs8 = (scalar: Uint8Array): Uint8Array =>
  concatBytes(head, scalar, middle, p256.getPublicKey(scalar, false));

/** @returns the scalar, 32 bytes. @throws KeepsetError `input/malformed` for any other form or key. */
export const fromPkcs8 = (der: Uint8Array): Uint8Array => {
  const scalar = der.slice(head.length, head.length + 32);
  if (der.length !== length || !p256.utils.isValidSecretKey(scalar) || !bytesEqual(toPkcs8(scalar), der)) {
    scalar.fill(0);
    throw new KeepsetError('input/malformed', 'Not a P-256 private key in PKCS #8 form.');
  }
  return scalar;
};

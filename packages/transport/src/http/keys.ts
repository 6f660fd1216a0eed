import { p256 } from '@noble/curves/nist.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError, Secret, hashValue, toBase64Url } from '@keepset/bytes';
import type { MessageSigner, MessageVerifier } from './signatures.ts';

/** Name of a P-256 key in `keyid`: a hash, so that it says nothing about its owner. */
export const authKeyId = (publicKey: Uint8Array): string =>
  toBase64Url(hashValue('keepset/auth-key/v1', publicKey).subarray(0, 16));

/** A fresh P-256 secret, 32 bytes. */
export const generateAuthKey = (): Secret => new Secret(p256.utils.randomSecretKey(randomBytes(48)));

/** Compressed public key, 33 bytes. */
export const authPublicKey = (secret: Secret): Uint8Array => p256.getPublicKey(secret.reveal(), true);

/** A signer that holds its key in software; where there is a Secure Enclave, it signs instead. */
export const softwareSigner = (secret: Secret): MessageSigner => ({
  keyId: authKeyId(authPublicKey(secret)),
  sign: (data) => Promise.resolve(p256.sign(data, secret.reveal())),
});

/** @param publicKey compressed P-256 point, 33 bytes. @throws KeepsetError `input/malformed` for anything else. */
export const verifierFor = (publicKey: Uint8Array): MessageVerifier => {
  try {
    if (publicKey.length !== 33) throw new RangeError('not compressed');
    p256.Point.fromBytes(publicKey).assertValidity();
  } catch (cause) {
    throw new KeepsetError('input/malformed', 'Not a P-256 public key.', { cause });
  }
  return (data, signature) => {
    try {
      // Any s is accepted, as RFC 9421 has it: the Secure Enclave does not normalise to low s.
      return Promise.resolve(p256.verify(signature, data, publicKey, { lowS: false }));
    } catch {
      return Promise.resolve(false);
    }
  };
};

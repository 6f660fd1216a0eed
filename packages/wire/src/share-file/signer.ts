/**
 * Who wrote a share file. age does not authenticate senders, so the writer signs inside.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';

/** A device's signing key. The private half may lie in hardware. */
export interface FileSigner {
  /** P-256: 33 bytes, compressed SEC 1. Ed25519: 32 bytes. The length tells which. */
  readonly publicKey: Uint8Array;
  /** P-256: ECDSA with SHA-256, r ‖ s, 64 bytes. Ed25519: RFC 8032, 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * Whether the signature is valid; false for anything malformed. High-s ECDSA passes: the Secure Enclave makes it,
 * and nothing here rests on a signature being the only one.
 */
export const verifySigner = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  try {
    if (publicKey.length === 32) return ed25519.verify(signature, message, publicKey, { zip215: false });
    if (publicKey.length === 33) return p256.verify(signature, message, publicKey, { lowS: false });
    return false;
  } catch {
    return false;
  }
};

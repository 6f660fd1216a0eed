import { ed25519 } from '@noble/curves/ed25519.js';
import type { ECDSA } from '@noble/curves/abstract/weierstrass.js';
import { p256 } from '@noble/curves/nist.js';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { taprootOutputKey } from './bitcoin.ts';
import type { IntentKey, SignDigest, SignInput } from './intent.ts';

/**
 * Insists that there is one valid signature for each input.
 * @returns own copies of the signatures.
 * @throws KeepsetError `input/invalid-argument` for a wrong count, `abort/bad-signature` for one that does not verify.
 */
export const checkedSignatures = (
  key: IntentKey,
  inputs: readonly SignInput[],
  signatures: readonly Uint8Array[],
): readonly Uint8Array[] => {
  if (signatures.length !== inputs.length)
    throw new KeepsetError(
      'input/invalid-argument',
      `${inputs.length} signatures are needed; ${signatures.length} came.`,
    );
  return inputs.map((input, i) => {
    const signature = Uint8Array.from(signatures[i] ?? []);
    if (!verifySignature(key, input, signature))
      throw new KeepsetError(
        'abort/bad-signature',
        `Signature ${i + 1} of ${inputs.length} does not verify.`,
        {
          hint: 'Nothing was released. Sign again.',
        },
      );
    return signature;
  });
};

/** Whether `signature` is valid for `input` under `key`. False for anything malformed, high s or a wrong recovery id. */
export const verifySignature = (key: IntentKey, input: SignInput, signature: Uint8Array): boolean => {
  try {
    return verifiers[key.scheme](key.publicKey, input, signature);
  } catch {
    return false;
  }
};

type Verifier = (publicKey: Uint8Array, input: SignInput, signature: Uint8Array) => boolean;

/** @spec SEC 1 §4.1.4 and §4.1.6 */
const ecdsaVerifier =
  (curve: ECDSA): Verifier =>
  (publicKey, input, signature) => {
    if (signature.length !== 65 || input.taproot !== undefined) return false;
    const digest = digestOf(input);
    const compact = signature.subarray(0, 64);
    if (!curve.verify(compact, digest, publicKey, { prehash: false, lowS: true })) return false;
    const recovered = curve.Signature.fromBytes(compact)
      .addRecoveryBit(signature[64] ?? 0)
      .recoverPublicKey(digest);
    return bytesEqual(recovered.toBytes(true), publicKey);
  };

const verifiers: Readonly<Record<IntentKey['scheme'], Verifier>> = {
  // Cofactorless and strict encodings (RFC 8032), the rule OpenSSL and OpenSSH verify by.
  ed25519: (publicKey, input, signature) =>
    input.digest === 'none' &&
    input.taproot === undefined &&
    ed25519.verify(signature, input.message, publicKey, { zip215: false }),
  'schnorr-secp256k1': (publicKey, input, signature) =>
    input.digest === 'none' &&
    schnorr.verify(
      signature,
      input.message,
      input.taproot === undefined
        ? publicKey.subarray(1)
        : taprootOutputKey(publicKey, input.taproot.merkleRoot),
    ),
  'ecdsa-secp256k1': ecdsaVerifier(secp256k1),
  'ecdsa-p256': ecdsaVerifier(p256),
};

const digests: Readonly<Record<SignDigest, (message: Uint8Array) => Uint8Array>> = {
  none: (message) => message,
  sha256: (message) => sha256(message),
  sha256d: (message) => sha256(sha256(message)),
  keccak256: (message) => keccak_256(message),
};

/** The 32 bytes ECDSA signs. @throws KeepsetError `input/invalid-argument` if `none` comes without 32 bytes. */
const digestOf = (input: SignInput): Uint8Array => {
  const digest = digests[input.digest](input.message);
  if (digest.length !== 32) throw new KeepsetError('input/invalid-argument', 'A digest has 32 bytes.');
  return digest;
};

/**
 * An ECDSA signature as ASN.1 DER.
 * @param signature r ‖ s ‖ recovery id, 65 bytes, already checked.
 * @spec RFC 3279 §2.2.3 Ecdsa-Sig-Value
 */
export const derSignature = (key: IntentKey, signature: Uint8Array): Uint8Array =>
  (key.scheme === 'ecdsa-p256' ? p256 : secp256k1).Signature.fromBytes(signature.subarray(0, 64)).toBytes(
    'der',
  );

/**
 * A device's two long-term keys: an age X25519 identity that opens its copies, and a P-256 key that signs what it
 * writes and requests.
 */
import { p256 } from '@noble/curves/nist.js';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { KeepsetError, Secret, fromUtf8, utf8ToBytes } from '@keepset/bytes';
import type { FileSigner } from '../share-file/index.ts';

/** Both keys of a device. The halves named `public…` and `recipient` may be shown to anyone. */
export interface DeviceIdentity {
  /** UTF-8 of `AGE-SECRET-KEY-1…`. */
  readonly ageIdentity: Secret;
  /** `age1…` */
  readonly recipient: string;
  /** P-256 scalar, 32 bytes big-endian. */
  readonly signingKey: Secret;
  /** P-256, 33 bytes, compressed SEC 1. */
  readonly publicSigningKey: Uint8Array;
}

/** Generates both keys. */
export const generateIdentity = async (): Promise<DeviceIdentity> =>
  identityOf(await generateX25519Identity(), p256.utils.randomSecretKey());

/**
 * Builds the identity from its private halves; takes ownership of `scalar`.
 * @throws KeepsetError `input/malformed`
 */
export const identityOf = async (ageIdentity: string, scalar: Uint8Array): Promise<DeviceIdentity> => {
  if (!/^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(ageIdentity)) throw malformed();
  try {
    return {
      ageIdentity: new Secret(utf8ToBytes(ageIdentity)),
      recipient: await identityToRecipient(ageIdentity),
      signingKey: new Secret(scalar),
      publicSigningKey: p256.getPublicKey(scalar, true),
    };
  } catch {
    // No cause: it could quote the key.
    throw malformed();
  }
};

const malformed = (): KeepsetError =>
  new KeepsetError('input/malformed', 'Not the keys of a device identity.');

/** Signs share files with the device's key. @spec RFC 6979, FIPS 186-5 ECDSA with SHA-256 */
export const signerOf = (identity: DeviceIdentity): FileSigner => ({
  publicKey: identity.publicSigningKey,
  sign: (message) => Promise.resolve(p256.sign(message, identity.signingKey.reveal())),
});

/** Opens share files sealed to the device's {@link DeviceIdentity.recipient}. */
export const openingKeyOf = (identity: DeviceIdentity): string => fromUtf8(identity.ageIdentity.reveal());

/** The recipient of a recovery code: to whom copies are sealed that it opens. @throws KeepsetError `input/malformed` */
export const recipientOf = async (ageIdentity: string): Promise<string> => {
  try {
    return await identityToRecipient(ageIdentity);
  } catch {
    // No cause: it could quote the code.
    throw malformed();
  }
};

/** Wipes the private halves. */
export const wipeIdentity = (identity: DeviceIdentity): void => {
  identity.ageIdentity.wipe();
  identity.signingKey.wipe();
};

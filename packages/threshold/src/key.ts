import { hashValue, toBase32, type Secret } from '@keepset/bytes';
import type { PartyId } from './machine.ts';

/** All schemes. A key of each signs, except `ecdh-p256`, whose keys open sealed files. */
export const schemes = [
  'ed25519',
  'schnorr-secp256k1',
  'ecdsa-secp256k1',
  'ecdsa-p256',
  'ecdh-p256',
] as const;

/** Name of a scheme. `schnorr-secp256k1` is BIP 340. */
export type Scheme = 'ed25519' | 'schnorr-secp256k1' | 'ecdsa-secp256k1' | 'ecdsa-p256' | 'ecdh-p256';

/** The public half of a key: what every party knows and agrees on. */
export interface GroupKey {
  readonly scheme: Scheme;
  /** See {@link keyIdOf}. */
  readonly keyId: string;
  /** Starts at 0; refresh and reshare advance it. Shares of different epochs never mix. */
  readonly epoch: number;
  /** Policy text in canonical form. */
  readonly policy: string;
  /** All parties in policy order; position + 1 is the party's identifier in the sharing polynomial. */
  readonly parties: readonly PartyId[];
  /** How many parties must sign together. */
  readonly threshold: number;
  /** Ed25519: 32 bytes (RFC 8032). Others: 33 bytes, compressed SEC 1. */
  readonly publicKey: Uint8Array;
  /** Public images of the sharing polynomial's coefficients, constant first; as many as the threshold. */
  readonly commitments: readonly Uint8Array[];
  /** Public image of each party's share, in the order of `parties`. */
  readonly verifyingShares: readonly Uint8Array[];
  /** 32 bytes agreed by commit-and-open, for BIP 32 derivation. Not secret from the parties; keep it from others. */
  readonly chainCode: Uint8Array;
}

/** One party's share at one epoch. */
export interface KeyShare {
  readonly group: GroupKey;
  readonly party: PartyId;
  /**
   * Schnorr schemes and `ecdh-p256`: the share scalar, 32 bytes in the suite's own byte order.
   * ECDSA schemes: see ecdsa/secret.ts.
   */
  readonly secret: Secret;
}

/** The key's id: 26 base32 characters that hash scheme and public key. */
export const keyIdOf = (scheme: Scheme, publicKey: Uint8Array): string =>
  toBase32(hashValue('keepset/key-id/v1', { scheme, publicKey }).subarray(0, 16));

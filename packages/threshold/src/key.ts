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
  /** All parties, each once, in the order in which they first stand in the policy. */
  readonly parties: readonly PartyId[];
  /** The fewest parties that can sign together. */
  readonly threshold: number;
  /** Ed25519: 32 bytes (RFC 8032). Others: 33 bytes, compressed SEC 1. */
  readonly publicKey: Uint8Array;
  /** Public images of the coefficients of the sharing, one for each column of its matrix; the first is the public key. */
  readonly commitments: readonly Uint8Array[];
  /** Public image of each sub-share, one for each row of the sharing matrix: each leaf of the policy's normal form. */
  readonly verifyingShares: readonly Uint8Array[];
  /** 32 bytes agreed by commit-and-open, for BIP 32 derivation. Not secret from the parties; keep it from others. */
  readonly chainCode: Uint8Array;
}

/** One party's share at one epoch. */
export interface KeyShare {
  readonly group: GroupKey;
  readonly party: PartyId;
  /**
   * Schnorr schemes and `ecdh-p256`: the party's sub-shares, one for each leaf, 32 bytes each in the suite's own byte order.
   * ECDSA schemes: see ecdsa/secret.ts.
   */
  readonly secret: Secret;
}

/** The key's id: 26 base32 characters that hash scheme and public key. */
export const keyIdOf = (scheme: Scheme, publicKey: Uint8Array): string =>
  toBase32(hashValue('keepset/key-id/v1', { scheme, publicKey }).subarray(0, 16));

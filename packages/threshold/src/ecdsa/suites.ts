import { nobleHash } from '../curve/hash.ts';
import { p256Curve, secp256k1Curve } from '../curve/noble.ts';
import type { EcdsaCurve, HashPort } from '../curve/port.ts';
import type { Digest } from '../ceremony.ts';

/** What differs between the two ECDSA schemes, and the kernel that computes for them. */
export interface EcdsaSuite {
  readonly scheme: 'ecdsa-secp256k1' | 'ecdsa-p256';
  readonly curve: EcdsaCurve;
  readonly hash: HashPort;
  /** Digests a request may name. */
  readonly digests: readonly Digest[];
}

/** Bitcoin and Ethereum. */
export const ecdsaSecp256k1Suite: EcdsaSuite = {
  scheme: 'ecdsa-secp256k1',
  curve: secp256k1Curve,
  hash: nobleHash,
  digests: ['sha256', 'sha256d', 'keccak256'],
};

/** ES256. */
export const ecdsaP256Suite: EcdsaSuite = {
  scheme: 'ecdsa-p256',
  curve: p256Curve,
  hash: nobleHash,
  digests: ['sha256'],
};

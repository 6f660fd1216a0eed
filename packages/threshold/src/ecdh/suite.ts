import { p256, p256_hasher } from '@noble/curves/nist.js';
import { p256Curve } from '../curve/noble.ts';
import type { EcdsaCurve, GroupPoint } from '../curve/port.ts';
import type { ScalarSuite } from '../frost/suites.ts';

/** A scheme whose keys agree on secrets instead of signing. */
export interface EcdhSuite extends ScalarSuite {
  readonly scheme: 'ecdh-p256';
  readonly curve: EcdsaCurve;
  /**
   * Reads a peer's point in the form ECDH takes it: 65 bytes, uncompressed. Undefined unless on the curve; the form has
   * no encoding of the identity, and the group has no other element of small order.
   */
  readonly decodePeer: (bytes: Uint8Array) => GroupPoint | undefined;
}

/** @spec SEC 1 §2.3.4, §3.2.2; the group is that of NIST P-256, whose cofactor is 1. */
export const ecdhP256Suite: EcdhSuite = {
  scheme: 'ecdh-p256',
  curve: p256Curve,
  hashToChallenge: (message) => p256_hasher.hashToScalar(message, { DST: 'FROST-P256-SHA256-v1dkg' }),
  decodePeer: (bytes) => {
    if (bytes.length !== 65 || bytes[0] !== 4) return undefined;
    try {
      // Checks the curve's equation.
      return p256Curve.decodePoint(p256.Point.fromBytes(bytes).toBytes(true));
    } catch {
      return undefined;
    }
  },
};

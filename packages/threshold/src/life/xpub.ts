import { ripemd160 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { base58check } from '@scure/base';
import { KeepsetError, concatBytes } from '@keepset/bytes';
import { deriveChild } from '../derive.ts';
import type { GroupKey } from '../key.ts';
import { curveForDerivation } from './derive.ts';

/** Where an extended key is meant to be used; the version bytes differ. */
export type Network = 'mainnet' | 'testnet';

const versions: Readonly<Record<Network, number>> = { mainnet: 0x0488b21e, testnet: 0x043587cf };

/**
 * The extended public key at `path` below a group key, which counts as the master: `xpub…` or `tpub…`. A wallet that
 * has it follows all addresses below without taking part in anything. It holds the chain code: with it and the
 * private key of any child, the key itself is computed.
 * @throws KeepsetError `input/unsupported` for keys that are not on secp256k1, `input/invalid-argument` for hardened
 * or impossible indices
 * @spec BIP 32, serialization format
 */
export const xpub = (
  group: Pick<GroupKey, 'scheme' | 'publicKey' | 'chainCode'>,
  network: Network,
  path: readonly number[] = [],
): string => {
  const curve = curveForDerivation(group.scheme);
  if (curve.name !== 'secp256k1')
    throw new KeepsetError('input/unsupported', 'Extended public keys are defined for secp256k1 keys only.');
  const child = deriveChild(curve, group, path);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, versions[network]);
  view.setUint8(4, path.length);
  const last = path.at(-1);
  if (last !== undefined) {
    const parent = deriveChild(curve, group, path.slice(0, -1));
    header.set(ripemd160(sha256(parent.publicKey)).subarray(0, 4), 5);
    view.setUint32(9, last);
  }
  return base58check(sha256).encode(concatBytes(header, child.chainCode, child.publicKey));
};

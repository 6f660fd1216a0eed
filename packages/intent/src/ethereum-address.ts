import { keccak_256 } from '@noble/hashes/sha3.js';
import { KeepsetError, fromHex, toHex, utf8ToBytes } from '@keepset/bytes';
import type { IntentKey } from './intent.ts';
import { checkedKey, requireScheme, uncompressed } from './key.ts';

/**
 * The key's Ethereum address with its checksum.
 * @throws KeepsetError `input/unsupported` for other schemes than `ecdsa-secp256k1`, `input/invalid-argument`.
 * @spec Ethereum Yellow Paper, Appendix F; EIP-55
 */
export const ethereumAddress = (key: IntentKey): string => {
  requireScheme(key, ['ecdsa-secp256k1'], 'An Ethereum address');
  return checksummed(keccak_256(uncompressed(checkedKey(key)).subarray(1)).subarray(12));
};

/** 20 bytes as text with the checksum in its letters' case. @spec EIP-55 */
export const checksummed = (address: Uint8Array): string => {
  const hex = toHex(address);
  const hash = toHex(keccak_256(utf8ToBytes(hex)));
  const cased = Array.from(hex, (char, i) =>
    Number.parseInt(hash[i] ?? '0', 16) >= 8 ? char.toUpperCase() : char,
  );
  return `0x${cased.join('')}`;
};

/**
 * The 20 bytes of an address written as text. Letters of both cases make a checksum, which must hold.
 * @throws KeepsetError `input/malformed`
 */
export const parseAddress = (text: string, what: string): Uint8Array => {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text))
    throw new KeepsetError('input/malformed', `${what} is not an address.`);
  const bytes = fromHex(text.slice(2).toLowerCase());
  const mixed = /[a-f]/.test(text.slice(2)) && /[A-F]/.test(text);
  if (mixed && checksummed(bytes) !== text)
    throw new KeepsetError('input/malformed', `${what} has a wrong checksum: a typing error?`);
  return bytes;
};

import { sha256 } from '@noble/hashes/sha2.js';
import { encodeCbor, type CborValue } from './cbor.ts';
import { concatBytes, utf8ToBytes } from './encoding.ts';
import { invariant } from './errors.ts';

/**
 * SHA-256 of a value under a label. The label and the canonical encoding are length-delimited,
 * so two different (label, value) pairs never hash the same bytes.
 * @throws KeepsetError `bug/invariant` for a label over 255 bytes or a value without a canonical encoding.
 */
export const hashValue = (label: string, value: CborValue): Uint8Array => {
  const name = utf8ToBytes(label);
  invariant(name.length <= 255, 'Hash label too long.');
  return sha256(concatBytes(Uint8Array.of(name.length), name, encodeCbor(value)));
};

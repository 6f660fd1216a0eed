/**
 * The parity sidecar: what it takes to repair a slot of which a part has rotted away. It holds a checksum of each
 * block, which finds the bad ones, and parity blocks, which replace them. A small slot comes back even if all of it
 * is gone.
 * @spec spec/usb-container.md, "Parity"
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  bytesEqual,
  bytesOfLength,
  concatBytes,
  decodeAs,
  encodeCbor,
  hashValue,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { maxShareFileBytes } from '@keepset/wire';
import { encodeParity, recoverData } from '../erasure.ts';

const blockBytes = 64;
const checksumBytes = 8;
const maxDataPerStripe = 192;
const maxParityPerStripe = 64;
/** A hole of this length in a slot is always repaired. */
const promisedHole = 1280;

/** No sidecar is longer, in bytes. */
export const maxParityBytes: number = maxShareFileBytes;

/** What a sidecar says. */
export interface Parity {
  /** Counts the writes to the container: of two slots, the one with the higher turn is newer. */
  readonly turn: number;
  readonly size: number;
  readonly sha256: Uint8Array;
  /** First bytes of each data block's SHA-256, one after the other. */
  readonly checksums: Uint8Array;
  /** Parity blocks per stripe. */
  readonly perStripe: number;
  /** All parity blocks, stripe by stripe. */
  readonly blocks: Uint8Array;
}

const schema: Schema<Parity & { v: 1; type: 'parity'; check: Uint8Array }> = v.strictObject({
  v: v.literal(1),
  type: v.literal('parity'),
  turn: integerBetween(1, Number.MAX_SAFE_INTEGER),
  size: integerBetween(1, maxShareFileBytes),
  sha256: bytesOfLength(32),
  checksums: bytesBetween(checksumBytes, maxParityBytes),
  perStripe: integerBetween(1, maxParityPerStripe),
  blocks: bytesBetween(blockBytes, maxParityBytes),
  check: bytesOfLength(32),
});

const checkOf = (parity: Parity): Uint8Array => hashValue('keepset/usb-parity/v1', { ...parity });

const splitBlocks = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / blockBytes) }, (_, i) => {
    const block = new Uint8Array(blockBytes);
    block.set(bytes.subarray(i * blockBytes, (i + 1) * blockBytes));
    return block;
  });

const checksumOf = (block: Uint8Array): Uint8Array => sha256(block).subarray(0, checksumBytes);

/** Neighbouring blocks go to different stripes, so that a hole is shared among them. */
const stripesOf = (blocks: number): number => Math.ceil(blocks / maxDataPerStripe);

const parityPerStripe = (blocks: number): number => {
  const stripes = stripesOf(blocks);
  const perStripe = Math.ceil(blocks / stripes);
  // One block more than fits: a hole need not begin at a block's edge.
  const forHole = Math.ceil((Math.ceil(promisedHole / blockBytes) + 1) / stripes);
  return Math.min(perStripe, maxParityPerStripe, Math.max(forHole, Math.ceil(perStripe / 8)));
};

const inStripe = <T>(blocks: readonly T[], stripe: number, stripes: number): T[] =>
  blocks.filter((_, i) => i % stripes === stripe);

/** The sidecar of a slot's content. */
export const encodeSidecar = (content: Uint8Array, turn: number): Uint8Array => {
  const blocks = splitBlocks(content);
  const stripes = stripesOf(blocks.length);
  const perStripe = parityPerStripe(blocks.length);
  const parity: Parity = {
    turn,
    size: content.length,
    sha256: sha256(content),
    checksums: concatBytes(...blocks.map(checksumOf)),
    perStripe,
    blocks: concatBytes(
      ...Array.from({ length: stripes }, (_, s) =>
        encodeParity(inStripe(blocks, s, stripes), perStripe),
      ).flat(),
    ),
  };
  return encodeCbor({ v: 1, type: 'parity', ...parity, check: checkOf(parity) });
};

/** @throws KeepsetError `place/damaged` */
export const decodeSidecar = (bytes: Uint8Array): Parity => {
  try {
    const { v: _v, type: _type, check, ...parity } = decodeAs(schema, bytes, 'parity sidecar');
    const blocks = Math.ceil(parity.size / blockBytes);
    if (
      bytesEqual(check, checkOf(parity)) &&
      parity.checksums.length === blocks * checksumBytes &&
      parity.blocks.length === stripesOf(blocks) * parity.perStripe * blockBytes
    )
      return parity;
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'The parity sidecar is damaged.', { cause });
  }
  throw new KeepsetError('place/damaged', 'The parity sidecar is damaged.');
};

/** The slot's content as the sidecar knows it, or null if too much of it is gone. */
export const repairWith = (parity: Parity, damaged: Uint8Array): Uint8Array | null => {
  const sized = new Uint8Array(parity.size);
  sized.set(damaged.subarray(0, parity.size));
  const blocks = splitBlocks(sized).map((block, i) => {
    const expected = parity.checksums.subarray(i * checksumBytes, (i + 1) * checksumBytes);
    return bytesEqual(checksumOf(block), expected) ? block : null;
  });
  const stripes = stripesOf(blocks.length);
  const spares = splitBlocks(parity.blocks);
  const whole: Uint8Array[] = [];
  for (let s = 0; s < stripes; s++) {
    const own = spares.slice(s * parity.perStripe, (s + 1) * parity.perStripe);
    const recovered = recoverData(inStripe(blocks, s, stripes), own);
    if (recovered === null) return null;
    recovered.forEach((block, n) => {
      whole[n * stripes + s] = block;
    });
  }
  const content = concatBytes(...whole).slice(0, parity.size);
  return bytesEqual(sha256(content), parity.sha256) ? content : null;
};

/**
 * A share file as several QR codes. Each carries a piece in the QR alphabet (5.5 bits a character); a few more carry
 * parity, so that some may be unreadable.
 * @spec spec/printed-kit.md, "Share pages"
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes, fromBase32, toBase32 } from '@keepset/bytes';
import { encodeParity, maxBlocks, recoverData } from '../erasure.ts';

/** Bytes of the share file in one code. */
const pieceBytes = 256;

/** No more codes are printed: 16 pages. */
const maxCodes = 96;

/** Text of every code, in order: pieces, then parity. @throws KeepsetError `wire/too-large` */
export const encodeChunks = (kit: string, file: Uint8Array): string[] => {
  const count = Math.ceil(file.length / pieceBytes);
  const parity = Math.ceil(count / 4);
  if (count + parity > Math.min(maxCodes, maxBlocks))
    throw new KeepsetError('wire/too-large', 'The share is too large to print.');
  const pieces = Array.from({ length: count }, (_, i) => {
    const piece = new Uint8Array(pieceBytes);
    piece.set(file.subarray(i * pieceBytes, (i + 1) * pieceBytes));
    return piece;
  });
  const check = upper(sha256(file).subarray(0, 10));
  return [...pieces, ...encodeParity(pieces, parity)].map(
    (piece, i) => `KEEPSET1:${kit.toUpperCase()}:${i + 1}:${count}:${file.length}:${check}:${upper(piece)}`,
  );
};

const upper = (bytes: Uint8Array): string => toBase32(bytes).toUpperCase();

interface Chunk {
  readonly kit: string;
  readonly index: number;
  readonly count: number;
  readonly size: number;
  readonly check: string;
  readonly piece: Uint8Array;
}

const pattern =
  /^KEEPSET1:([A-Z2-7]{26}):([1-9]\d{0,2}):([1-9]\d{0,2}):([1-9]\d{0,5}):([A-Z2-7]{16}):([A-Z2-7]+)$/;

const parseChunk = (text: string): Chunk | null => {
  const [, kit = '', index, count, size, check = '', piece = ''] = pattern.exec(text) ?? [];
  if (index === undefined) return null;
  const bytes = fromBase32(piece);
  return bytes.length === pieceBytes
    ? {
        kit: kit.toLowerCase(),
        index: Number(index),
        count: Number(count),
        size: Number(size),
        check,
        piece: bytes,
      }
    : null;
};

/** What was put together from scanned codes. */
export interface Assembled {
  readonly kit: string;
  readonly file: Uint8Array;
}

/** How far a scan has come. */
export type ScanProgress =
  | { readonly status: 'done'; readonly assembled: Assembled }
  /** `have` different codes were read; `need` are enough. */
  | { readonly status: 'more'; readonly have: number; readonly need: number };

/**
 * Puts scanned codes together, in any order, doubled or not; codes that are not of a share are skipped.
 * @throws KeepsetError `place/foreign` (codes of different prints mixed), `place/damaged` (they do not fit together).
 */
export const assembleChunks = (texts: readonly string[]): ScanProgress => {
  const chunks = texts.map(parseChunk).filter((chunk) => chunk !== null);
  const [first] = chunks;
  if (first === undefined) return { status: 'more', have: 0, need: 1 };
  const isSame = ({ kit, check, count, size }: Chunk): boolean =>
    kit === first.kit && check === first.check && count === first.count && size === first.size;
  if (!chunks.every(isSame))
    throw new KeepsetError('place/foreign', 'These codes are of different prints.', {
      hint: 'Scan the codes of one kit and one date only.',
    });
  const { count, size, kit } = first;
  const parity = Math.ceil(count / 4);
  const slots: (Uint8Array | null)[] = Array.from({ length: count + parity }, () => null);
  for (const { index, piece } of chunks) if (index <= slots.length) slots[index - 1] = piece;
  const have = slots.filter((slot) => slot !== null).length;
  if (have < count) return { status: 'more', have, need: count };
  const pieces = recoverData(slots.slice(0, count), slots.slice(count));
  const file = pieces === null ? null : concatBytes(...pieces).slice(0, size);
  if (file === null || file.length !== size || upper(sha256(file).subarray(0, 10)) !== first.check)
    throw new KeepsetError('place/damaged', 'The codes do not make a whole share.');
  return { status: 'done', assembled: { kit, file } };
};

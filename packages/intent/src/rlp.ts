import { KeepsetError, concatBytes } from '@keepset/bytes';

/** An RLP item: bytes or a list of items. */
export type Rlp = Uint8Array | readonly Rlp[];

const maxDepth = 8;

/** @spec Ethereum Yellow Paper, Appendix B */
export const encodeRlp = (item: Rlp): Uint8Array => {
  if (!(item instanceof Uint8Array)) {
    const body = concatBytes(...item.map(encodeRlp));
    return concatBytes(header(0xc0, body.length), body);
  }
  const [first] = item;
  if (item.length === 1 && first !== undefined && first < 0x80) return Uint8Array.from(item);
  return concatBytes(header(0x80, item.length), item);
};

/**
 * Decodes exactly one item in its only valid encoding, to the last byte.
 * @throws KeepsetError `input/malformed`
 */
export const decodeRlp = (bytes: Uint8Array): Rlp => {
  const { item, end } = decodeAt(bytes, 0, 0);
  if (end !== bytes.length) throw malformed('bytes follow the item');
  return item;
};

/** A non-negative integer without leading zeros; zero is empty. */
export const rlpInteger = (value: bigint): Uint8Array => {
  const out: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) out.unshift(Number(rest & 0xffn));
  return Uint8Array.from(out);
};

const header = (base: 0x80 | 0xc0, length: number): Uint8Array => {
  if (length < 56) return Uint8Array.of(base + length);
  const size = rlpInteger(BigInt(length));
  return concatBytes(Uint8Array.of(base + 55 + size.length), size);
};

const decodeAt = (bytes: Uint8Array, at: number, depth: number): { item: Rlp; end: number } => {
  if (depth > maxDepth) throw malformed('lists are nested too deep');
  const tag = bytes[at];
  if (tag === undefined) throw malformed('it is cut short');
  if (tag < 0x80) return { item: bytes.slice(at, at + 1), end: at + 1 };
  const base = tag < 0xc0 ? 0x80 : 0xc0;
  const { start, length } = lengthAt(bytes, at, tag - base);
  const end = start + length;
  if (end > bytes.length) throw malformed('it is cut short');
  if (base === 0x80) {
    const [first] = bytes.subarray(start, end);
    if (length === 1 && first !== undefined && first < 0x80) throw malformed('a small byte has a header');
    return { item: bytes.slice(start, end), end };
  }
  const list: Rlp[] = [];
  let next = start;
  while (next < end) {
    const inner = decodeAt(bytes.subarray(0, end), next, depth + 1);
    list.push(inner.item);
    next = inner.end;
  }
  return { item: list, end };
};

/** `code` is the tag less its base: a short length, or 55 plus the number of length bytes. */
const lengthAt = (bytes: Uint8Array, at: number, code: number): { start: number; length: number } => {
  if (code < 56) return { start: at + 1, length: code };
  const start = at + 1 + (code - 55);
  // Four bytes of length are far more than any input here has.
  if (code - 55 > 4 || start > bytes.length) throw malformed('it is cut short');
  const size = bytes.subarray(at + 1, start);
  const length = size.reduce((sum, b) => sum * 256 + b, 0);
  if (size[0] === 0 || length < 56) throw malformed('a length is not in its shortest form');
  return { start, length };
};

const malformed = (why: string): KeepsetError =>
  new KeepsetError('input/malformed', `Not valid RLP: ${why}.`);

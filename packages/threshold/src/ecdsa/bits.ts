/**
 * Bit vectors and bit matrices for the oblivious-transfer layer.
 *
 * Bit j of a vector is bit j mod 8 of byte ⌊j/8⌋ and, as 32-bit words, bit j mod 32 of word ⌊j/32⌋. Secret bits
 * are used through masks, never as branches or indices.
 */

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Words of a byte string whose length is a multiple of 4. */
export const wordsOf = (bytes: Uint8Array): Int32Array => {
  const view = viewOf(bytes);
  const words = new Int32Array(bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(4 * i, true);
  return words;
};

/** Inverse of {@link wordsOf}. */
export const bytesOfWords = (words: Int32Array): Uint8Array => {
  const bytes = new Uint8Array(4 * words.length);
  const view = viewOf(bytes);
  for (let i = 0; i < words.length; i++) view.setInt32(4 * i, words[i] as number, true);
  return bytes;
};

/** Bit `index` of `bytes`: 0 or 1. */
export const bitAt = (bytes: Uint8Array, index: number): number =>
  ((bytes[index >> 3] as number) >> (index & 7)) & 1;

/** All ones if `bit` is 1, all zeros if it is 0. */
export const maskOf = (bit: number): number => -bit;

/** `ifZero` or `ifOne`, both of the same length, by a secret bit. */
export const selectBytes = (bit: number, ifZero: Uint8Array, ifOne: Uint8Array): Uint8Array => {
  const mask = maskOf(bit) & 255;
  return Uint8Array.from(ifZero, (byte, i) => byte ^ ((byte ^ (ifOne[i] as number)) & mask));
};

/** target ^= source, from `offset` of the source on. */
export const xorInto = (target: Uint8Array, source: Uint8Array, offset = 0): void => {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (source[offset + i] as number);
};

/** Transposes 32 words of 32 bits in place. @spec Hacker's Delight §7-3 */
const transposeBlock = (block: Int32Array): void => {
  let mask = 0x0000ffff;
  for (let width = 16; width !== 0; width >>= 1, mask ^= mask << width)
    for (let i = 0; i < 32; i = (i + width + 1) & ~width) {
      const low = block[i] as number;
      const high = block[i + width] as number;
      const swap = ((low >>> width) ^ high) & mask;
      block[i] = low ^ (swap << width);
      block[i + width] = high ^ swap;
    }
};

/**
 * Transposes a bit matrix.
 * @param columns 128 columns of `rows` bits each, one after another, as words; `rows` is a multiple of 32.
 * @returns `rows` rows of 128 bits: 4 words each.
 */
export const transposeToRows = (columns: Int32Array, rows: number): Int32Array => {
  const columnWords = rows / 32;
  const out = new Int32Array(4 * rows);
  const block = new Int32Array(32);
  for (let group = 0; group < 4; group++)
    for (let word = 0; word < columnWords; word++) {
      for (let i = 0; i < 32; i++) block[i] = columns[(32 * group + i) * columnWords + word] as number;
      transposeBlock(block);
      for (let i = 0; i < 32; i++) out[4 * (32 * word + i) + group] = block[i] as number;
    }
  block.fill(0);
  return out;
};

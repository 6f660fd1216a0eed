import { KeepsetError, toHex } from '@keepset/bytes';

/**
 * Walks the key-value maps of a PSBT, without looking at what they mean.
 * @param bytes begins with the five magic bytes.
 * @returns how many maps there are.
 * @throws KeepsetError `input/malformed` if a map is cut short or has a key twice, of which readers may take either.
 * @spec BIP 174, Specification
 */
export const countMaps = (bytes: Uint8Array): number => {
  let maps = 0;
  let keys = new Set<string>();
  let at = 5;
  const read = (): Uint8Array => {
    const { value, size } = compactSizeAt(bytes, at);
    const start = at + size;
    if (start + value > bytes.length) throw malformed('is cut short');
    at = start + value;
    return bytes.subarray(start, at);
  };
  while (at < bytes.length) {
    const key = toHex(read());
    if (key === '') {
      maps++;
      keys = new Set();
      continue;
    }
    if (keys.has(key)) throw malformed('has a field twice');
    keys.add(key);
    read();
  }
  if (keys.size > 0) throw malformed('is cut short');
  return maps;
};

const compactSizeAt = (bytes: Uint8Array, at: number): { value: number; size: number } => {
  const first = bytes[at];
  if (first === undefined) throw malformed('is cut short');
  if (first < 0xfd) return { value: first, size: 1 };
  const size = 1 + 2 ** (first - 0xfc);
  if (size > 5 || at + size > bytes.length) throw malformed('is cut short');
  const value = bytes.subarray(at + 1, at + size).reduceRight((sum, b) => sum * 256 + b, 0);
  return { value, size };
};

const malformed = (how: string): KeepsetError => new KeepsetError('input/malformed', `The PSBT ${how}.`);

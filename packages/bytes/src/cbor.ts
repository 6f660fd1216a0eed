import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { bytesEqual } from './encoding.ts';
import { KeepsetError } from './errors.ts';

/**
 * The values that travel and rest: a subset of CBOR with exactly one encoding for each value.
 * No floats, tags, undefined or indefinite lengths; map keys are text. Text is well-formed Unicode and does not begin
 * with U+FEFF: a lone surrogate would be encoded as U+FFFD, and text decoders drop a leading byte order mark.
 * @spec RFC 8949 §4.2.1 (core deterministic encoding)
 */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue | undefined };

const decodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  strict: true,
  rejectDuplicateMapKeys: true,
  tags: [],
};

/**
 * Encodes deterministically. Properties whose value is `undefined` are left out.
 * @throws KeepsetError `bug/invariant` for values outside {@link CborValue}.
 */
export const encodeCbor = (value: CborValue): Uint8Array => {
  try {
    return encode(checked(value), rfc8949EncodeOptions);
  } catch (cause) {
    throw new KeepsetError('bug/invariant', 'Value cannot be encoded as canonical CBOR.', { cause });
  }
};

/**
 * Decodes one value and insists on its canonical encoding, so that equal values have equal bytes and hashes.
 * @throws KeepsetError `wire/malformed` or `wire/not-canonical`.
 */
export const decodeCbor = (bytes: Uint8Array): CborValue => {
  let value: CborValue;
  try {
    value = decode(bytes, decodeOptions) as CborValue;
  } catch (cause) {
    throw new KeepsetError('wire/malformed', 'Not a CBOR value Keepset accepts.', { cause });
  }
  let again: Uint8Array;
  try {
    again = encode(checked(value), rfc8949EncodeOptions);
  } catch (cause) {
    throw new KeepsetError('wire/malformed', 'Not a CBOR value Keepset accepts.', { cause });
  }
  if (!bytesEqual(again, bytes))
    throw new KeepsetError('wire/not-canonical', 'CBOR is not in canonical form.');
  return value;
};

/** Drops undefined properties and refuses what has no unique encoding. */
const checked = (value: CborValue): CborValue => {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return checkedText(value);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new TypeError('only safe integers');
    return value;
  }
  // `Array.from` turns holes into undefined, which is refused; `map` would keep them.
  if (Array.isArray(value)) return Array.from(value, checked);
  if (
    typeof value === 'object' &&
    (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)
  ) {
    const out: [string, CborValue][] = [];
    for (const [key, item] of Object.entries(value))
      if (item !== undefined) out.push([checkedText(key), checked(item)]);
    return Object.fromEntries(out);
  }
  throw new TypeError(`unsupported type ${typeof value}`);
};

const checkedText = (text: string): string => {
  if (!text.isWellFormed() || text.startsWith('\ufeff'))
    throw new TypeError('text without a unique encoding');
  return text;
};

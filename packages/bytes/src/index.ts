export {
  KeepsetError,
  errorCodes,
  exitCodes,
  invariant,
  isErrorCode,
  toKeepsetError,
  type ErrorCode,
  type ErrorDetails,
  type ErrorFamily,
  type Retry,
} from './errors.ts';
export { Secret } from './secret.ts';
export {
  bytesEqual,
  concatBytes,
  fromBase32,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase32,
  toBase64,
  toBase64Url,
  toHex,
  utf8ToBytes,
} from './encoding.ts';
export { decodeCbor, encodeCbor, type CborValue } from './cbor.ts';
export { hashValue } from './hash.ts';
export { bytesBetween, bytesOfLength, decodeAs, integerBetween, parseAs, type Schema } from './schema.ts';
export { printable, printableLines } from './printable.ts';
export { version } from './version.ts';

import { concatBytes, equalBytes, hexToBytes, bytesToHex } from '@noble/curves/utils.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { base32nopad, base64, base64urlnopad } from '@scure/base';
import { KeepsetError } from './errors.ts';

export { concatBytes, utf8ToBytes };

const orMalformed = <T>(what: string, decode: () => T): T => {
  try {
    return decode();
  } catch (cause) {
    throw new KeepsetError('input/malformed', `Not valid ${what}.`, { cause });
  }
};

/** Lower-case hex. */
export const toHex = (bytes: Uint8Array): string => bytesToHex(bytes);

/** @throws KeepsetError `input/malformed` */
export const fromHex = (text: string): Uint8Array => orMalformed('hex', () => hexToBytes(text));

/** RFC 4648 base64 with padding. */
export const toBase64 = (bytes: Uint8Array): string => base64.encode(bytes);

/** Strict RFC 4648 base64: padding required, no white space. @throws KeepsetError `input/malformed` */
export const fromBase64 = (text: string): Uint8Array => orMalformed('base64', () => base64.decode(text));

/** RFC 4648 base64url without padding. */
export const toBase64Url = (bytes: Uint8Array): string => base64urlnopad.encode(bytes);

/** @throws KeepsetError `input/malformed` */
export const fromBase64Url = (text: string): Uint8Array =>
  orMalformed('base64url', () => base64urlnopad.decode(text));

/** RFC 4648 base32 in lower case without padding. */
export const toBase32 = (bytes: Uint8Array): string => base32nopad.encode(bytes).toLowerCase();

/** Accepts either case. @throws KeepsetError `input/malformed` */
export const fromBase32 = (text: string): Uint8Array =>
  orMalformed('base32', () => {
    // Before changing case: Unicode gives letters such as U+017F an ASCII upper case.
    if (!/^[A-Za-z2-7]*$/.test(text)) throw new TypeError('character outside the base32 alphabet');
    return base32nopad.decode(text.toUpperCase());
  });

/** Decodes UTF-8, refusing malformed sequences and keeping a byte order mark. @throws KeepsetError `input/malformed` */
export const fromUtf8 = (bytes: Uint8Array): string =>
  orMalformed('UTF-8', () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));

/** Compares in time that depends on the lengths only. */
export const bytesEqual = (a: Uint8Array, b: Uint8Array): boolean => equalBytes(a, b);

import { printable, utf8ToBytes } from '@keepset/bytes';
import type { DescriptionLine } from './intent.ts';

/** A line of the description, both parts made printable. */
export const line = (label: string, value: string): DescriptionLine => ({
  label: printable(label),
  value: printable(value),
});

/** A whole number with thousands separators: `1,234,567`. */
export const grouped = (value: bigint | number): string =>
  value.toString().replaceAll(/\B(?=(?:\d{3})+$)/g, ',');

/** `1 input`, `2 inputs`. */
export const counted = (count: number, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;

/**
 * A fixed-point amount.
 * @param value in the smallest unit, not negative.
 * @param keep decimals that are written even if zero; default all.
 */
export const decimal = (value: bigint, decimals: number, keep: number = decimals): string => {
  const digits = value.toString().padStart(decimals + 1, '0');
  const whole = grouped(BigInt(digits.slice(0, -decimals)));
  let fraction = digits.slice(-decimals);
  while (fraction.length > keep && fraction.endsWith('0')) fraction = fraction.slice(0, -1);
  return fraction === '' ? whole : `${whole}.${fraction}`;
};

/** The bytes as text if they are printable ASCII, else undefined. */
export const asciiOrUndefined = (bytes: Uint8Array): string | undefined =>
  bytes.length > 0 && bytes.every((b) => b >= 0x20 && b < 0x7f) ? String.fromCharCode(...bytes) : undefined;

/** Leading and trailing ASCII white space removed, if all the bytes are ASCII; else undefined. */
export const trimmedAscii = (bytes: Uint8Array): string | undefined => {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    const part = bytes.subarray(at, at + 8192);
    if (part.some((b) => b > 0x7e)) return undefined;
    parts.push(String.fromCharCode(...part));
  }
  return parts.join('').trim();
};

/** True if `bytes` begin with `prefix`, given as bytes or ASCII. */
export const startsWith = (bytes: Uint8Array, prefix: Uint8Array | string): boolean => {
  const wanted = typeof prefix === 'string' ? utf8ToBytes(prefix) : prefix;
  return bytes.length >= wanted.length && wanted.every((b, i) => bytes[i] === b);
};

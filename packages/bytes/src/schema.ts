import * as v from 'valibot';
import { decodeCbor } from './cbor.ts';
import { KeepsetError, type ErrorCode } from './errors.ts';

/** A validator from unknown data to `T`. Build with valibot; unknown properties must be refused (`strictObject`). */
export type Schema<T> = v.GenericSchema<unknown, T>;

/** Exactly `length` bytes. */
export const bytesOfLength = (length: number): Schema<Uint8Array> =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((b) => b.length === length, `expected ${length} bytes`),
  );

/** Between `min` and `max` bytes. */
export const bytesBetween = (min: number, max: number): Schema<Uint8Array> =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((b) => b.length >= min && b.length <= max, `expected ${min} to ${max} bytes`),
  );

/** An integer from `min` to `max`. */
export const integerBetween = (min: number, max: number): Schema<number> =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));

/**
 * Checks `value` against `schema`.
 * @throws KeepsetError with `code` (default `wire/malformed`); the message names the path, never the value.
 */
export const parseAs = <T>(
  schema: Schema<T>,
  value: unknown,
  what: string,
  code: ErrorCode = 'wire/malformed',
): T => {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const path = v.getDotPath(result.issues[0]);
  throw new KeepsetError(code, `Malformed ${what}${path === null || !isTame(path) ? '' : ` at ${path}`}.`);
};

/** A path may hold names that the sender chose: only short ones without control characters are repeated. */
const isTame = (path: string): boolean => /^[\w.-]{1,100}$/.test(path);

/** Decodes canonical CBOR and checks it. @throws KeepsetError `wire/malformed` or `wire/not-canonical` */
export const decodeAs = <T>(schema: Schema<T>, bytes: Uint8Array, what: string): T =>
  parseAs(schema, decodeCbor(bytes), what);

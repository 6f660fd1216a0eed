import * as fc from 'fast-check';
import { KeepsetError, type CborValue } from '../src/index.ts';

/** The code `act` fails with, or `ok`. Anything thrown that is no KeepsetError is passed on. */
export const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'ok';
};

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** Text that has a unique encoding, awkward names included. */
export const canonicalText: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom('__proto__', 'constructor', 'toString', '0', '10', '9', '', 'length'),
  )
  .filter((text) => text.isWellFormed() && !text.startsWith('\ufeff'));

/** Every kind of value the encoder takes, nested. */
export const cborValue: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.constantFrom(0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    fc.constantFrom(-1, -24, -25, -256, -257, -65537, -(2 ** 32), -(2 ** 32) - 1, Number.MIN_SAFE_INTEGER),
    canonicalText,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .array(fc.tuple(canonicalText, tie('value')), { maxLength: 30 })
      // Not an object literal: `{ ['__proto__']: … }` built by assignment would set the prototype.
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;

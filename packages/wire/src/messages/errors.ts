import * as v from 'valibot';
import { KeepsetError, integerBetween, isErrorCode, printable, type Schema } from '@keepset/bytes';
import { decodeMessage, encodeMessage } from './protocol.ts';

interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly retry: 'never' | 'same' | 'fresh';
  readonly culprits: string[];
  readonly hint?: string | undefined;
  readonly session?: string | undefined;
  readonly round?: number | undefined;
}

const short: Schema<string> = v.pipe(v.string(), v.maxLength(1000));
const errorFields: Schema<ErrorFields> = v.strictObject({
  code: short,
  message: short,
  retry: v.picklist(['never', 'same', 'fresh']),
  culprits: v.pipe(v.array(short), v.maxLength(32)),
  hint: v.optional(short),
  session: v.optional(short),
  round: v.optional(integerBetween(0, Number.MAX_SAFE_INTEGER)),
});

/**
 * What fits on the wire of a text that may hold anything: an error must not fail to travel because of how it reads.
 * Cutting can split a surrogate pair; a leading byte order mark and lone surrogates have no encoding.
 */
const fitting = (text: string): string =>
  text
    .slice(0, 1000)
    .toWellFormed()
    .replace(/^\ufeff+/, '');

/** An error as it travels. Causes stay at home: they may tell about the inside of the peer. */
export const encodeError = (error: KeepsetError): Uint8Array =>
  encodeMessage('error', {
    code: error.code,
    message: fitting(error.message),
    retry: error.retry,
    culprits: error.culprits.slice(0, 32).map(fitting),
    hint: error.hint === undefined ? undefined : fitting(error.hint),
    session: error.session === undefined ? undefined : fitting(error.session),
    round:
      error.round !== undefined && error.round > 0 && Number.isSafeInteger(error.round)
        ? error.round
        : undefined,
  });

/**
 * Reads an error a peer sent. A code this version does not know becomes `transport/bad-response`.
 * @throws KeepsetError of family `wire/` when the bytes are no error message.
 */
export const decodeError = (bytes: Uint8Array): KeepsetError => {
  const fields = decodeMessage('error', errorFields, bytes);
  const details = {
    culprits: fields.culprits.map(printable),
    retry: fields.retry,
    ...(fields.hint === undefined ? {} : { hint: printable(fields.hint) }),
    ...(fields.session === undefined ? {} : { session: printable(fields.session) }),
    ...(fields.round === undefined ? {} : { round: fields.round }),
  };
  if (!isErrorCode(fields.code))
    return new KeepsetError(
      'transport/bad-response',
      `The peer reports an error this version does not know: ${printable(fields.code)}.`,
      { hint: 'Compare `keepset --version` on device and server, and update the older one.' },
    );
  return new KeepsetError(fields.code, printable(fields.message), details);
};

import * as v from 'valibot';
import { KeepsetError, isErrorCode, type Schema } from '@keepset/bytes';
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
  round: v.optional(v.number()),
});

/** An error as it travels. Causes stay at home: they may tell about the inside of the peer. */
export const encodeError = (error: KeepsetError): Uint8Array =>
  encodeMessage('error', {
    code: error.code,
    message: error.message.slice(0, 1000),
    retry: error.retry,
    culprits: error.culprits,
    hint: error.hint?.slice(0, 1000),
    session: error.session,
    round: error.round,
  });

/**
 * Reads an error a peer sent. A code this version does not know becomes `transport/bad-response`.
 * @throws KeepsetError of family `wire/` when the bytes are no error message.
 */
export const decodeError = (bytes: Uint8Array): KeepsetError => {
  const fields = decodeMessage('error', errorFields, bytes);
  const details = {
    culprits: fields.culprits,
    retry: fields.retry,
    ...(fields.hint === undefined ? {} : { hint: fields.hint }),
    ...(fields.session === undefined ? {} : { session: fields.session }),
    ...(fields.round === undefined ? {} : { round: fields.round }),
  };
  if (!isErrorCode(fields.code))
    return new KeepsetError(
      'transport/bad-response',
      `The peer reports an error this version does not know: ${fields.code}.`,
    );
  return new KeepsetError(fields.code, fields.message, details);
};

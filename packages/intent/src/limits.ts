import { KeepsetError } from '@keepset/bytes';
import { grouped } from './text.ts';

/** Bytes of a message that every signing party has to receive whole: half of what a request may carry. */
export const maxMessageBytes: number = 512 * 1024;

/** Bytes of a PSBT, which may bring whole previous transactions along. */
export const maxPsbtBytes: number = 4 * 1024 * 1024;

/** Signatures that one intent may ask for. */
export const maxSignatures: number = 256;

/** Bytes of a token's payload: all of it is shown. */
export const maxTokenBytes: number = 16 * 1024;

/** @throws KeepsetError `wire/too-large` */
export const requireAtMost = (bytes: Uint8Array, limit: number, what: string, hint?: string): void => {
  if (bytes.length > limit)
    throw new KeepsetError(
      'wire/too-large',
      `${what} has ${grouped(bytes.length)} bytes; the limit is ${grouped(limit)}.`,
      hint === undefined ? {} : { hint },
    );
};

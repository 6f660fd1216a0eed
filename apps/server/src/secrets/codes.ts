import { createHash, randomBytes } from 'node:crypto';
import { toBase32 } from '@keepset/bytes';

/** A one-time code: 80 random bits. It is spent once and expires, but must not be guessable meanwhile. */
export const newCode = (): string => toBase32(randomBytes(10));

/** What is kept of a code: whoever reads the database cannot use it. */
export const hashOfCode = (code: string): Uint8Array =>
  createHash('sha256').update(`keepset/one-time-code/v1/${code}`).digest();

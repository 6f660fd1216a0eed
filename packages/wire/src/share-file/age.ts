/**
 * Sealing and opening of small age files, with typed errors instead of message texts.
 * @spec C2SP age.md
 */
import { Decrypter, Encrypter, type Identity } from 'age-encryption';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import {
  defaultWorkFactor,
  maxWorkFactor,
  scryptIdentity,
  scryptInline,
  scryptRecipient,
  type ScryptIdentity,
  type ScryptWork,
} from './scrypt.ts';

/** An identity with own logic, for example one whose key lies in the Secure Enclave. */
export type { Identity };

/** Sealed to one passphrase and nothing else. */
export interface PassphraseRecipient {
  readonly passphrase: string;
  /** log2 of scrypt's N; 18 unless told. Lower values are for tests. */
  readonly workFactor?: number;
  /** Where scrypt runs; in the calling thread unless told. */
  readonly scrypt?: ScryptWork;
}

/**
 * To whom a file is sealed: one or more age recipients (`age1…`), all classic or all post-quantum, or one passphrase.
 * A passphrase beside keys would open what the keys protect, and a classic recipient would undo the post-quantum one.
 */
export type Recipients = readonly string[] | PassphraseRecipient;

/** A passphrase to try. */
export interface PassphraseKey {
  readonly passphrase: string;
  readonly scrypt?: ScryptWork;
}

/** What may open a file: an identity string (`AGE-SECRET-KEY-1…`), an identity with own logic, or a passphrase. */
export type OpeningKey = string | Identity | PassphraseKey;

/** No file Keepset seals or opens is larger, in bytes. */
export const maxAgeBytes = 1_048_576;

/**
 * Seals `plaintext` as a binary age file.
 * @throws KeepsetError `input/invalid-argument` for unfit recipients, `wire/too-large`.
 */
export const sealAge = async (plaintext: Uint8Array, recipients: Recipients): Promise<Uint8Array> => {
  const encrypter = encrypterFor(recipients);
  if (plaintext.length > maxAgeBytes) throw tooLarge();
  let sealed: Uint8Array;
  try {
    sealed = await encrypter.encrypt(plaintext);
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('input/invalid-argument', 'Sealing to these recipients failed.', { cause });
  }
  if (sealed.length > maxAgeBytes) throw tooLarge();
  return sealed;
};

const encrypterFor = (recipients: Recipients): Encrypter => {
  const encrypter = new Encrypter();
  if ('passphrase' in recipients) {
    const { passphrase, workFactor = defaultWorkFactor, scrypt = scryptInline } = recipients;
    if (passphrase === '') throw invalid('The passphrase is empty.');
    if (!Number.isInteger(workFactor) || workFactor < 1 || workFactor > maxWorkFactor)
      throw invalid(`The scrypt work factor must be 1 to ${maxWorkFactor}.`);
    encrypter.addRecipient(scryptRecipient(passphrase, workFactor, scrypt));
    return encrypter;
  }
  if (recipients.length === 0) throw invalid('A file needs a recipient.');
  const postQuantum = recipients.filter((recipient) => /^age1(tag)?pq1/.test(recipient)).length;
  if (postQuantum !== 0 && postQuantum !== recipients.length)
    throw invalid('Post-quantum and classic recipients never share a file.');
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw invalid('Not an age recipient.', cause);
    }
  }
  return encrypter;
};

/**
 * Opens a binary age file. The caller owns the plaintext and wipes it.
 * @throws KeepsetError `place/damaged` (not an age file, or altered), `wire/unsupported-version` (a later age format),
 * `wire/too-large`, `place/locked` (none of `keys` fits), `input/wrong-passphrase`, `input/malformed` (not an
 * identity), `input/unsupported` (scrypt above {@link maxWorkFactor}), and whatever KeepsetError an identity throws.
 */
export const openAge = async (file: Uint8Array, keys: readonly OpeningKey[]): Promise<Uint8Array> => {
  if (file.length > maxAgeBytes) throw tooLarge();
  checkIntro(file);
  const attempt = new Decrypter();
  const passphrases: ScryptIdentity[] = [];
  for (const key of keys) passphrases.push(...addKey(attempt, key));
  // Asked last: reaching it means that the header was well-formed and nothing fitted.
  let exhausted = false;
  attempt.addIdentity({
    unwrapFileKey: () => {
      exhausted = true;
      return null;
    },
  });
  try {
    return await attempt.decrypt(file);
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    if (!exhausted) throw new KeepsetError('place/damaged', 'The age file is damaged.', { cause });
  }
  if (passphrases.some((identity) => identity.refused()))
    throw new KeepsetError('input/wrong-passphrase', 'The passphrase does not open this file.');
  throw new KeepsetError('place/locked', 'None of the given identities opens this file.', {
    hint: 'Use the identity or the passphrase this copy was made for.',
  });
};

/** Adds one key; returns it again if it is a passphrase. */
const addKey = (attempt: Decrypter, key: OpeningKey): ScryptIdentity[] => {
  if (typeof key === 'string') {
    try {
      attempt.addIdentity(key);
    } catch {
      // No cause: the library's message could quote what it was given.
      throw new KeepsetError('input/malformed', 'Not an age identity.', {
        hint: 'An identity starts with AGE-SECRET-KEY-1.',
      });
    }
    return [];
  }
  if ('unwrapFileKey' in key) {
    attempt.addIdentity(key);
    return [];
  }
  const identity = scryptIdentity(key.passphrase, key.scrypt ?? scryptInline);
  attempt.addIdentity(identity);
  return [identity];
};

const family = utf8ToBytes('age-encryption.org/');
const intro = utf8ToBytes('age-encryption.org/v1\n');

const startsWith = (bytes: Uint8Array, start: Uint8Array): boolean =>
  start.every((byte, i) => bytes[i] === byte);

const checkIntro = (file: Uint8Array): void => {
  if (file.length === 0) throw new KeepsetError('place/damaged', 'The file is empty.');
  if (startsWith(file, intro)) return;
  // `v` and a digit: a damaged version line of v1 is told apart as well as one byte allows.
  const [v, digit, end] = file.subarray(family.length);
  if (
    startsWith(file, family) &&
    v === 0x76 &&
    digit !== undefined &&
    digit > 0x31 &&
    digit <= 0x39 &&
    end === 0x0a
  )
    throw new KeepsetError('wire/unsupported-version', 'A later version of the age format.', {
      hint: 'Update Keepset.',
    });
  throw new KeepsetError('place/damaged', 'Not an age file, or its beginning is damaged.');
};

const tooLarge = (): KeepsetError =>
  new KeepsetError('wire/too-large', `The file is larger than ${maxAgeBytes} bytes.`);

const invalid = (message: string, cause?: unknown): KeepsetError =>
  new KeepsetError('input/invalid-argument', message, cause === undefined ? {} : { cause });

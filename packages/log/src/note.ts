/**
 * Signed notes with Ed25519 keys: text signed by one or more named keys.
 * @spec C2SP signed-note
 */
import {
  KeepsetError,
  bytesEqual,
  concatBytes,
  fromBase64,
  fromHex,
  toBase64,
  toHex,
  utf8ToBytes,
  type Secret,
} from '@keepset/bytes';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';

/** Largest note in UTF-16 units: room for 16 post-quantum signatures, which every verifier must take. */
export const MAX_NOTE_LENGTH: number = 256 * 1024;

/** Most signature lines in a note. */
export const MAX_NOTE_SIGNATURES = 100;

/** Signature type of an Ed25519 key. @spec C2SP signed-note, Signature types */
const ED25519_TYPE = 0x01;

/** A key that verifies notes. Name and id together say which key made a signature. */
export interface NoteKey {
  /** No white space and no `+`; for a log it is the log's origin. */
  readonly name: string;
  /** First 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key). It identifies; it proves nothing. */
  readonly id: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** A key that signs notes. Where the secret lies is the caller's affair. */
export interface NoteSigner {
  readonly key: NoteKey;
  /** Ed25519 signature (64 bytes) of the message itself. */
  sign(message: Uint8Array): Uint8Array;
}

/** One signature line, not verified. */
export interface NoteSignature {
  readonly name: string;
  /** 4 bytes. */
  readonly id: Uint8Array;
  /** Whatever the key's type makes: 64 bytes for Ed25519. */
  readonly signature: Uint8Array;
}

/** A note taken apart. Its text means nothing until a signature was verified. */
export interface ParsedNote {
  /** With its final line break. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A note of which at least one known key's signature was verified. */
export interface OpenedNote {
  readonly text: string;
  /** The known keys that signed, each once, in the order of their lines. */
  readonly signers: readonly NoteKey[];
}

/** Names a public key. @throws KeepsetError `input/invalid-argument` */
export const noteKey = (name: string, publicKey: Uint8Array): NoteKey => {
  if (!isKeyName(name))
    throw new KeepsetError('input/invalid-argument', 'A note key has a name without white space and plus.');
  if (publicKey.length !== 32)
    throw new KeepsetError('input/invalid-argument', 'A note key is an Ed25519 public key of 32 bytes.');
  return { name, id: keyId(name, publicKey), publicKey };
};

/**
 * A signer that holds its seed (32 bytes) in memory. It ends with the seed: once that is wiped, signing throws
 * `abort/state-consumed`.
 * @throws KeepsetError `input/invalid-argument`
 */
export const seedSigner = (name: string, seed: Secret): NoteSigner => {
  if (seed.reveal().length !== 32)
    throw new KeepsetError('input/invalid-argument', 'An Ed25519 seed has 32 bytes.');
  const key = noteKey(name, ed25519.getPublicKey(seed.reveal()));
  return { key, sign: (message) => ed25519.sign(message, seed.reveal()) };
};

/** The key as text, `name+id+key`: what a device is configured with. @spec C2SP signed-note, Verifier keys */
export const printVerifierKey = ({ name, id, publicKey }: NoteKey): string =>
  `${name}+${toHex(id)}+${toBase64(concatBytes(Uint8Array.of(ED25519_TYPE), publicKey))}`;

/**
 * Reads a verifier key and checks its id.
 * @throws KeepsetError `input/malformed`, or `input/unsupported` for another signature type.
 */
export const parseVerifierKey = (text: string): NoteKey => {
  // The base64 part may contain a plus itself.
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text);
  const [, name = '', id = '', encoded = ''] = match ?? [];
  if (match === null || text.length > 1024 || !isKeyName(name))
    throw new KeepsetError('input/malformed', 'Not a verifier key (name+id+key).');
  const material = fromBase64(encoded);
  if (material[0] !== ED25519_TYPE)
    throw new KeepsetError('input/unsupported', 'This verifier key is not an Ed25519 key.');
  const publicKey = material.subarray(1);
  if (publicKey.length !== 32 || !bytesEqual(fromHex(id), keyId(name, publicKey)))
    throw new KeepsetError('input/malformed', 'The verifier key does not match its id.');
  return { name, id: fromHex(id), publicKey };
};

/**
 * Signs a text with every signer, in order.
 * @throws KeepsetError `input/invalid-argument` for a text that cannot be a note's, no signer, or a key twice.
 */
export const signNote = (text: string, signers: readonly NoteSigner[]): string => {
  if (!isNoteText(text))
    throw new KeepsetError('input/invalid-argument', 'A note is lines of text without control characters.');
  if (signers.length === 0 || signers.length > MAX_NOTE_SIGNATURES)
    throw new KeepsetError('input/invalid-argument', `A note has 1 to ${MAX_NOTE_SIGNATURES} signatures.`);
  if (new Set(signers.map(({ key }) => printVerifierKey(key))).size !== signers.length)
    throw new KeepsetError('input/invalid-argument', 'A key signs a note only once.');
  const message = utf8ToBytes(text);
  const lines = signers.map(
    (signer) => `— ${signer.key.name} ${toBase64(concatBytes(signer.key.id, signer.sign(message)))}\n`,
  );
  const note = `${text}\n${lines.join('')}`;
  if (note.length > MAX_NOTE_LENGTH)
    throw new KeepsetError('input/invalid-argument', 'The note is longer than verifiers accept.');
  return note;
};

/**
 * Takes a note apart without verifying anything.
 * @throws KeepsetError `wire/malformed` or `wire/too-large`.
 */
export const parseNote = (note: string): ParsedNote => {
  if (note.length > MAX_NOTE_LENGTH) throw new KeepsetError('wire/too-large', 'The note is too long.');
  if (!isCleanText(note)) throw malformed('It contains characters a note may not contain.');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) throw malformed('It has no block of signatures.');
  const text = note.slice(0, split + 1);
  const lines = note
    .slice(split + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0) throw malformed('It has no signature.');
  if (lines.length > MAX_NOTE_SIGNATURES)
    throw new KeepsetError('wire/too-large', `A note has at most ${MAX_NOTE_SIGNATURES} signatures.`);
  return { text, signatures: lines.map(parseSignatureLine) };
};

/**
 * Verifies a note. Signatures of keys other than `known` are ignored, whatever they are; a wrong signature under
 * a known key's name and id refuses the whole note.
 * @throws KeepsetError `wire/malformed`, `wire/too-large`, or `abort/bad-signature` when a known key's signature
 * is wrong or no known key signed. `input/invalid-argument` if two of `known` share name and id.
 */
export const openNote = (note: string, known: readonly NoteKey[]): OpenedNote => {
  if (new Set(known.map(handle)).size !== known.length)
    throw new KeepsetError('input/invalid-argument', 'Two known keys have the same name and id.');
  const { text, signatures } = parseNote(note);
  const message = utf8ToBytes(text);
  const byHandle = new Map(known.map((key) => [handle(key), key]));
  const signers = new Set<NoteKey>();
  for (const line of signatures) {
    const key = byHandle.get(handle(line));
    if (key === undefined) continue;
    if (!verifyEd25519(line.signature, message, key.publicKey))
      throw new KeepsetError('abort/bad-signature', `The note's signature by ${key.name} is wrong.`, {
        retry: 'never',
      });
    signers.add(key);
  }
  if (signers.size === 0)
    throw new KeepsetError('abort/bad-signature', 'No known key signed the note.', { retry: 'never' });
  return { text, signers: [...signers] };
};

/** Strict RFC 8032 verification: no small-order key, no second encoding of a point or scalar. */
const verifyEd25519 = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean => {
  if (signature.length !== 64) return false;
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
};

const parseSignatureLine = (line: string): NoteSignature => {
  const match = /^— ([^ ]+) ([^ ]+)$/u.exec(line);
  const [, name = '', encoded = ''] = match ?? [];
  if (match === null || !isKeyName(name)) throw malformed('A signature line is malformed.');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(encoded);
  } catch (cause) {
    throw malformed('A signature is not base64.', cause);
  }
  if (bytes.length < 5) throw malformed('A signature is too short.');
  return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) };
};

const keyId = (name: string, publicKey: Uint8Array): Uint8Array =>
  sha256(concatBytes(utf8ToBytes(name), Uint8Array.of(0x0a, ED25519_TYPE), publicKey)).slice(0, 4);

const handle = ({ name, id }: { readonly name: string; readonly id: Uint8Array }): string =>
  `${name}+${toHex(id)}`;

const isKeyName = (name: string): boolean =>
  name !== '' && name.length <= 255 && isCleanText(name) && !/[\p{White_Space}+]/u.test(name);

/** Text to sign: ends with a line break and survives the trip through {@link parseNote}. */
const isNoteText = (text: string): boolean =>
  text.endsWith('\n') && text.length <= MAX_NOTE_LENGTH && isCleanText(text);

/** Well-formed Unicode without ASCII control characters other than the line break. */
const isCleanText = (text: string): boolean =>
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/u.test(text);

const malformed = (what: string, cause?: unknown): KeepsetError =>
  new KeepsetError('wire/malformed', `Not a signed note. ${what}`, cause === undefined ? {} : { cause });

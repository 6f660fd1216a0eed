/**
 * What the commitment server writes into the log. An entry tells everyone that something of a kind happened, and
 * nothing else: tenant, key, session and message stand in it only as salted commitments. Whoever gets the salt can
 * open them, all or one by one. spec/log.md has the exact bytes.
 */
import {
  KeepsetError,
  bytesEqual,
  decodeCbor,
  encodeCbor,
  hashValue,
  utf8ToBytes,
  type CborValue,
} from '@keepset/bytes';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { HASH_LENGTH } from './hashing.ts';
import { isSize } from './store.ts';

/** A kind of entry this version knows. */
export type EntryKind =
  | 'keygen'
  | 'sign'
  | 'open'
  | 'presign'
  | 'refresh'
  | 'repair'
  | 'reshare'
  | 'freeze'
  | 'unfreeze'
  | 'revoke'
  | 'drill'
  | 'export';

/** The fields every entry of a kind must commit to. Kinds and fields are added, never renamed. */
export const entryKinds: Readonly<Record<EntryKind, readonly string[]>> = {
  keygen: ['tenant', 'key', 'session'],
  sign: ['tenant', 'key', 'session', 'message'],
  open: ['tenant', 'key', 'session', 'message'],
  presign: ['tenant', 'key', 'session'],
  refresh: ['tenant', 'key', 'session'],
  repair: ['tenant', 'key', 'session'],
  reshare: ['tenant', 'key', 'session'],
  freeze: ['tenant', 'key'],
  unfreeze: ['tenant', 'key'],
  revoke: ['tenant', 'device'],
  drill: ['tenant', 'key', 'session', 'message'],
  export: ['tenant', 'key'],
};

/** What a commitment can be about. */
export type FieldValue = string | number | Uint8Array;

/** The fields of an entry in clear. They never reach the log; `undefined` is as good as absent. */
export type EntryFields = Readonly<Record<string, FieldValue | undefined>>;

/** An entry as everyone reads it. */
export interface LogEntry {
  readonly v: 1;
  /** An {@link EntryKind}, or a later version's. */
  readonly kind: string;
  /** The entry's number in the log, from 0: its leaf index. */
  readonly seq: number;
  /** Seconds since 1970 by the server's clock, which nobody vouches for. */
  readonly at: number;
  /** Field name → commitment of 32 bytes. Names may go beyond those the kind needs. */
  readonly fields: Readonly<Record<string, Uint8Array>>;
}

/** Shows what one field of one entry is about, and nothing about its other fields. */
export interface Opening {
  readonly name: string;
  /** The field's own salt, 32 bytes. */
  readonly salt: Uint8Array;
  readonly value: FieldValue;
}

/** Longest entry the record format makes or reads, in bytes. */
export const MAX_RECORD_LENGTH = 4096;

const MAX_FIELDS = 32;
const SALT_LENGTH = 32;
const namePattern = /^[a-z][a-z0-9-]{0,31}$/u;

/**
 * Builds an entry's bytes. `salt` is 32 fresh random bytes for this entry alone; keep it apart from the log, for
 * without it nobody can tell whose entry this is, and forgetting it makes the entry anonymous for ever.
 * @throws KeepsetError `input/invalid-argument` for an unknown kind, a missing field or a value out of form.
 */
export const sealEntry = (
  about: { readonly kind: EntryKind; readonly seq: number; readonly at: number },
  fields: EntryFields,
  salt: Uint8Array,
): Uint8Array => {
  const given: [string, Uint8Array][] = [];
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) given.push([name, commitmentTo(openField(salt, name, value))]);
  const entry: LogEntry = {
    v: 1,
    kind: about.kind,
    seq: about.seq,
    at: about.at,
    fields: Object.fromEntries(given),
  };
  const wrong = Object.hasOwn(entryKinds, about.kind) ? defectOf(entry) : 'its kind is unknown';
  if (wrong !== undefined) throw new KeepsetError('input/invalid-argument', `Not a log entry: ${wrong}.`);
  return encodeCbor({ ...entry });
};

/**
 * Reads an entry. A kind this version does not know is accepted with whatever fields it has, since it is part of
 * the log all the same; a known kind must have its fields.
 * @throws KeepsetError `wire/too-large`, `wire/malformed`, `wire/not-canonical` or `wire/unsupported-version`.
 */
export const readEntry = (bytes: Uint8Array): LogEntry => {
  if (bytes.length > MAX_RECORD_LENGTH)
    throw new KeepsetError('wire/too-large', 'The log entry is too long.');
  const value = decodeCbor(bytes);
  if (!isMap(value)) throw malformed('it is not a map');
  const { v, kind, seq, at, fields } = value;
  if (typeof v !== 'number') throw malformed('it has no version');
  if (v !== 1)
    throw new KeepsetError('wire/unsupported-version', `Log entries of version ${v} are not known here.`);
  if (Object.keys(value).length !== 5) throw malformed('it has other properties than it should');
  if (typeof kind !== 'string' || typeof seq !== 'number' || typeof at !== 'number' || !isMap(fields))
    throw malformed('a property is of the wrong type');
  const commitments: [string, Uint8Array][] = [];
  for (const [name, commitment] of Object.entries(fields)) {
    if (!(commitment instanceof Uint8Array)) throw malformed('a commitment is not bytes');
    commitments.push([name, commitment]);
  }
  const entry: LogEntry = { v: 1, kind, seq, at, fields: Object.fromEntries(commitments) };
  const wrong = defectOf(entry);
  if (wrong !== undefined) throw malformed(wrong);
  return entry;
};

/**
 * The opening of one field: what to hand over so that someone can check this field and no other.
 * @throws KeepsetError `input/invalid-argument`
 */
export const openField = (entrySalt: Uint8Array, name: string, value: FieldValue): Opening => {
  if (entrySalt.length !== SALT_LENGTH)
    throw new KeepsetError('input/invalid-argument', 'An entry has a salt of 32 bytes.');
  if (!namePattern.test(name)) throw new KeepsetError('input/invalid-argument', 'Not the name of a field.');
  if (!isFieldValue(value))
    throw new KeepsetError(
      'input/invalid-argument',
      'A field is text, bytes or a whole number, of reasonable size.',
    );
  // A field's salt says nothing about the entry's salt or another field's.
  const salt = hmac(sha256, entrySalt, utf8ToBytes(`keepset/log/field-salt/v1/${name}`));
  return { name, salt, value };
};

/** Whether the entry commits to what `opening` shows. False for malformed openings; never throws. */
export const verifyOpening = (entry: LogEntry, opening: Opening): boolean => {
  const { name, salt, value } = opening;
  if (!Object.hasOwn(entry.fields, name) || salt.length !== SALT_LENGTH || !isFieldValue(value)) return false;
  const commitment = entry.fields[name];
  return commitment !== undefined && bytesEqual(commitment, commitmentTo(opening));
};

/**
 * How a device tells that an entry is its own: with the entry's salt it opens every field it knows the value of.
 * True if all of them fit and the kind's own fields are all among them; never throws.
 */
export const isEntryOf = (entry: LogEntry, fields: EntryFields, entrySalt: Uint8Array): boolean => {
  if (entrySalt.length !== SALT_LENGTH) return false;
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  const names = new Set(known.map(([name]) => name));
  if (known.length === 0 || !requiredFields(entry.kind).every((name) => names.has(name))) return false;
  return known.every(
    ([name, value]) =>
      value !== undefined &&
      namePattern.test(name) &&
      isFieldValue(value) &&
      verifyOpening(entry, openField(entrySalt, name, value)),
  );
};

const commitmentTo = ({ name, salt, value }: Opening): Uint8Array =>
  hashValue('keepset/log/commitment/v1', { name, salt, value });

const requiredFields = (kind: string): readonly string[] =>
  Object.hasOwn(entryKinds, kind) ? entryKinds[kind as EntryKind] : [];

/** What is wrong with an entry, if anything is: the one rule for writing and for reading. */
const defectOf = ({ kind, seq, at, fields }: LogEntry): string | undefined => {
  const names = Object.keys(fields);
  if (!namePattern.test(kind)) return 'its kind is malformed';
  if (!isSize(seq) || !isSize(at)) return 'its number or time is malformed';
  if (names.length > MAX_FIELDS || !names.every((name) => namePattern.test(name)))
    return 'its fields are malformed';
  if (!Object.values(fields).every((commitment) => commitment.length === HASH_LENGTH))
    return 'a commitment is not 32 bytes';
  const missing = requiredFields(kind).filter((name) => !names.includes(name));
  return missing.length === 0 ? undefined : `it lacks ${missing.join(', ')}`;
};

/** Values are small: what is large is hashed before it is committed to. */
const isFieldValue = (value: FieldValue): boolean => {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (typeof value === 'string') return value.length <= 1024 && value.isWellFormed();
  return value instanceof Uint8Array && value.length <= 1024;
};

const isMap = (value: CborValue | undefined): value is { readonly [key: string]: CborValue | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const malformed = (what: string): KeepsetError =>
  new KeepsetError('wire/malformed', `Not a log entry: ${what}.`);

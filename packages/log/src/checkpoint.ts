/**
 * Checkpoints: a log's size and root, signed.
 * @spec C2SP tlog-checkpoint
 */
import { KeepsetError, bytesEqual, fromBase64, toBase64 } from '@keepset/bytes';
import { HASH_LENGTH, emptyRoot } from './hashing.ts';
import { openNote, signNote, type NoteKey, type NoteSigner } from './note.ts';
import { isSize } from './store.ts';

/** What a checkpoint says. */
export interface Checkpoint {
  /** Unique name of the log; also the name of its key. */
  readonly origin: string;
  /** Number of entries. */
  readonly size: number;
  /** Root of the RFC 6962 tree over them, 32 bytes. */
  readonly root: Uint8Array;
  /** Opaque further lines. Keepset writes none and gives none a meaning. */
  readonly extensions: readonly string[];
}

/** A checkpoint whose signature was verified. */
export interface OpenedCheckpoint extends Checkpoint {
  /** Known keys other than the log's that signed too. */
  readonly cosigners: readonly NoteKey[];
}

/**
 * Signs a checkpoint with the log's key, whose name becomes the origin, and with `others` after it.
 * The caller promises that it never signs two checkpoints of which neither is a prefix of the other.
 * @throws KeepsetError `input/invalid-argument`
 */
export const signCheckpoint = (
  { size, root }: { readonly size: number; readonly root: Uint8Array },
  log: NoteSigner,
  others: readonly NoteSigner[] = [],
): string => {
  if (!isSize(size) || root.length !== HASH_LENGTH)
    throw new KeepsetError('input/invalid-argument', 'A checkpoint has a size and a root of 32 bytes.');
  if (size === 0 && !bytesEqual(root, emptyRoot()))
    throw new KeepsetError('input/invalid-argument', 'The empty log has another root.');
  return signNote(`${log.key.name}\n${size}\n${toBase64(root)}\n`, [log, ...others]);
};

/**
 * Reads a checkpoint's text, which must already be verified.
 * @throws KeepsetError `wire/malformed`
 */
export const parseCheckpoint = (text: string): Checkpoint => {
  const lines = text.split('\n');
  // A text that ends in a line break leaves one empty piece behind.
  if (lines.pop() !== '' || lines.length < 3 || lines.includes(''))
    throw malformed('a line is missing or empty');
  const [origin = '', digits = '', encoded = '', ...extensions] = lines;
  const size = Number(digits);
  if (!/^(?:0|[1-9][0-9]*)$/u.test(digits) || !isSize(size)) throw malformed('the size is not a number');
  let root: Uint8Array;
  try {
    root = fromBase64(encoded);
  } catch {
    throw malformed('the root is not base64');
  }
  if (root.length !== HASH_LENGTH) throw malformed('the root is not 32 bytes');
  if (size === 0 && !bytesEqual(root, emptyRoot())) throw malformed('the empty log has another root');
  return { origin, size, root, extensions };
};

/**
 * Verifies a signed checkpoint: the log's own key must have signed it under its own name, and the origin must be
 * that name. Of `others` (other keys the caller knows) each may have signed or not, but not wrongly.
 * @throws KeepsetError `wire/malformed`, `wire/too-large` or `abort/bad-signature`.
 */
export const openCheckpoint = (
  note: string,
  log: NoteKey,
  others: readonly NoteKey[] = [],
): OpenedCheckpoint => {
  const { text, signers } = openNote(note, [log, ...others]);
  if (!signers.includes(log))
    throw new KeepsetError('abort/bad-signature', 'The log itself did not sign this checkpoint.', {
      retry: 'never',
    });
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== log.name)
    throw new KeepsetError('abort/bad-signature', 'The checkpoint is of another log.', { retry: 'never' });
  return { ...checkpoint, cosigners: signers.filter((key) => key !== log) };
};

const malformed = (what: string): KeepsetError =>
  new KeepsetError('wire/malformed', `Not a checkpoint: ${what}.`);

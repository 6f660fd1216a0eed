/**
 * Offline proof that an entry is in the log: index, inclusion proof and signed checkpoint in one text file.
 * @spec C2SP tlog-proof
 */
import { KeepsetError, fromBase64, toBase64 } from '@keepset/bytes';
import { openCheckpoint, type OpenedCheckpoint } from './checkpoint.ts';
import { HASH_LENGTH, leafHash } from './hashing.ts';
import { MAX_NOTE_LENGTH, type NoteKey } from './note.ts';
import { verifyInclusion, type Proof } from './proof.ts';
import { isSize } from './store.ts';

/** First line of the format. */
const HEADER = 'c2sp.org/tlog-proof@v1';

/** Most bytes of `extra`: an entry of the largest size fits. */
export const MAX_EXTRA_LENGTH = 65_535;

/** More hashes than any tree of safe-integer size needs. */
const MAX_PROOF_HASHES = 64;

const MAX_BUNDLE_LENGTH = MAX_NOTE_LENGTH + 2 * MAX_EXTRA_LENGTH;

/** The parts of a proof file. */
export interface ProofBundle {
  /** Opaque and not authenticated. Keepset puts the entry's bytes here, so that the file stands alone. */
  readonly extra?: Uint8Array;
  /** Number of the entry in the log, from 0. */
  readonly index: number;
  readonly proof: Proof;
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
}

/** Writes a proof file. @throws KeepsetError `input/invalid-argument` */
export const printProofBundle = ({ extra, index, proof, checkpoint }: ProofBundle): string => {
  if (
    !isSize(index) ||
    proof.length > MAX_PROOF_HASHES ||
    proof.some((hash) => hash.length !== HASH_LENGTH) ||
    (extra !== undefined && (extra.length === 0 || extra.length > MAX_EXTRA_LENGTH)) ||
    checkpoint.length > MAX_NOTE_LENGTH
  )
    throw new KeepsetError('input/invalid-argument', 'These parts do not make a log proof.');
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(toBase64),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
};

/** Reads a proof file without verifying anything. @throws KeepsetError `wire/malformed` or `wire/too-large` */
export const parseProofBundle = (text: string): ProofBundle => {
  if (text.length > MAX_BUNDLE_LENGTH) throw new KeepsetError('wire/too-large', 'The log proof is too long.');
  const split = text.indexOf('\n\n');
  if (split < 0) throw malformed('it has no checkpoint');
  const [header, ...lines] = text.slice(0, split).split('\n');
  if (header !== HEADER) throw malformed(`its first line is not ${HEADER}`);

  let extra: Uint8Array | undefined;
  if (lines[0]?.startsWith('extra ') === true) extra = base64Of(lines.shift()?.slice(6) ?? '');
  if (extra?.length === 0) throw malformed('its extra data is empty');
  if (extra !== undefined && extra.length > MAX_EXTRA_LENGTH)
    throw new KeepsetError('wire/too-large', "The log proof's extra data is too long.");

  const digits = /^index (0|[1-9][0-9]*)$/u.exec(lines.shift() ?? '')?.[1];
  const index = Number(digits);
  if (digits === undefined || !isSize(index)) throw malformed('its index is missing or not a number');
  if (lines.length > MAX_PROOF_HASHES) throw malformed('it has too many hashes');
  const proof = lines.map(base64Of);
  if (proof.some((hash) => hash.length !== HASH_LENGTH)) throw malformed('a hash is not 32 bytes');
  return { ...(extra === undefined ? {} : { extra }), index, proof, checkpoint: text.slice(split + 2) };
};

/** What a verified proof file establishes. */
export interface ProvenEntry {
  readonly index: number;
  readonly checkpoint: OpenedCheckpoint;
}

/**
 * Verifies that `entry` is in the log of key `log`, as the proof file says. `entry` may come from the file's own
 * `extra`: the proof is what makes it true. `others` are further known keys, as in `openCheckpoint`.
 * It shows what the log once signed; whether the log still grows from there, only `verifyGrowth` shows.
 * @throws KeepsetError `wire/malformed`, `wire/too-large`, `abort/bad-signature`, or `abort/bad-proof`.
 */
export const verifyProofBundle = (
  bundle: ProofBundle,
  entry: Uint8Array,
  log: NoteKey,
  others: readonly NoteKey[] = [],
): ProvenEntry => {
  const { index, proof } = bundle;
  const checkpoint = openCheckpoint(bundle.checkpoint, log, others);
  if (!verifyInclusion(proof, index, leafHash(entry), checkpoint.size, checkpoint.root))
    throw new KeepsetError('abort/bad-proof', 'The proof does not show that this entry is in the log.', {
      retry: 'never',
    });
  return { index, checkpoint };
};

const base64Of = (text: string): Uint8Array => {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new KeepsetError('wire/malformed', 'Not a log proof: a line is not base64.', { cause });
  }
};

const malformed = (what: string): KeepsetError =>
  new KeepsetError('wire/malformed', `Not a log proof: ${what}.`);

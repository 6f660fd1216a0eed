/**
 * How far a copy has been tested. A copy rises only by what was seen of it, one step on top of the other; the passing of
 * time, a reminder that was put off and the mere existence of a file prove nothing.
 * @spec spec/health.md §1
 */
import type { PlaceKind } from '../properties.ts';

/** Where a copy lies. `folder`: a plain folder, such as one that a cloud drive synchronises. */
export type CopyKind = Exclude<PlaceKind, 'memory'> | 'folder';

/** The steps, lowest first. */
export const proofs = ['never written', 'written', 'read back', 'decrypted', 'recovery proven'] as const;
/** One of {@link proofs}. */
export type Proof = (typeof proofs)[number];

/** When each step was last seen to be true of one copy, as UTC instants; what was never seen is absent. */
export interface CopyEvidence {
  readonly writtenAt?: string;
  readonly readBackAt?: string;
  readonly openedAt?: string;
  readonly provenAt?: string;
}

/**
 * What was seen of a copy.
 * - `written`: the writer came to its end.
 * - `read`: the bytes are those that were written. `afresh`: the medium was away in between, so that they came from it
 *   and not from memory.
 * - `opened`: the owner's code opened it, and the share inside fits the key's public data. A code that the program still
 *   had in memory proves nothing of the code that the owner keeps: that is a `read`.
 * - `proven`: a drill, or a recovery, made a signature with the share from this copy.
 * - `reminded`: somebody was told to test it, and did not.
 */
export type Observation =
  | { readonly kind: 'written' | 'opened' | 'proven' | 'reminded' }
  | { readonly kind: 'read'; readonly afresh: boolean };

/** Places where a read soon after the write may come from memory: only one after the medium was away counts. */
const deceptive: readonly CopyKind[] = ['usb'];

/**
 * The evidence with an observation added. Evidence is never taken away: a later and worse finding shows in what is said
 * of the copy today, see `copyState`.
 * @param at UTC instant of the observation.
 */
export const observe = (
  kind: CopyKind,
  evidence: CopyEvidence,
  observation: Observation,
  at: string,
): CopyEvidence => {
  const { kind: what } = observation;
  if (what === 'reminded') return evidence;
  if (what === 'written') return { ...evidence, writtenAt: later(evidence.writtenAt, at) };
  if (what === 'read') return readOf(kind, evidence, at, observation.afresh);
  const opened = { ...readOf(kind, evidence, at), openedAt: later(evidence.openedAt, at) };
  return what === 'opened' ? opened : { ...opened, provenAt: later(evidence.provenAt, at) };
};

/** The highest step all of whose predecessors were seen too. */
export const proofOf = ({ writtenAt, readBackAt, openedAt, provenAt }: CopyEvidence): Proof => {
  const seen = [writtenAt, readBackAt, openedAt, provenAt];
  const missing = seen.indexOf(undefined);
  return proofs[missing === -1 ? seen.length : missing] ?? 'never written';
};

/** What was read was written; whether it came from the medium is another question. */
const readOf = (kind: CopyKind, evidence: CopyEvidence, at: string, afresh = false): CopyEvidence => ({
  ...evidence,
  writtenAt: evidence.writtenAt ?? at,
  ...(afresh || !deceptive.includes(kind) ? { readBackAt: later(evidence.readBackAt, at) } : {}),
});

const later = (before: string | undefined, at: string): string =>
  before !== undefined && Date.parse(before) >= Date.parse(at) ? before : at;

/**
 * What can be said of a copy today: how far it was tested, whether it is still current, and whether it can be reached.
 * @spec spec/health.md §2
 */
import { proofOf, type CopyEvidence, type CopyKind, type Proof } from './evidence.ts';

/** Which share a copy holds. */
export interface Sharing {
  readonly epoch: number;
  /**
   * Generation of the device's own copy that it was made from: at the same epoch a repair changes what a share holds
   * beside its secret. Absent where that was not noted.
   */
  readonly source?: number;
}

/** What is remembered of a copy. */
export interface CopyRecord extends CopyEvidence, Sharing {
  /** Unique among the copies of a share. */
  readonly id: string;
  readonly kind: CopyKind;
  /**
   * What it is lost together with, as the analyser names it: `device:…`, `location:…`, `account:…`. A device, its
   * keyring and a backup that the same passcode opens are one.
   */
  readonly domain: string;
  readonly generation: number;
  /** UTC instant at which its owner said that it is lost. */
  readonly lostAt?: string;
}

/**
 * What a look at the place just now has shown.
 * - `intact`: it holds what was written to it.
 * - `unreachable`: the medium is not there. That is no loss.
 * - `damaged`: the place is there, and the copy is not as it was written, or gone.
 * - `unseen`: it cannot be looked at from here, such as paper. With a reason: the place was written anew by others since
 *   the copy in it was tested.
 */
export type Reach =
  | { readonly status: 'intact' }
  | { readonly status: 'unseen'; readonly reason?: string }
  | { readonly status: 'unreachable' | 'damaged'; readonly reason: string };

/** The whole state of a copy. */
export interface CopyState extends CopyRecord {
  readonly proof: Proof;
  /** When its proof was last given; absent for a copy that was never written. */
  readonly provedAt?: string;
  /** Why it is not current. */
  readonly stale?: 'epoch' | 'generation';
  readonly reach: Reach;
  /** Its proof is so old, or dated so far in the future, that it should be given again. */
  readonly due: boolean;
  /** Whether it counts towards the protection of the key. */
  readonly counts: boolean;
}

/** After so many days a proof should be given again. Cells of a stick without power hold their charge for years, not for ever. */
export const dueAfterDays: Readonly<Record<CopyKind, number>> = {
  file: 365,
  folder: 365,
  keyring: 365,
  usb: 180,
  'printed-kit': 365,
  'finder-backup': 180,
  passkey: 365,
  'secure-enclave': 365,
  'icloud-keychain': 365,
  'protected-file': 365,
};

/**
 * @param current the share as the device holds it now.
 * @param now UTC instant.
 */
export const copyState = (record: CopyRecord, current: Sharing, reach: Reach, now: string): CopyState => {
  const proof = proofOf(record);
  const provedAt = dateOf(record, proof);
  const stale = staleness(record, current);
  const isTested = proof === 'decrypted' || proof === 'recovery proven';
  return {
    ...record,
    proof,
    ...(provedAt === undefined ? {} : { provedAt }),
    ...(stale === undefined ? {} : { stale }),
    reach,
    due: provedAt !== undefined && isDue(record.kind, provedAt, now),
    counts: isTested && stale === undefined && mayBeAsTested(reach) && record.lostAt === undefined,
  };
};

/** A medium that is away, and paper, stay as they are; what others wrote over does not. */
const mayBeAsTested = (reach: Reach): boolean =>
  reach.status !== 'damaged' && !(reach.status === 'unseen' && reach.reason !== undefined);

/** A copy of a later epoch than the device holds is the device's fault, not the copy's. */
const staleness = (copy: Sharing, current: Sharing): CopyState['stale'] => {
  if (copy.epoch !== current.epoch) return copy.epoch < current.epoch ? 'epoch' : undefined;
  const isOlder = copy.source !== undefined && current.source !== undefined && copy.source < current.source;
  return isOlder ? 'generation' : undefined;
};

const dateOf = (evidence: CopyEvidence, proof: Proof): string | undefined =>
  ({
    'never written': undefined,
    written: evidence.writtenAt,
    'read back': evidence.readBackAt,
    decrypted: evidence.openedAt,
    'recovery proven': evidence.provenAt,
  })[proof];

const dayInMs = 86_400_000;

/** A date ahead of the clock by more than a day proves that one of the two is wrong. */
const isDue = (kind: CopyKind, provedAt: string, now: string): boolean => {
  const age = Date.parse(now) - Date.parse(provedAt);
  return !(age >= -dayInMs && age <= dueAfterDays[kind] * dayInMs);
};

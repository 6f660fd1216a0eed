import { KeepsetError } from '@keepset/bytes';
import {
  isEntryOf,
  leafHash,
  openCheckpoint,
  parseVerifierKey,
  readEntry,
  verifyGrowth,
  verifyInclusion,
  type NoteKey,
} from '@keepset/log';
import type { LogEvidence, LogHead } from '@keepset/wire';
import { entryFieldsOf, type LoggedAct } from '../act.ts';
import type { DeviceParty } from './ports.ts';

/**
 * Accepts the end of a session only with proof that Party 1 wrote this very act into a log that still contains everything
 * this device has seen of it, and pins the log's new head.
 *
 * @param head the head that was sent with the request.
 * @throws KeepsetError `transport/bad-response` when proof is missing or is about something else, `store/rollback`
 * when the log is shorter than it was, `abort/transcript-mismatch` when it is another log, `abort/bad-signature`
 * when the checkpoint is not signed by the pinned log key.
 */
export const acceptEvidence = async (
  device: DeviceParty,
  evidence: LogEvidence | undefined,
  act: Omit<LoggedAct, 'tenant' | 'device'>,
  head: LogHead | undefined,
): Promise<void> => {
  const key = parseVerifierKey(device.logKey);
  const checked = orUnproven(() =>
    checkEvidence(evidence, key, { ...act, tenant: device.account.tenant }, head),
  );
  try {
    await device.logPin.save(checked);
  } catch (error) {
    // What the place says of itself does not say what became of the act.
    throw error instanceof KeepsetError && error.family === 'place'
      ? withHint(
          error,
          'The server has done it, and proven that; only the note of it failed. Do not start it again.',
        )
      : error;
  }
};

/** @returns the log's new head. */
const checkEvidence = (
  evidence: LogEvidence | undefined,
  key: NoteKey,
  act: Omit<LoggedAct, 'device'>,
  head: LogHead | undefined,
): LogHead => {
  if (evidence === undefined)
    throw new KeepsetError('transport/bad-response', 'The server gave no proof that it logged this act.');
  const checkpoint = openCheckpoint(evidence.checkpoint, key);
  checkEntry(evidence, act);
  const { size, root } = checkpoint;
  if (!verifyInclusion(evidence.inclusion, evidence.index, leafHash(evidence.record), size, root))
    throw new KeepsetError('transport/bad-response', 'The log entry is not in the signed checkpoint.');
  return verifyGrowth(head, checkpoint, evidence.consistency);
};

/** A server that proves nothing may have done it all the same, whatever is wrong with its proof. */
const orUnproven = <T>(check: () => T): T => {
  try {
    return check();
  } catch (error) {
    throw withHint(
      error,
      'The server has not proven what it did: it may have been done. Do not use this server until its operator has explained it.',
    );
  }
};

/** The error with a further next step. */
const withHint = (error: unknown, hint: string): unknown => {
  if (!(error instanceof KeepsetError)) return error;
  const { code, message, retry } = error;
  return new KeepsetError(code, message, {
    retry,
    hint: error.hint === undefined ? hint : `${hint}\n${error.hint}`,
    cause: error,
  });
};

// Which of the tenant's devices completed a session is for the log to tell; a device may not know it beforehand.
const checkEntry = (evidence: LogEvidence, act: Omit<LoggedAct, 'device'>): void => {
  const entry = readEntry(evidence.record);
  const isOurs =
    entry.kind === act.kind &&
    entry.seq === evidence.index &&
    isEntryOf(entry, entryFieldsOf(act), evidence.salt);
  if (!isOurs) throw new KeepsetError('transport/bad-response', 'The log entry is about something else.');
};

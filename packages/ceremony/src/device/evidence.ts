import { KeepsetError } from '@keepset/bytes';
import {
  isEntryOf,
  leafHash,
  openCheckpoint,
  parseVerifierKey,
  readEntry,
  verifyGrowth,
  verifyInclusion,
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
  if (evidence === undefined)
    throw new KeepsetError('transport/bad-response', 'The server gave no proof that it logged this act.');
  const checkpoint = openCheckpoint(evidence.checkpoint, parseVerifierKey(device.logKey));
  checkEntry(evidence, { ...act, tenant: device.account.tenant });
  const { size, root } = checkpoint;
  if (!verifyInclusion(evidence.inclusion, evidence.index, leafHash(evidence.record), size, root))
    throw new KeepsetError('transport/bad-response', 'The log entry is not in the signed checkpoint.');
  await device.logPin.save(verifyGrowth(head, checkpoint, evidence.consistency));
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

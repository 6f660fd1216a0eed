import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { OpenedCheckpoint } from './checkpoint.ts';
import { verifyConsistency, type Proof } from './proof.ts';

/** What a device remembers of a log between two meetings. Keep the signed checkpoint too: it is evidence. */
export interface Pin {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/**
 * The device's rule: a log only grows. Returns what to pin from now on; store it durably before relying on
 * anything the checkpoint vouches for. Without a pin the checkpoint is taken on trust, with an empty proof.
 *
 * The codes tell two things apart. `store/rollback`: the log is smaller than it was, as after a restore from an
 * old backup. `abort/transcript-mismatch`: it is not the log the device knows; another root at the same size, or
 * no proof that the known entries are its beginning. Neither is worth trying again. The first may be a mishap;
 * the second, if the proof was not just damaged on its way, never is.
 * @throws KeepsetError `store/rollback` or `abort/transcript-mismatch`.
 */
export const verifyGrowth = (
  pinned: Pin | undefined,
  checkpoint: Pick<OpenedCheckpoint, 'size' | 'root'>,
  consistencyProof: Proof,
): Pin => {
  const next: Pin = { size: checkpoint.size, root: checkpoint.root };
  if (pinned === undefined) {
    if (consistencyProof.length > 0)
      throw mismatch('There is no earlier checkpoint this proof could be about.');
    return next;
  }
  if (checkpoint.size < pinned.size)
    throw new KeepsetError(
      'store/rollback',
      `The log has ${checkpoint.size} entries; this device has seen ${pinned.size}.`,
      { hint: 'Do not use this server until its operator has explained which entries are missing.' },
    );
  if (checkpoint.size === pinned.size && !bytesEqual(checkpoint.root, pinned.root))
    throw mismatch(`The log shows other contents at size ${pinned.size} than this device has seen.`);
  if (!verifyConsistency(consistencyProof, pinned.size, pinned.root, checkpoint.size, checkpoint.root))
    throw mismatch('The log does not prove that it still contains what this device has seen.');
  return next;
};

const mismatch = (message: string): KeepsetError =>
  new KeepsetError('abort/transcript-mismatch', message, {
    retry: 'never',
    hint: 'Keep both signed checkpoints: together they show that the log was changed.',
  });

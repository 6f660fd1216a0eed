import { toKeepsetError, type KeepsetError } from '@keepset/bytes';
import { acceptEvidence } from './evidence.ts';
import { closePending } from './pending.ts';
import type { DeviceParty, OpenSession } from './ports.ts';

/** What became of a ceremony that was cut off. */
export interface SettledSession {
  readonly kind: OpenSession['kind'];
  readonly keyId: string;
  /**
   * `completed`: both sides hold the key, and it can be used. `void`: neither does, and it never will be.
   * `undecided`: the server could not be asked; nothing was changed.
   */
  readonly outcome: 'completed' | 'void' | 'undecided';
  /** Why it is undecided. */
  readonly error?: KeepsetError;
}

/** A server that answers byte by byte does not keep a command from going on. */
const settleWithinMs = 20_000;

/**
 * Settles every ceremony this device does not know the end of: asks the server, then promotes or destroys the
 * pending share. Call it before using the vault. Safe to repeat and to be killed at any point.
 */
export const settleOpenSessions = async (device: DeviceParty): Promise<readonly SettledSession[]> => {
  const settled: SettledSession[] = [];
  for (const entry of await device.journal.list()) {
    const { session, kind, keyId, epoch } = entry;
    try {
      const head = await device.logPin.load();
      const { state, evidence } = await device.transport.resolve(
        session,
        head === undefined ? {} : { head },
        settleWithinMs,
      );
      // The server's word alone does not retire a share: the act must be in its log.
      if (state === 'committed')
        await acceptEvidence(device, evidence, { kind, session, keyId, epoch }, head);
      await closePending(device, entry, state);
      settled.push({ kind, keyId, outcome: state === 'committed' ? 'completed' : 'void' });
    } catch (error) {
      settled.push({ kind, keyId, outcome: 'undecided', error: toKeepsetError(error) });
    }
  }
  return settled;
};

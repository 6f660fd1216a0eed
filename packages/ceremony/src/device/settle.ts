import { toKeepsetError, type KeepsetError } from '@keepset/bytes';
import { acceptEvidence } from './evidence.ts';
import { isRival } from './keygen.ts';
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
      const { state, evidence } = await device.transport.resolve(session, head === undefined ? {} : { head });
      if (state === 'committed') {
        // The server's word alone does not replace a share: the act must be in its log.
        await acceptEvidence(device, evidence, { kind, session, keyId, epoch }, head);
        await device.vault.promote(keyId, epoch);
      } else if (!(await device.journal.list()).some((other) => isRival(entry, other))) {
        // Where another session is open, the pending share is that one's, or goes with it.
        await device.vault.discard(keyId, epoch);
      }
      await device.journal.remove(session);
      settled.push({ kind, keyId, outcome: state === 'committed' ? 'completed' : 'void' });
    } catch (error) {
      settled.push({ kind, keyId, outcome: 'undecided', error: toKeepsetError(error) });
    }
  }
  return settled;
};

/** Open sessions and the shares they left pending: noted, held and ended so that a crash at any point can be settled. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/threshold';
import type { DeviceParty, OpenSession } from './ports.ts';

/**
 * Notes a session whose outcome is about to be out of this device's hands, and makes the share it led to durable. Call
 * it before anything is sent that could make the session final.
 *
 * @param share none where the session leaves this device without one.
 * @throws KeepsetError `store/conflict` while another session may still make a share of the same key and epoch final:
 * there is room for one pending share, and it must be the one that the server commits.
 */
export const openPending = (device: DeviceParty, entry: OpenSession, share?: KeyShare): Promise<void> =>
  device.exclusively(async () => {
    if (await hasRival(device, entry))
      throw new KeepsetError(
        'store/conflict',
        `Another ceremony with key ${entry.keyId} is still open here.`,
        {
          hint: 'Let it end first. If it was cut off, any command that reaches the server settles it.',
        },
      );
    // The journal first: a pending share that no journal entry explains would never be settled.
    await device.journal.add(entry);
    if (share !== undefined) await device.vault.putPending(share);
  });

/**
 * Ends an open session as the server has ended it: the pending share becomes the current one, or is destroyed. Does nothing where another process of this device has done so already.
 */
export const closePending = (
  device: DeviceParty,
  entry: OpenSession,
  outcome: 'committed' | 'void',
): Promise<void> =>
  device.exclusively(async () => {
    const { session, keyId, epoch, leaves = false } = entry;
    const isOpen = (await device.journal.list()).some((each) => bytesEqual(each.session, session));
    if (!isOpen) return;
    if (outcome === 'committed') {
      // Shares of earlier epochs stay until whoever keeps copies of them elsewhere has rewritten those and retires them.
      await (leaves ? device.vault.retire(keyId, epoch) : device.vault.promote(keyId, epoch));
    } else if (!leaves && !(await hasRival(device, entry))) {
      // Where another session is open, the pending share is that one's, or goes with it.
      await device.vault.discard(keyId, epoch);
    }
    await device.journal.remove(session);
  });

/** Whether another session's pending share would lie in the same place. */
const hasRival = async (device: DeviceParty, { session, keyId, epoch }: OpenSession): Promise<boolean> =>
  (await device.journal.list()).some(
    (other) => other.keyId === keyId && other.epoch === epoch && !bytesEqual(other.session, session),
  );

/** Bringing a share back onto this device, and making any other copy of it worth nothing by itself. */
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import { runRefresh, runReshare, type Approved, type GroupKey, type KeyShare } from '@keepset/ceremony';
import { orSettle, type OpenDevice } from '../home/device.ts';
import type { HomePaths } from '../home/paths.ts';
import { groupPrompts } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { checkAgainstServer } from './check.ts';
import { saveRecord, type RecoveryRecord } from './record.ts';

/**
 * Puts a share from a copy into this device's vault, sealed to this device, if the server can work with it.
 * May be repeated: until the record is there nothing has happened, afterwards the same share is put there again.
 * @param recovery what is noted until the shares are refreshed; undefined for a share that was only parked.
 * @param compare whatever else has to be right, once the epoch is
 * @throws KeepsetError as {@link checkAgainstServer}; `place/exists` if the device has its share,
 * `place/foreign` for the share of another party.
 */
export const restoreShare = async (
  { device, account }: OpenDevice,
  paths: HomePaths,
  share: KeyShare,
  recovery: Pick<RecoveryRecord, 'cause' | 'from'> | undefined,
  compare: () => Promise<void> = () => Promise.resolve(),
): Promise<void> => {
  const { keyId, epoch } = share.group;
  if (share.party !== account.party)
    throw new KeepsetError(
      'place/foreign',
      `This is ${share.party}’s share; the device in ${paths.root} is ${account.party}.`,
      { hint: `Recover it in a folder of its own: --home DIR --invite URL. It becomes ${share.party} then.` },
    );
  checkAgainstServer(share, await device.transport.keys(), device.serverParty);
  await compare();
  await refuseHealthy(device, keyId, epoch);
  if (recovery !== undefined) await saveRecord(paths, { keyId, epoch, ...recovery });
  await device.vault.putPending(share);
  await device.vault.promote(keyId, epoch);
  await device.vault.retire(keyId, epoch);
};

const refuseHealthy = async (device: OpenDevice['device'], keyId: string, epoch: number): Promise<void> => {
  if (!(await device.vault.list()).includes(keyId)) return;
  try {
    const { group, secret } = await device.vault.open(keyId);
    secret.wipe();
    if (group.epoch < epoch) return;
  } catch (thrown) {
    // A copy that cannot be read is what recovery is for.
    if (toKeepsetError(thrown).code === 'bug/invariant') throw thrown;
    return;
  }
  throw new KeepsetError('place/exists', `This device holds its share of key ${keyId} already.`, {
    hint: 'There is nothing to recover. `keepset recover` without --from goes on with a recovery that was cut off; `keepset refresh` makes a stolen copy worthless.',
  });
};

/** How a single old copy becomes worthless: new shares for the same parties, or for those of another policy. */
export interface Ending {
  /** A policy without the parties that are gone. */
  readonly reshareTo: string | undefined;
  readonly approved: Approved;
}

/**
 * Gives all parties new shares. Devices that hold one are asked to join.
 * @throws KeepsetError of the ceremony.
 */
export const retireOldShares = (
  { device }: OpenDevice,
  terminal: Terminal,
  keyId: string,
  { reshareTo, approved }: Ending,
): Promise<GroupKey> =>
  orSettle(device, terminal, () =>
    reshareTo === undefined
      ? runRefresh(device, keyId, groupPrompts(terminal), approved)
      : runReshare(device, keyId, reshareTo, groupPrompts(terminal), approved),
  );

/** Bringing a share back onto this device, and making any other copy of it worth nothing by itself. */
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import { runRefresh, runReshare, type Approved, type GroupKey } from '@keepset/ceremony';
import type { KeySummary } from '@keepset/wire';
import { orSettle, type OpenDevice } from '../home/device.ts';
import type { HomePaths } from '../home/paths.ts';
import { adoptKit } from '../places/adopt.ts';
import { groupPrompts } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { checkAgainstServer } from './check.ts';
import { saveRecord, type RecoveryRecord } from './record.ts';
import type { OpenedCopy } from './source.ts';

/**
 * Puts a share from a copy into this device's vault, sealed to this device, if the server can work with it; a kit that it
 * came from is one of this device from then on. May be cut off and repeated: the share comes last.
 * @param recovery what is noted until the shares are refreshed; undefined for a share that was only parked: then it may
 * be back already.
 * @param compare whatever else has to be right, once the epoch is
 * @throws KeepsetError as {@link checkAgainstServer}; `place/exists` if the device has its share,
 * `place/foreign` for the share of another party.
 */
export const restoreShare = async (
  { device, account }: OpenDevice,
  paths: HomePaths,
  { opened, kit, passkey }: Pick<OpenedCopy, 'opened' | 'kit' | 'passkey'>,
  recovery: Pick<RecoveryRecord, 'cause' | 'from'> | undefined,
  compare: () => Promise<void> = () => Promise.resolve(),
): Promise<void> => {
  const { share } = opened;
  const { keyId, epoch } = share.group;
  if (share.party !== account.party)
    throw new KeepsetError(
      'place/foreign',
      `This is ${share.party}’s share; the device in ${paths.root} is ${account.party}.`,
      { hint: `Recover it in a folder of its own: --home DIR --invite URL. It becomes ${share.party} then.` },
    );
  const keys = await device.transport.keys();
  // Before the copy is compared: the device may have new shares since, and this is where it was cut off.
  if (await isThere(device, share.group, keys)) {
    if (recovery === undefined) return;
    throw hasShare(keyId);
  }
  checkAgainstServer(share, keys, device.serverParty);
  await compare();
  if (recovery !== undefined) await saveRecord(paths, { keyId, epoch, ...recovery });
  if (kit !== undefined) await adoptKit(paths, kit, opened, passkey);
  await device.vault.putPending(share);
  await device.vault.promote(keyId, epoch);
  await device.vault.retire(keyId, epoch);
};

/** Whether the device holds a share of the key that is no older than the copy, and than what the server knows. */
const isThere = async (
  { vault }: OpenDevice['device'],
  { keyId, epoch }: GroupKey,
  keys: readonly KeySummary[],
): Promise<boolean> => {
  if (!(await vault.list()).includes(keyId)) return false;
  try {
    const { group, secret } = await vault.open(keyId);
    secret.wipe();
    return group.epoch >= Math.max(epoch, keys.find((key) => key.keyId === keyId)?.epoch ?? 0);
  } catch (thrown) {
    // A copy that cannot be read is what recovery is for.
    if (toKeepsetError(thrown).code === 'bug/invariant') throw thrown;
    return false;
  }
};

const hasShare = (keyId: string): KeepsetError =>
  new KeepsetError('place/exists', `This device holds its share of key ${keyId} already.`, {
    hint: 'There is nothing to recover. `keepset recover` without --from goes on with a recovery that was cut off; `keepset refresh` makes a stolen copy worthless.',
  });

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

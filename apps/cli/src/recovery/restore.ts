/** Bringing a share back onto this device, and making any other copy of it worth nothing by itself. */
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import { runRefresh, runReshare, type Approved, type GroupKey } from '@keepset/ceremony';
import { orSettle, type OpenDevice } from '../home/device.ts';
import type { HomePaths } from '../home/paths.ts';
import { adoptedKit, withSource } from '../places/adopt.ts';
import type { AgainstServer } from '../places/kits-at-server.ts';
import { saveKit } from '../places/ledger.ts';
import { isOther } from '../places/other-share.ts';
import { groupPrompts } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { checkAgainstServer } from './check.ts';
import {
  broughtBy,
  hasBrought,
  loadRecord,
  saveRecord,
  type RecoveryRecord,
} from '../home/recovery-record.ts';
import type { OpenedCopy } from './source.ts';

/**
 * Puts a share from a copy into this device's vault, sealed to this device, if the server can work with it; a kit that it
 * came from is one of this device from then on. May be cut off and repeated: the share comes last.
 * @param recovery what is noted until the shares are refreshed; undefined for a share that was only parked: then it may
 * be back already.
 * @param compare whatever else has to be right, once the epoch is; how the copy compares with what the server was told
 * @throws KeepsetError as {@link checkAgainstServer} and {@link adoptedKit}; `place/exists` if the device has its share,
 * `place/foreign` for the share of another party, `store/conflict` while a ceremony about the same epoch is undecided.
 */
export const restoreShare = async (
  { device, account }: OpenDevice,
  paths: HomePaths,
  { opened, kit, passkey }: Pick<OpenedCopy, 'opened' | 'kit' | 'passkey'>,
  recovery: Pick<RecoveryRecord, 'cause' | 'from'> | undefined,
  compare: () => Promise<AgainstServer | undefined>,
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
  const own = await ownGroup(device, keyId);
  const isCurrent =
    own !== undefined && own.epoch >= Math.max(epoch, keys.find((key) => key.keyId === keyId)?.epoch ?? 0);
  if (isCurrent && isOther(own, share.group)) {
    // Nothing is lost by trying another copy where the share that is there came from one as well, not long ago.
    if (recovery === undefined || !hasBrought(await loadRecord(paths, keyId), own)) throw hasOther(own);
  } else if (isCurrent) {
    if (recovery === undefined) return;
    throw hasShare(keyId);
  }
  checkAgainstServer(share, keys, device.serverParty);
  const server = await compare();
  await device.exclusively(async () => {
    await refuseUndecided(device, share.group);
    const adopted = kit === undefined ? undefined : await adoptedKit(paths, kit, opened, passkey, server);
    if (recovery !== undefined)
      await saveRecord(paths, { keyId, epoch, ...recovery, ...(await broughtBy(paths, own, share.group)) });
    const generation = await device.vault.putPending(share);
    if (adopted !== undefined && kit !== undefined)
      await saveKit(paths, withSource(adopted, kit.sha256, generation));
    await device.vault.promote(keyId, epoch);
    await device.vault.retire(keyId, epoch);
  });
};

/** The public half of the share that the device has; undefined where there is none, or none that can be read. */
export const ownGroup = async (
  { vault }: OpenDevice['device'],
  keyId: string,
): Promise<GroupKey | undefined> => {
  if (!(await vault.list()).includes(keyId)) return undefined;
  try {
    const { group, secret } = await vault.open(keyId);
    secret.wipe();
    return group;
  } catch (thrown) {
    // A copy that cannot be read is what recovery is for.
    if (toKeepsetError(thrown).code === 'bug/invariant') throw thrown;
    return undefined;
  }
};

const hasOther = ({ keyId, epoch }: GroupKey): KeepsetError =>
  new KeepsetError(
    'place/exists',
    `This device holds another share of key ${keyId} at epoch ${epoch}; one of the two is wrong.`,
    {
      hint: 'It stays. To find out which is right put the copy into a folder of its own: --home DIR --invite URL.',
    },
  );

const refuseUndecided = async (
  { journal }: OpenDevice['device'],
  { keyId, epoch }: GroupKey,
): Promise<void> => {
  const open = (await journal.list()).find((entry) => entry.keyId === keyId && entry.epoch === epoch);
  if (open === undefined) return;
  throw new KeepsetError('store/conflict', `A ${open.kind} of key ${keyId} is not decided yet.`, {
    hint: 'The next command that reaches the server settles it (`keepset keys`). Then run this again.',
  });
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

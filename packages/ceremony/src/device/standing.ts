/**
 * What can be done with a key when its server is gone, is another one, or was restored from a backup. Nothing here changes
 * a share: `runReshare` with `adopt` does, once it is clear that it can.
 */
import { isQuorum } from '@keepset/access';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { openCheckpoint, parseVerifierKey } from '@keepset/log';
import { readSharing, type GroupKey } from '@keepset/threshold';
import type { LogHead } from '@keepset/wire';
import { printLogHead } from '../head.ts';
import type { DeviceParty } from './ports.ts';

/** How the server stands with a key, compared to this device. */
export interface ServerStanding {
  /**
   * `current`: key and log are as this device knows them; go on.
   * `log-behind`: the same epoch, but the log lacks entries. {@link acceptRestoredLog}, then refresh.
   * `adopt`: the server does not know the key, or only an earlier epoch. The devices are a quorum without it:
   * `runReshare` with `adopt`. Where the log is behind too, {@link acceptRestoredLog} comes first.
   * `lost`: as `adopt`, but there is no quorum without the server. `reason` says why.
   * `device-behind`: the server is further; this device's share is an old one. Repair this device from another.
   */
  readonly verdict: 'current' | 'log-behind' | 'adopt' | 'lost' | 'device-behind';
  /** In a sentence, for people. */
  readonly reason: string;
  readonly epoch: number;
  /** Missing where the server does not know the key. */
  readonly serverEpoch?: number;
  readonly frozen: boolean;
  /** Whether the log is seen to lack what this device has pinned. A longer log may still: then steps say so. */
  readonly isLogBehind: boolean;
}

/**
 * Compares the share on this device with what its present server knows of the key.
 * @throws KeepsetError `input/unknown-key`, of family `transport/`, or `abort/bad-signature` for a log of another key
 */
export const judgeServer = async (device: DeviceParty, keyId: string): Promise<ServerStanding> => {
  const share = await device.vault.open(keyId);
  share.secret.wipe();
  const { group } = share;
  const row = (await device.transport.keys()).find((key) => key.keyId === keyId);
  const [pinned, offered] = [await device.logPin.load(), await offeredHead(device)];
  const isLogBehind = pinned !== undefined && lacks(offered, pinned);
  const about = {
    epoch: group.epoch,
    isLogBehind,
    frozen: row?.state === 'frozen',
    ...(row === undefined ? {} : { serverEpoch: row.epoch }),
  };
  if (row !== undefined && row.epoch > group.epoch)
    return {
      ...about,
      verdict: 'device-behind',
      reason: `The server is at epoch ${row.epoch}; this device’s share is of epoch ${group.epoch}.`,
    };
  if (row === undefined || row.epoch < group.epoch) {
    const what =
      row === undefined
        ? `This server does not know key ${keyId}`
        : `This server is at epoch ${row.epoch}, the devices at ${group.epoch}`;
    return hasQuorumWithout(device.serverParty, group)
      ? { ...about, verdict: 'adopt', reason: `${what}. The devices can give it a share without its help.` }
      : { ...about, verdict: 'lost', reason: `${what}, and ${noQuorumWithout(device.serverParty, group)}` };
  }
  return isLogBehind
    ? {
        ...about,
        verdict: 'log-behind',
        reason: 'The server has the key’s epoch, but its log lacks entries.',
      }
    : { ...about, verdict: 'current', reason: 'Server and device agree.' };
};

/** What a device's owner has to confirm before it believes a log that lacks what the device has seen. */
export interface RestoredLog {
  readonly known: LogHead | undefined;
  readonly offered: LogHead;
  /** The signed checkpoint that offers it: keep it, it is evidence. */
  readonly checkpoint: string;
}

/**
 * Pins the log of a server that was restored from a backup, although it lacks entries this device has seen. What was
 * done in them is forgotten there: signatures made, freezes and revocations too. Refresh the key afterwards.
 *
 * @param vouched what `keepset log-head` prints on the server: its operator's word that this is the log to go on with.
 * @param confirm asks the owner; throws to refuse.
 * @throws KeepsetError `store/rollback` when the server shows another head than the operator vouches for,
 * `abort/bad-signature` when it is not signed by the log key of the enrolment; of family `transport/`
 */
export const acceptRestoredLog = async (
  device: DeviceParty,
  vouched: string,
  confirm: (log: RestoredLog) => Promise<void>,
): Promise<LogHead> => {
  const checkpoint = await device.transport.checkpoint();
  const { size, root } = openCheckpoint(checkpoint, parseVerifierKey(device.logKey));
  const offered = { size, root };
  if (printLogHead(offered) !== vouched)
    throw new KeepsetError(
      'store/rollback',
      `The server shows the log ${printLogHead(offered)}, its operator vouches for ${vouched}.`,
      { hint: 'If it has grown meanwhile, ask for the present head: `keepset log-head` on the server.' },
    );
  await confirm({ known: await device.logPin.load(), offered, checkpoint });
  await device.logPin.replace(offered);
  return offered;
};

/**
 * Refuses where the other parties cannot act without the server.
 * @throws KeepsetError `policy/unsatisfied` with the exact reason
 */
export const requireQuorumWithout = (server: string, group: Pick<GroupKey, 'policy' | 'parties'>): void => {
  if (hasQuorumWithout(server, group)) return;
  throw new KeepsetError('policy/unsatisfied', `It cannot be moved: ${noQuorumWithout(server, group)}`, {
    hint: 'Only the old server’s database together with its key-encryption key, from a backup, bring the key back.',
  });
};

const hasQuorumWithout = (
  server: string,
  { policy, parties }: Pick<GroupKey, 'policy' | 'parties'>,
): boolean =>
  isQuorum(
    readSharing(policy).policy,
    parties.filter((party) => party !== server),
  );

const noQuorumWithout = (server: string, { policy }: Pick<GroupKey, 'policy'>): string =>
  `every quorum of ${policy} needs ${server}. Without the share that ${server} had, nobody can use this key.`;

const offeredHead = async (device: DeviceParty): Promise<LogHead> =>
  openCheckpoint(await device.transport.checkpoint(), parseVerifierKey(device.logKey));

const lacks = (offered: LogHead, pinned: LogHead): boolean =>
  offered.size < pinned.size || (offered.size === pinned.size && !bytesEqual(offered.root, pinned.root));

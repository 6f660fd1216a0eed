/** The end of every recovery: new shares for all parties, so that whatever else exists of the old one is worth nothing beside them. */
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import { runFreeze, type GroupKey } from '@keepset/ceremony';
import type { Invocation, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import { heldKeys } from '../home/own-shares.ts';
import type { HomePaths } from '../home/paths.ts';
import { oldShareLines } from '../policy/old-shares.ts';
import { loadLedger, newestWritten } from '../places/ledger.ts';
import { renewCopies, renewalLines } from '../places/rewrite.ts';
import { loadRecords, removeRecord, type Cause, type RecoveryRecord } from '../home/recovery-record.ts';
import { retireOldShares, type Ending } from './restore.ts';

/** What the end needs to know. */
export interface Begun {
  readonly record: RecoveryRecord;
  /** What the result says of the copy. */
  readonly source?: Readonly<Record<string, unknown>>;
  readonly ending: Ending;
}

export const endingOf = (options: OptionValues): Ending => {
  const approval = textOption(options, 'approval');
  const helpers = (textOption(options, 'with') ?? '').split(',').filter((party) => party !== '');
  return {
    reshareTo: textOption(options, 'reshare-to'),
    approved: { helpers, ...(approval === undefined ? {} : { approval }) },
  };
};

/** What the end will do, for the announcement. */
export const endingStep = ({ options }: Invocation, cause: Cause): string => {
  if (cause === 'stolen' && textOption(options, 'approval') === undefined)
    return 'stop there, with the key frozen: the server’s operator has to approve the new shares';
  if (options['later'] === true)
    return 'stop there; old copies stay usable until you run `keepset recover` again';
  const policy = textOption(options, 'reshare-to');
  return policy === undefined
    ? 'give all parties new shares (refresh): the lost one and its copies are worth nothing beside them'
    : `put the key under ${policy} (reshare): the old shares are worth nothing beside the new ones`;
};

/** The one recovery that was begun in this home, if there is one. @throws KeepsetError `input/invalid-argument` */
export const resumable = async (
  options: OptionValues,
  paths: HomePaths,
): Promise<RecoveryRecord | undefined> => {
  const key = (textOption(options, 'key') ?? '').toLowerCase();
  const [first, ...others] = (await loadRecords(paths)).filter(({ keyId }) => keyId.startsWith(key));
  if (others.length > 0)
    throw new KeepsetError('input/invalid-argument', 'Several recoveries are unfinished; say which.', {
      hint: `Use --key with one of: ${[first, ...others].map((record) => record?.keyId).join(', ')}`,
    });
  return first;
};

/**
 * Whoever was cut off at the very end runs the command again, and no record is left: says so where the device has its
 * shares and nobody asks for another one. Where somebody is there to be asked, the questions of a new recovery follow.
 * @returns whether that was all
 */
export const hasNothingLeft = async (
  { options, terminal }: Invocation,
  paths: HomePaths,
): Promise<boolean> => {
  if (options['lost'] === true || options['stolen'] === true) return false;
  const keys = await heldKeys(paths);
  if (keys.length === 0) return false;
  if (terminal.canAsk) {
    terminal.note('No recovery is unfinished on this device. This begins another one.');
    return false;
  }
  await withDevice(options, terminal, () => {
    terminal.result({ state: 'nothing-left', keys }, [
      'No recovery is unfinished on this device; it holds its shares of:',
      ...keys.map((keyId) => `  ${keyId}`),
      'Another one begins with --lost or --stolen.',
    ]);
    return Promise.resolve();
  });
  return true;
};

/** Goes on with a recovery that was cut off, or put off with --later. */
export const finishRecovery = (
  invocation: Invocation,
  paths: HomePaths,
  record: RecoveryRecord,
): Promise<void> =>
  withDevice(invocation.options, invocation.terminal, async (open) => {
    invocation.terminal.note(`Going on with the recovery of key ${record.keyId} from ${record.from}.`);
    if (!(await open.device.vault.list()).includes(record.keyId))
      throw new KeepsetError('input/unknown-key', 'That recovery was cut off before the share was back.', {
        hint: 'Run it again with --from, or with --join where other devices help.',
      });
    await finish(invocation, open, paths, { record, ending: endingOf(invocation.options) });
  });

/** Refreshes, unless that is done already or put off, and says what came of it. */
export const finish = async (
  { options, terminal }: Invocation,
  open: OpenDevice,
  paths: HomePaths,
  { record, source, ending }: Begun,
): Promise<void> => {
  const { keyId, cause } = record;
  const share = await open.device.vault.open(keyId);
  share.secret.wipe();
  const common = { keyId, party: share.party, cause, ...(source === undefined ? {} : { source }) };
  const waits = share.group.epoch > record.epoch ? undefined : await whyWait(options, open, record);
  if (waits !== undefined) {
    const { epoch, policy } = share.group;
    terminal.result({ ...common, state: 'restored', frozen: waits === 'frozen', epoch, policy }, [
      `Restored, not finished: key ${keyId} is still at epoch ${epoch}.`,
      ...(waits === 'frozen' ? operatorLines(keyId, share.party) : laterLines),
    ]);
    return;
  }
  const group =
    share.group.epoch > record.epoch
      ? share.group
      : await retireOldShares(open, terminal, keyId, ending).catch(sayOtherCopy(record));
  const renewal = await renewCopies(open.unlocked, keyId);
  const { epoch, policy } = group;
  const hasCopy = await isCopied(paths, group);
  await removeRecord(paths, keyId);
  terminal.result({ ...common, state: 'recovered', epoch, policy, ...renewal }, [
    `Recovered: key ${keyId} is at epoch ${epoch}, under ${policy}.`,
    `The server refuses the old device’s share and every copy of epoch ${record.epoch}.`,
    ...oldShareLines,
    ...renewalLines(renewal),
    ...(hasCopy
      ? []
      : [
          'This key has no backup copy now: write one with `keepset usb create`, `keepset kit` or `keepset backup`.',
        ]),
  ]);
};

/** Parties that do not agree may have been given a share that is not theirs: anybody who knows a code's public half can make one. */
const sayOtherCopy =
  ({ from }: RecoveryRecord) =>
  (thrown: unknown): never => {
    const error = toKeepsetError(thrown);
    if (error.family !== 'abort') throw thrown;
    const other = `If it fails again, the share from ${from} may be a wrong one: recover from another copy (--from COPY), which takes its place. Of a stick either slot can be named by its file.`;
    const hint = error.hint === undefined ? other : `${error.hint} ${other}`;
    throw new KeepsetError(error.code, error.message, { hint, cause: error });
  };

/** Whether a copy of these shares exists, as far as this device knows; the command before may have rewritten it. */
const isCopied = async (paths: HomePaths, { keyId, epoch }: GroupKey): Promise<boolean> =>
  (await loadLedger(paths)).some(
    (kit) => kit.keyId === keyId && kit.lostAt === undefined && newestWritten(kit)?.epoch === epoch,
  );

/** What stands between the restored share and new ones for all; undefined if nothing does. */
const whyWait = async (
  options: OptionValues,
  { device }: OpenDevice,
  { keyId, cause }: RecoveryRecord,
): Promise<'later' | 'frozen' | undefined> => {
  const isApproved = textOption(options, 'approval') !== undefined;
  // Frozen once more where somebody opened it meanwhile: what was stolen has to become worthless first.
  if (cause === 'stolen') await runFreeze(device, keyId);
  const key = (await device.transport.keys()).find((each) => each.keyId === keyId);
  if (key?.state === 'frozen' && !isApproved) return 'frozen';
  return options['later'] === true ? 'later' : undefined;
};

const laterLines: readonly string[] = [
  'Until its shares are refreshed, whoever has an old copy has a share that counts.',
  'When the other devices are there: keepset recover',
];

const operatorLines = (keyId: string, party: string): readonly string[] => [
  'The key is frozen: nobody can use it. On the server, the operator now',
  `  keepset devices           # finds the old device: ${party}, the one that was enrolled earlier`,
  '  keepset revoke DEVICE     # so that it may ask the server for nothing any more',
  `  keepset approve ${keyId}`,
  'Then, with the other devices of the key at hand, here:',
  '  keepset recover --approval CODE',
];

/** When it is the server that is gone, or that has forgotten: what the devices can do without it, and what they cannot. */
import { KeepsetError } from '@keepset/bytes';
import {
  acceptRestoredLog,
  judgeServer,
  printLogHead,
  requireQuorumWithout,
  runReshare,
  type GroupKey,
  type ServerStanding,
} from '@keepset/ceremony';
import { wipeIdentity } from '@keepset/wire';
import type { Invocation, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { openVault, orSettle, unlockIdentity, withDevice, type OpenDevice } from '../home/device.ts';
import { moveHome } from '../home/enrol.ts';
import { findKeyId } from '../home/keys.ts';
import { currentShare, heldKeys } from '../home/own-shares.ts';
import type { HomePaths } from '../home/paths.ts';
import { oldShareLines } from '../policy/old-shares.ts';
import { renewCopies, renewalLines } from '../places/rewrite.ts';
import { groupPrompts } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { endingOf } from './finish.ts';
import { announce } from './questions.ts';
import { retireOldShares } from './restore.ts';

/** A key of this device, and whether it can do without the server that is gone. */
interface Exit {
  readonly keyId: string;
  readonly epoch: number;
  readonly policy: string;
  /** Why not; undefined where it can. */
  readonly reason?: string;
}

/**
 * The server is gone for good. Without options it says which keys can leave it; with --invite this device moves to another
 * server; with --approval a key is brought there.
 * @throws KeepsetError `policy/unsatisfied` with the exact reason where no key can leave.
 */
export const recoverServerGone = async (invocation: Invocation, paths: HomePaths): Promise<void> => {
  const { options, terminal } = invocation;
  if (textOption(options, 'approval') !== undefined) return bringKey(invocation, paths);
  const identity = await unlockIdentity(paths, options, terminal);
  try {
    const vault = await openVault(paths, identity);
    const { serverParty } = await loadAccount(paths.account);
    const exits: Exit[] = [];
    for (const keyId of await vault.list()) {
      const share = await vault.open(keyId);
      share.secret.wipe();
      exits.push(exitOf(share.group, serverParty));
    }
    const stuck = exits.filter(({ reason }) => reason !== undefined);
    for (const { keyId, reason } of stuck) terminal.note(`Key ${keyId}: ${reason}`);
    if (exits.length > 0 && stuck.length === exits.length)
      throw new KeepsetError('policy/unsatisfied', stuck.map(({ reason }) => reason).join(' '), {
        hint: noExit,
      });
    const invite = textOption(options, 'invite');
    if (invite === undefined) {
      terminal.result({ state: 'judged', keys: exits }, adviceFor(exits));
      return;
    }
    await announce(invocation, [
      'enrol this device, with the keys and the name it has, with the new server',
      'keep what it knows of the old server beside that',
    ]);
    const abandon = options['abandon'] === true;
    const account = await moveHome(paths, invite, { identity, vault, abandon });
    const { server, party } = account;
    terminal.result({ state: 'moved', server, party, keys: exits }, movedLines(account.party, server, exits));
  } finally {
    wipeIdentity(identity);
  }
};

const exitOf = (group: GroupKey, serverParty: string): Exit => {
  const { keyId, epoch, policy } = group;
  try {
    requireQuorumWithout(serverParty, group);
    return { keyId, epoch, policy };
  } catch (error) {
    if (!(error instanceof KeepsetError) || error.code !== 'policy/unsatisfied') throw error;
    return { keyId, epoch, policy, reason: error.message };
  }
};

const noExit =
  'Only the old server’s data folder together with its key-encryption key, from a backup, bring such a key back. For new keys choose a policy with an exit, such as thresh(2,server,phone,laptop).';

const adviceFor = (exits: readonly Exit[]): readonly string[] => [
  'These keys can leave the server that is gone:',
  ...exits.filter(({ reason }) => reason === undefined).map(({ keyId, policy }) => `  ${keyId}  ${policy}`),
  '',
  'Start another server, then on this device and on each of the others, with an invitation each:',
  '  keepset recover --server-gone --invite URL',
];

const movedLines = (party: string, server: string, exits: readonly Exit[]): readonly string[] => [
  `This device, ${party}, belongs to ${server} now.`,
  'Move the other devices too, with invitations of `keepset add-device` here. Then, for each key:',
  ...exits
    .filter(({ reason }) => reason === undefined)
    .map(({ keyId }) => `  keepset approve ${keyId} --adopt     # on the new server`),
  '  keepset recover --server-gone --with PARTY,… --approval CODE [--key KEY]',
];

/** The devices deal the key anew; the present server gets a share, and the old server’s is worth nothing beside it. */
const bringKey = async (invocation: Invocation, paths: HomePaths): Promise<void> => {
  const before = await newestEpochs(paths);
  await withDevice(invocation.options, invocation.terminal, async ({ device, unlocked }) => {
    const { options, terminal } = invocation;
    const keyId = await findKeyId(device.vault, textOption(options, 'key'));
    // Who was cut off at the end has nothing to bring any more, and an approval that is spent.
    const isThere = (await judgeServer(device, keyId)).verdict === 'current';
    const group = isThere ? await groupOf(device, keyId) : await adopt(device, options, terminal, keyId);
    const renewal = await renewCopies(unlocked, keyId);
    if (group.epoch === before.get(keyId))
      return terminal.result({ ...factsOf(group), state: 'nothing-left', ...renewal }, [
        `There is nothing to bring: this server has key ${keyId} at epoch ${group.epoch}, as this device has.`,
        ...renewalLines(renewal),
      ]);
    return terminal.result({ ...factsOf(group), state: 'recovered', ...renewal }, [
      `Recovered: key ${keyId} is at epoch ${group.epoch}, under ${group.policy}, on this server.`,
      ...oldShareLines,
      'That goes for what the old server has of it as well.',
      ...renewalLines(renewal),
    ]);
  });
};

/** By key, before anything that was cut off is settled. */
const newestEpochs = async (paths: HomePaths): Promise<ReadonlyMap<string, number | undefined>> => {
  const epochs = new Map<string, number | undefined>();
  for (const keyId of await heldKeys(paths)) epochs.set(keyId, (await currentShare(paths, keyId))?.epoch);
  return epochs;
};

const adopt = async (
  device: OpenDevice['device'],
  options: OptionValues,
  terminal: Terminal,
  keyId: string,
): Promise<GroupKey> => {
  const { policy } = await groupOf(device, keyId);
  const { reshareTo = policy, approved } = endingOf(options);
  return orSettle(device, terminal, () =>
    runReshare(device, keyId, reshareTo, groupPrompts(terminal), {
      ...approved,
      adopt: true,
      allowRepeats: true,
    }),
  );
};

const groupOf = async ({ vault }: OpenDevice['device'], keyId: string): Promise<GroupKey> => {
  const { group, secret } = await vault.open(keyId);
  secret.wipe();
  return group;
};

/**
 * The server was restored from a backup. Says what it has forgotten, pins its log again on the operator's word, and ends
 * with new shares, so that what it forgot cannot be used against it.
 * @throws KeepsetError `store/rollback` (the operator's word is needed, or differs), `policy/unsatisfied` (lost for good),
 * `place/stale` (it is this device that is behind), `policy/forbidden` (the operator's approval is needed).
 */
export const recoverServerRestored = (invocation: Invocation): Promise<void> =>
  withDevice(invocation.options, invocation.terminal, async (open) => {
    const { options, terminal } = invocation;
    const { device } = open;
    const keyId = await findKeyId(device.vault, textOption(options, 'key'));
    const standing = await judgeServer(device, keyId);
    terminal.note(standing.reason);
    refuseHopeless(standing, keyId, device);
    await announce(invocation, stepsFor(standing));
    if (standing.isLogBehind) await acceptLog(open, options, terminal);
    const group = await mend(open, options, terminal, { keyId, standing });
    const renewal = await renewCopies(open.unlocked, keyId);
    terminal.result({ ...factsOf(group), state: 'recovered', verdict: standing.verdict, ...renewal }, [
      `Recovered: server and devices agree again; key ${keyId} is at epoch ${group.epoch}.`,
      ...oldShareLines,
      'That goes for what lies in old backups of the server as well.',
      ...renewalLines(renewal),
    ]);
  });

const refuseHopeless = (
  { verdict, reason }: ServerStanding,
  keyId: string,
  { party, serverParty }: OpenDevice['device'],
): void => {
  if (verdict === 'lost') throw new KeepsetError('policy/unsatisfied', reason, { hint: noExit });
  if (verdict === 'device-behind')
    throw new KeepsetError('place/stale', reason, {
      hint: `The server has forgotten nothing of this key. On another device run \`keepset repair ${party} --key ${keyId.slice(0, 6)}\`; ${serverParty} and that device give this one its share.`,
    });
};

const stepsFor = ({ verdict, isLogBehind }: ServerStanding): readonly string[] => [
  ...(isLogBehind
    ? ['go on with the server’s shorter log, on its operator’s word; what it lacks is forgotten there']
    : []),
  verdict === 'adopt'
    ? 'let the devices deal the key anew without the server’s help (reshare), and give the server a share again'
    : 'give all parties new shares (refresh)',
];

const acceptLog = async (
  { device }: OpenDevice,
  options: OptionValues,
  terminal: Terminal,
): Promise<void> => {
  const vouched = textOption(options, 'log-head');
  if (vouched === undefined)
    throw new KeepsetError('store/rollback', 'The server’s log lacks what this device has seen.', {
      hint: 'If its operator restored it from a backup, ask for what `keepset log-head` prints there, and give it with --log-head. If nobody restored anything, somebody is deceiving you.',
    });
  const head = await acceptRestoredLog(device, vouched, ({ known, offered }) => {
    terminal.note(
      `This device has seen ${known?.size ?? 0} log entries; the server now has ${offered.size}.`,
    );
    return Promise.resolve();
  });
  terminal.note(`Pinned the restored log: ${printLogHead(head)}`);
  terminal.note(`Each other device of the key does the same, before it joins: keepset accept-log ${vouched}`);
};

const mend = (
  open: OpenDevice,
  options: OptionValues,
  terminal: Terminal,
  { keyId, standing }: { readonly keyId: string; readonly standing: ServerStanding },
): Promise<GroupKey> => {
  const isApproved = textOption(options, 'approval') !== undefined;
  if (standing.verdict !== 'adopt') return retireOldShares(open, terminal, keyId, endingOf(options));
  if (!isApproved)
    throw new KeepsetError('policy/forbidden', 'The operator of the server must approve this.', {
      hint: `On the server run \`keepset approve ${keyId} --adopt\`, then give the code here with --approval CODE, and the other devices with --with.`,
    });
  return adopt(open.device, options, terminal, keyId);
};

const factsOf = ({ keyId, epoch, policy }: GroupKey): Readonly<Record<string, unknown>> => ({
  keyId,
  epoch,
  policy,
});

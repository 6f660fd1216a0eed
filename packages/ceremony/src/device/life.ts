/**
 * The device's side of refresh, reshare and repair. Each ends like a key generation: the new share is held pending
 * before it is confirmed, and takes the place of the old one once the server has committed.
 */
import { KeepsetError } from '@keepset/bytes';
import {
  protocolFor,
  systemRng,
  type GroupKey,
  type KeyShare,
  type Reshared,
  type Rng,
} from '@keepset/threshold';
import type { RefreshStart, RepairStart, ReshareStart, SessionStart } from '@keepset/wire';
import { asked, helpersAmong, planKeygen, quorumAmong, selfAndServer } from '../plan.ts';
import { openSessionChannel } from './channel.ts';
import { confirming } from './confirm.ts';
import { gatherGroup, type Group, type GroupPrompts } from './group.ts';
import { closePending, openPending } from './pending.ts';
import { requireQuorumWithout } from './standing.ts';
import type { DeviceParty, OpenSession } from './ports.ts';
import { orLeave, runSession, type SessionPlan } from './session.ts';

/** How a session reaches this device: alone with the server, or together with others. */
type Meeting = Pick<SessionPlan<never>, 'channel' | 'start' | 'peers' | 'early'>;

/** What a change that gives shares to other devices needs besides this one. */
export interface Approved {
  /** The operator's one-time code. */
  readonly approval?: string;
  /** Other devices that hold a share and help. */
  readonly helpers?: readonly string[];
  /**
   * Only for a reshare: the server is not the one that the policy names, or was restored from a backup of an earlier
   * epoch. Devices deal without it, and the operator approves with `keepset approve KEY --adopt`.
   */
  readonly adopt?: boolean;
  /** Whether a party may stand several times in a new policy, which gives it weight. */
  readonly allowRepeats?: boolean;
}

/**
 * New shares for all parties of a key; an old one is worth nothing beside them. All devices take part.
 * @param approved a frozen key needs the operator's code, and is active again afterwards.
 */
export const runRefresh = async (
  device: DeviceParty,
  keyId: string,
  prompts?: GroupPrompts,
  { approval }: Pick<Approved, 'approval'> = {},
): Promise<GroupKey> => {
  const share = await device.vault.open(keyId);
  const { group } = share;
  const start: RefreshStart = {
    kind: 'refresh',
    keyId,
    epoch: group.epoch,
    ...(approval === undefined ? {} : { approval }),
  };
  const meeting = await meet(device, start, group.parties, group, prompts);
  return orLeave(meeting, () => refreshWith(device, share, meeting));
};

/**
 * The same key under a new policy, dealt by the server, if it has a share, this device and the `helpers`. Every device of
 * the new policy takes part. With `adopt` the server deals nothing, and gets a share if the new policy names it: so a key
 * moves to another server. The old server's share is worth nothing beside the new ones.
 */
export const runReshare = async (
  device: DeviceParty,
  keyId: string,
  policyText: string,
  prompts?: GroupPrompts,
  { approval, helpers: coDealers = [], adopt = false, allowRepeats = false }: Approved = {},
): Promise<GroupKey> => {
  const share = await device.vault.open(keyId);
  const { group } = share;
  const next = planKeygen(policyText, device.serverParty, { allowRepeats });
  if (adopt) requireQuorumWithout(device.serverParty, group);
  const own = adopt ? [device.party] : selfAndServer(device, group);
  const dealers = quorumAmong(group, [...own, ...coDealers]);
  const start: ReshareStart = {
    kind: 'reshare',
    keyId,
    epoch: group.epoch,
    dealers,
    policy: next.policy,
    ...(approval === undefined ? {} : { approval }),
    ...(next.isWitnessed || dealers.includes(device.serverParty) ? {} : { key: group }),
  };
  const everyone = [...new Set([...dealers, ...next.parties])];
  const meeting = await meet(device, start, everyone, group, prompts);
  return orLeave(meeting, () => reshareWith(device, { group, share }, start, meeting));
};

/** Gives a party that lost its share the same share again; this device helps, and the server if it has a share. */
export const runRepair = async (
  device: DeviceParty,
  keyId: string,
  target: string,
  prompts: GroupPrompts,
  { approval, helpers: coHelpers = [] }: Approved = {},
): Promise<GroupKey> => {
  const share = await device.vault.open(keyId);
  const { group } = share;
  const helpers = helpersAmong(group, [...selfAndServer(device, group), ...coHelpers], target);
  const start: RepairStart = {
    kind: 'repair',
    keyId,
    epoch: group.epoch,
    helpers,
    target,
    ...(approval === undefined ? {} : { approval }),
  };
  const meeting = await meet(device, start, [...helpers, target], group, prompts);
  return orLeave(meeting, () => repairWith(device, { group, share }, start, meeting));
};

/** Takes part in a refresh, reshare or repair that another device started. */
export const joinLife = (device: DeviceParty, joined: Group): Promise<GroupKey> =>
  orLeave(joined, () => takePart(device, joined));

const takePart = async (device: DeviceParty, joined: Group): Promise<GroupKey> => {
  const { start, key } = joined.roster;
  if (start.kind !== 'refresh' && start.kind !== 'reshare' && start.kind !== 'repair')
    throw new KeepsetError('input/invalid-argument', 'This session is about something else.');
  const share = await ownShare(device, start.keyId);
  if (start.kind === 'refresh') {
    if (share === undefined)
      throw new KeepsetError('input/unknown-key', `This device holds no share of ${start.keyId}.`);
    return refreshWith(device, share, joined);
  }
  // Whoever holds a share believes that; whoever holds none believes the device that invited it. One of an earlier epoch
  // is as good as none: the same key id stands for the same public key.
  const current = share !== undefined && share.group.epoch < start.epoch ? undefined : share;
  const group = current?.group ?? key;
  if (group === undefined || group.keyId !== start.keyId || group.epoch !== start.epoch)
    throw new KeepsetError(
      'abort/wrong-epoch',
      'The session is about another key or epoch than this device knows.',
    );
  const about = { group, ...(current === undefined ? {} : { share: current }) };
  return start.kind === 'reshare'
    ? reshareWith(device, about, start, joined)
    : repairWith(device, about, start, joined);
};

const ownShare = async (device: DeviceParty, keyId: string): Promise<KeyShare | undefined> =>
  (await device.vault.list()).includes(keyId) ? device.vault.open(keyId) : undefined;

/** Opens a session with the server, and with every other device among `parties`. */
const meet = async (
  device: DeviceParty,
  start: SessionStart,
  parties: readonly string[],
  key: GroupKey,
  prompts: GroupPrompts | undefined,
): Promise<Meeting> => {
  const session = (device.rng ?? systemRng)(32);
  const others = parties.filter((party) => party !== device.party && party !== device.serverParty);
  if (others.length === 0) return { channel: await openSessionChannel(device, session), start };
  if (prompts === undefined)
    throw new KeepsetError(
      'policy/unsupported',
      `${others.join(' and ')} must take part too, and cannot be asked here.`,
    );
  return gatherGroup(device, { session, start, others, key }, prompts);
};

const runOf = (device: DeviceParty, { channel }: Meeting): { session: Uint8Array; rng?: Rng } => ({
  session: channel.session,
  ...(device.rng === undefined ? {} : { rng: device.rng }),
});

/** @param group names the epoch that the session leads to. */
const entryOf = (
  kind: OpenSession['kind'],
  { channel }: Meeting,
  { keyId, epoch }: Pick<GroupKey, 'keyId' | 'epoch'>,
): OpenSession => ({ session: channel.session, kind, keyId, epoch });

const progressOf =
  (device: DeviceParty, what: string, of: number): ((round: number) => void) =>
  (round) =>
    device.onProgress?.({ step: round, of, text: `${what}, round ${round}` });

const refreshWith = async (device: DeviceParty, share: KeyShare, meeting: Meeting): Promise<GroupKey> => {
  const { session } = meeting.channel;
  const machine = confirming<KeyShare>(
    device,
    { session, participants: share.group.parties, groupOf: ({ group }) => group },
    protocolFor(share.group.scheme).startRefresh({ share, ...runOf(device, meeting) }),
  );
  const entry = entryOf('refresh', meeting, { ...share.group, epoch: share.group.epoch + 1 });
  const fresh = await runSession<KeyShare>(device, {
    ...meeting,
    machine,
    onPending: (pending) => openPending(device, entry, pending),
    act: ({ group }) => ({ kind: 'refresh', keyId: group.keyId, epoch: group.epoch }),
    onRound: progressOf(device, 'Refreshing', machine.status === 'running' ? machine.rounds : 1),
  });
  share.secret.wipe();
  await closePending(device, entry, 'committed');
  return fresh.group;
};

interface About {
  readonly group: GroupKey;
  readonly share?: KeyShare;
}

const reshareWith = async (
  device: DeviceParty,
  { group, share }: About,
  { dealers, policy }: ReshareStart,
  meeting: Meeting,
): Promise<GroupKey> => {
  const isDealer = dealers.includes(device.party);
  const { session } = meeting.channel;
  const next = planKeygen(policy, device.serverParty, asked);
  const machine = confirming<Reshared>(
    device,
    { session, participants: [...dealers, ...next.parties], groupOf: (result) => result.group },
    protocolFor(group.scheme).startReshare({
      group,
      dealers,
      next,
      me: device.party,
      ...(isDealer && share !== undefined ? { share } : {}),
      ...runOf(device, meeting),
    }),
  );
  const entry: OpenSession = {
    ...entryOf('reshare', meeting, { ...group, epoch: group.epoch + 1 }),
    ...(next.parties.includes(device.party) ? {} : { leaves: true }),
  };
  const outcome = await runSession(device, {
    ...meeting,
    machine,
    onPending: (pending) => openPending(device, entry, pending.share),
    act: (result) => ({ kind: 'reshare', keyId: group.keyId, epoch: result.group.epoch }),
    onRound: progressOf(device, 'Resharing', machine.status === 'running' ? machine.rounds : 1),
  });
  share?.secret.wipe();
  await closePending(device, entry, 'committed');
  return outcome.group;
};

const repairWith = async (
  device: DeviceParty,
  { group, share }: About,
  { helpers, target }: RepairStart,
  meeting: Meeting,
): Promise<GroupKey> => {
  const isTarget = target === device.party;
  const { session } = meeting.channel;
  const machine = confirming<KeyShare>(
    device,
    { session, participants: [...helpers, target], groupOf: (result) => result.group },
    protocolFor(group.scheme).startRepair({
      group,
      helpers,
      target,
      me: device.party,
      ...(isTarget || share === undefined ? {} : { share }),
      ...runOf(device, meeting),
    }),
  );
  const entry = entryOf('repair', meeting, group);
  await runSession<KeyShare>(device, {
    ...meeting,
    machine,
    // A helper's scalar stays, but its ECDSA set-up with the target is new and must be kept.
    onPending: (pending) => openPending(device, entry, pending),
    act: () => ({ kind: 'repair', keyId: group.keyId, epoch: group.epoch }),
    onRound: progressOf(device, 'Repairing', machine.status === 'running' ? machine.rounds : 1),
  });
  share?.secret.wipe();
  await closePending(device, entry, 'committed');
  return group;
};

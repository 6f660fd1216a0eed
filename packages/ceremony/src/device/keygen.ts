/**
 * The device's side of a key generation, crash-safe at every point.
 *
 * The server's commit, in answer to the last confirmation, is the one moment at which the key comes to be. Before a
 * device sends its confirmation, it has noted the session in its journal and made its own share durable, marked
 * pending. Whatever dies in between, `settleOpenSessions` asks the server later and the pending share is promoted or
 * destroyed: the key is usable on all sides or on none.
 */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { protocolFor, systemRng, type GroupKey, type KeyShare, type Scheme } from '@keepset/threshold';
import type { KeygenStart } from '@keepset/wire';
import { planKeygen } from '../plan.ts';
import { openSessionChannel } from './channel.ts';
import { confirming } from './confirm.ts';
import { gatherGroup, type Group, type GroupAnnouncement } from './group.ts';
import type { DeviceParty, OpenSession } from './ports.ts';
import { runSession, type SessionPlan } from './session.ts';

/** What key to make. */
export interface KeygenOrder {
  readonly scheme: Scheme;
  readonly policy: string;
}

/** What a device asks its owner while other devices come together. */
export interface GroupPrompts {
  /** Shows the join codes. */
  readonly announce: (announcement: GroupAnnouncement) => void;
  /** Lets people compare the digits on all devices; throws to refuse. */
  readonly compare: (group: Pick<Group, 'digits' | 'roster'>) => Promise<void>;
}

/**
 * Makes a key together with the parties that the policy names, and returns its public half once all sides hold it. A
 * server that the policy does not name gets no share: it passes on, and commits once all devices hold the key.
 *
 * @param prompts needed where the policy names other devices.
 * @throws KeepsetError. If the connection broke after the confirmation was sent, the outcome is open:
 * `settleOpenSessions` finds it out.
 */
export const runKeygen = async (
  device: DeviceParty,
  order: KeygenOrder,
  prompts?: GroupPrompts,
): Promise<GroupKey> => {
  const { policy, parties } = planKeygen(order.policy, device.serverParty);
  const others = parties.filter((party) => party !== device.party && party !== device.serverParty);
  if (!parties.includes(device.party))
    throw new KeepsetError(
      'policy/unsupported',
      `The policy ${policy} does not name this device, ${device.party}.`,
    );
  const session = (device.rng ?? systemRng)(32);
  const start: KeygenStart = { kind: 'keygen', scheme: order.scheme, policy };
  if (others.length === 0)
    return makeKey(device, start, { channel: await openSessionChannel(device, session), start });
  if (prompts === undefined)
    throw new KeepsetError(
      'policy/unsupported',
      `${others.join(' and ')} must take part too, and cannot be asked here.`,
    );
  const group = await gatherGroup(device, { session, start, others }, prompts.announce);
  await prompts.compare(group);
  return makeKey(device, start, group);
};

/** Takes part in a key generation that another device started. */
export const joinKeygen = (device: DeviceParty, group: Group): Promise<GroupKey> => {
  const { start } = group.roster;
  if (start.kind !== 'keygen')
    throw new KeepsetError('input/invalid-argument', 'This session is no key generation.');
  return makeKey(device, start, group);
};

const roundTexts = [
  'Exchanging commitments',
  'Exchanging sub-shares',
  'Comparing transcripts and committing',
];

const makeKey = async (
  device: DeviceParty,
  { scheme, policy }: KeygenStart,
  session: Pick<SessionPlan<KeyShare>, 'channel' | 'start' | 'peers' | 'early'>,
): Promise<GroupKey> => {
  const id = session.channel.session;
  const plan = planKeygen(policy, device.serverParty);
  const machine = confirming<KeyShare>(
    device,
    { session: id, participants: plan.parties, groupOf: ({ group }) => group },
    protocolFor(scheme).startKeygen({
      ...plan,
      scheme,
      session: id,
      me: device.party,
      ...(device.rng === undefined ? {} : { rng: device.rng }),
    }),
  );
  const of = roundTexts.length + 1;
  const share = await runSession(device, {
    ...session,
    machine,
    onPending: (pending) => holdPending(device, { session: id, kind: 'keygen' }, pending),
    act: ({ group }) => ({ kind: 'keygen', keyId: group.keyId, epoch: group.epoch }),
    onRound: (round) =>
      device.onProgress?.({ step: round, of, text: roundTexts[round - 1] ?? `Round ${round}` }),
  });
  device.onProgress?.({ step: of, of, text: 'Keeping the share' });
  await keepShare(device, id, share);
  return share.group;
};

/**
 * Makes a share durable that is not final yet.
 * @throws KeepsetError `store/conflict` while another session may still make a share of the same key and epoch final:
 * there is room for one pending share, and it must be the one that the server commits.
 */
export const holdPending = async (
  device: DeviceParty,
  about: Pick<OpenSession, 'session' | 'kind'>,
  share: KeyShare,
): Promise<void> => {
  const entry: OpenSession = { ...about, keyId: share.group.keyId, epoch: share.group.epoch };
  // The journal first: a pending share that no journal entry explains would never be settled.
  await device.journal.add(entry);
  // Only then the look around: of two sessions at once, in whatever processes, at most one finds itself alone.
  if ((await device.journal.list()).some((other) => isRival(entry, other))) {
    await device.journal.remove(entry.session);
    throw new KeepsetError('store/conflict', `Another ceremony with key ${entry.keyId} is still open here.`, {
      hint: 'Let it end first. If it was cut off, any command that reaches the server settles it.',
    });
  }
  await device.vault.putPending(share);
};

/** Whether another session's pending share would lie in the same place. */
export const isRival = (entry: OpenSession, other: OpenSession): boolean =>
  other.keyId === entry.keyId && other.epoch === entry.epoch && !bytesEqual(other.session, entry.session);

/**
 * Makes a pending share final, now that the server has committed it. Shares of earlier epochs stay, until whoever keeps
 * copies of them elsewhere has rewritten those and retires them.
 */
export const keepShare = async (device: DeviceParty, session: Uint8Array, share: KeyShare): Promise<void> => {
  const { keyId, epoch } = share.group;
  await device.vault.promote(keyId, epoch);
  await device.journal.remove(session);
};

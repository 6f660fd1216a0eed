/**
 * The device's side of a key generation, crash-safe at every point.
 *
 * The server's commit, in answer to the last confirmation, is the one moment at which the key comes to be. Before a
 * device sends its confirmation, it has noted the session in its journal and made its own share durable, marked
 * pending. Whatever dies in between, `settleOpenSessions` asks the server later and the pending share is promoted or
 * destroyed: the key is usable on all sides or on none.
 */
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, systemRng, type GroupKey, type KeyShare, type Scheme } from '@keepset/threshold';
import type { KeygenStart } from '@keepset/wire';
import { asked, planKeygen } from '../plan.ts';
import { openSessionChannel } from './channel.ts';
import { confirming } from './confirm.ts';
import { gatherGroup, type Group, type GroupPrompts } from './group.ts';
import { closePending, openPending } from './pending.ts';
import type { DeviceParty, OpenSession } from './ports.ts';
import { orLeave, runSession, type SessionPlan } from './session.ts';

/** What key to make. */
export interface KeygenOrder {
  readonly scheme: Scheme;
  readonly policy: string;
  /** Whether a party may stand several times in the policy, which gives it weight. */
  readonly allowRepeats?: boolean;
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
  const { policy, parties } = planKeygen(order.policy, device.serverParty, {
    allowRepeats: order.allowRepeats === true,
  });
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
  return makeKey(device, start, await gatherGroup(device, { session, start, others }, prompts));
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

type Session = Pick<SessionPlan<KeyShare>, 'channel' | 'start' | 'peers' | 'early'>;

const makeKey = (device: DeviceParty, start: KeygenStart, session: Session): Promise<GroupKey> =>
  orLeave(session, () => runProtocol(device, start, session));

const runProtocol = async (
  device: DeviceParty,
  { scheme, policy }: KeygenStart,
  session: Session,
): Promise<GroupKey> => {
  const id = session.channel.session;
  const plan = planKeygen(policy, device.serverParty, asked);
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
  const entryOf = ({ group: { keyId, epoch } }: KeyShare): OpenSession => ({
    session: id,
    kind: 'keygen',
    keyId,
    epoch,
  });
  const of = roundTexts.length + 1;
  const share = await runSession(device, {
    ...session,
    machine,
    onPending: (pending) => openPending(device, entryOf(pending), pending),
    act: ({ group }) => ({ kind: 'keygen', keyId: group.keyId, epoch: group.epoch }),
    onRound: (round) =>
      device.onProgress?.({ step: round, of, text: roundTexts[round - 1] ?? `Round ${round}` }),
  });
  device.onProgress?.({ step: of, of, text: 'Keeping the share' });
  await closePending(device, entryOf(share), 'committed');
  return share.group;
};

/** The device's side of any session's protocol: with Party 1, and with other devices where there are any. */
import { KeepsetError } from '@keepset/bytes';
import type { ProtocolMessage, Step } from '@keepset/threshold';
import type { RelayedBlob, SessionStart, StepResponse } from '@keepset/wire';
import type { SessionAct } from '../act.ts';
import { leaving, type SessionChannel } from './channel.ts';
import { banningCheats, refuseBanned, type SetupUse } from './bans.ts';
import { acceptEvidence } from './evidence.ts';
import type { DeviceParty } from './ports.ts';

/** Seals messages to other devices of the session and opens theirs. */
export interface PeerLink {
  seal(messages: readonly ProtocolMessage[]): Promise<readonly RelayedBlob[]>;
  open(blobs: readonly RelayedBlob[]): Promise<readonly ProtocolMessage[]>;
}

/** What a session is about and what to do on the way. */
export interface SessionPlan<R> {
  readonly channel: SessionChannel;
  /** Sent with the first step; left out when the session is open already. */
  readonly start?: SessionStart;
  /** Where other devices take part. */
  readonly peers?: PeerLink;
  /** Messages from Party 1 that came before the protocol was started. */
  readonly early?: readonly ProtocolMessage[];
  /** The protocol, started. */
  readonly machine: Step<R>;
  /** Set where the session uses the pairwise set-up of a key. */
  readonly setup?: SetupUse;
  /** Called once with the result as it will be, before anything that could make it final is sent. */
  readonly onPending?: (pending: R) => Promise<void>;
  /** The log entry the server must prove. */
  readonly act: (result: R) => Omit<SessionAct, 'tenant' | 'device' | 'session'>;
  /** Called before each round. */
  readonly onRound?: (round: number) => void;
}

/** Runs a device's part in a session from its start on; if it fails, the other devices hear of it at once. */
export const orLeave = <T>(
  { channel, peers }: { readonly channel: SessionChannel; readonly peers?: PeerLink },
  work: () => Promise<T>,
): Promise<T> => (peers === undefined ? work() : leaving(channel, work));

/** Polls without news, of up to ten seconds each, after which a session is given up. */
const patience = 60;

/**
 * Runs a session's protocol to its end.
 * @returns the protocol's result, once Party 1 has committed the session and proven its log entry.
 * @throws KeepsetError of the protocol, the transport, or whatever Party 1 reports; `transport/unreachable` when the
 * other devices stay silent.
 */
export const runSession = async <R>(device: DeviceParty, plan: SessionPlan<R>): Promise<R> => {
  const { channel } = plan;
  let state = plan.machine;
  let unsent = state.outgoing;
  let { start, early = [] } = plan;
  let committed: StepResponse | undefined;
  let held = false;
  let idle = 0;
  for (;;) {
    if (state.status === 'running' && unsent.length > 0) plan.onRound?.(state.round);
    // Asked before every step: a ban ends the sessions that are open already, too.
    if (plan.setup !== undefined) await refuseBanned(device, plan.setup);
    const response = await channel.step({
      ...(start === undefined ? {} : { start }),
      ...(await outgoing(device, plan, unsent)),
    });
    start = undefined;
    unsent = [];
    if (response.state === 'committed') committed ??= response;
    const incoming = [...early, ...response.messages, ...(await opened(plan, response))];
    early = [];
    idle = incoming.length === 0 ? idle + 1 : 0;
    if (idle > patience)
      throw new KeepsetError('transport/unreachable', 'The other devices stay silent.', {
        hint: 'They may have ended it without this device: look there first, then start again.',
      });
    if (state.status === 'running' && incoming.length > 0) {
      const running = state;
      state = await banningCheats(device, plan.setup, () => running.advance(incoming));
      unsent = state.outgoing;
      const pending = state.status === 'done' ? state.result : state.pending;
      // A peer that confirmed first lets the protocol end before this device has confirmed: hold the result all the same.
      if (pending !== undefined && !held) {
        await plan.onPending?.(pending);
        held = true;
      }
    }
    if (state.status !== 'done' || hasPeerMessages(device, unsent)) continue;
    if (committed === undefined) {
      if (unsent.length === 0 && plan.peers === undefined)
        throw new KeepsetError('transport/bad-response', 'The server did not commit this session.');
      continue;
    }
    channel.finish();
    const act = { ...plan.act(state.result), session: channel.session };
    await acceptEvidence(device, committed.evidence, act, channel.head);
    return state.result;
  }
};

const isForServer =
  (device: DeviceParty) =>
  ({ to }: ProtocolMessage): boolean =>
    to === device.serverParty;

/** A finished party still owes the other devices its last messages; a server that has committed needs none. */
const hasPeerMessages = (device: DeviceParty, unsent: readonly ProtocolMessage[]): boolean =>
  unsent.some((message) => !isForServer(device)(message));

const outgoing = async <R>(
  device: DeviceParty,
  { peers }: SessionPlan<R>,
  unsent: readonly ProtocolMessage[],
): Promise<{ messages: readonly ProtocolMessage[]; relay: readonly RelayedBlob[] }> => {
  const toPeers = unsent.filter((message) => !isForServer(device)(message));
  if (toPeers.length > 0 && peers === undefined)
    throw new KeepsetError('bug/invariant', 'There are messages for devices that were never introduced.');
  return { messages: unsent.filter(isForServer(device)), relay: (await peers?.seal(toPeers)) ?? [] };
};

const opened = async <R>(
  { peers }: SessionPlan<R>,
  { relay = [] }: StepResponse,
): Promise<readonly ProtocolMessage[]> => {
  if (relay.length > 0 && peers === undefined)
    throw new KeepsetError('transport/bad-response', 'The server passes on messages of unknown devices.');
  return (await peers?.open(relay)) ?? [];
};

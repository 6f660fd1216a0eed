/** A device's side of one session with Party 1: counts its steps and checks that answers belong to them. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import type { ProtocolMessage } from '@keepset/threshold';
import type { LogHead, RelayedBlob, SessionStart, StepResponse } from '@keepset/wire';
import type { DeviceParty } from './ports.ts';

/** What goes out with one step. */
export interface Outgoing {
  readonly start?: SessionStart;
  readonly messages?: readonly ProtocolMessage[];
  readonly relay?: readonly RelayedBlob[];
}

/** One session, step by step. */
export interface SessionChannel {
  /** 32 random bytes. */
  readonly session: Uint8Array;
  /** The log head that goes with every step; proofs grow from it. */
  readonly head: LogHead | undefined;
  /** Sends one step. Without anything to send it asks for news. */
  step(outgoing: Outgoing): Promise<StepResponse>;
  /**
   * Gives the session up for all its members, who would wait for this one: nothing is passed on in it any more, and it is
   * void unless Party 1 has committed it. Whether the server heard of that is not said. Does nothing in a session that
   * failed, that this device never was in, or in which it has done its part.
   */
  leave(): Promise<void>;
  /** This device has done its part: whatever fails now, the others need it no more. */
  finish(): void;
}

/**
 * Runs what this device does in a session; if that fails, it leaves. Two say nothing: a device whose ban of a cheat could
 * not be noted, since it must be durable before anything more is sent; and one that stopped because the key is frozen, which the
 * server tells the others better.
 */
export const leaving = async <T>(
  channel: Pick<SessionChannel, 'leave'>,
  work: () => Promise<T>,
): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const { code, cause } = toKeepsetError(error);
    const isSilent = code === 'policy/frozen' || (code === 'abort/banned' && cause !== undefined);
    if (!isSilent) await channel.leave();
    throw error;
  }
};

/** How long the error of a device that leaves is kept back by a server that does not answer, at most. */
const leaveWithinMs = 3000;

export const openSessionChannel = async (
  device: DeviceParty,
  session: Uint8Array,
): Promise<SessionChannel> => {
  const head = await device.logPin.load();
  let step = 0;
  let isIn = false;
  return {
    session,
    head,
    step: async ({ start, messages = [], relay = [] }) => {
      step += 1;
      isIn = false;
      const response = await device.transport.step({
        session,
        step,
        party: device.party,
        messages,
        ...(start === undefined ? {} : { start }),
        ...(relay.length === 0 ? {} : { relay }),
        ...(head === undefined ? {} : { head }),
      });
      if (!bytesEqual(response.session, session) || response.step !== step)
        throw new KeepsetError('transport/bad-response', 'The answer belongs to another step.');
      isIn = true;
      return response;
    },
    leave: async () => {
      if (!isIn) return;
      isIn = false;
      await device.transport
        .resolve(session, head === undefined ? {} : { head }, leaveWithinMs)
        .catch(() => undefined);
    },
    finish: () => {
      isIn = false;
    },
  };
};

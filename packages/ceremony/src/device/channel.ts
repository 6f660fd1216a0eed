/** A device's side of one session with Party 1: counts its steps and checks that answers belong to them. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
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
}

export const openSessionChannel = async (
  device: DeviceParty,
  session: Uint8Array,
): Promise<SessionChannel> => {
  const head = await device.logPin.load();
  let step = 0;
  return {
    session,
    head,
    step: async ({ start, messages = [], relay = [] }) => {
      step += 1;
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
      return response;
    },
  };
};

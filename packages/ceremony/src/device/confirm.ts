import type { GroupKey, Step } from '@keepset/threshold';
import { confirmationOf } from '../witness.ts';
import type { DeviceParty } from './ports.ts';

/** A session's participants and what their protocol ends with. */
interface Confirming<R> {
  readonly session: Uint8Array;
  readonly participants: readonly string[];
  readonly groupOf: (result: R) => GroupKey;
}

/**
 * Where the server takes no part in a protocol, it learns from every device that it has finished. A device says so only
 * when all others have confirmed the same transcript to it: the server's word adds the commit, and can change nothing.
 *
 * So there is nothing to hold as pending before that. What a device has not compared with all others must not be there to
 * be made final by the word of a server that lies.
 */
export const confirming = <R>(device: DeviceParty, about: Confirming<R>, machine: Step<R>): Step<R> => {
  const { session, participants, groupOf } = about;
  if (participants.includes(device.serverParty)) return machine;
  if (machine.status === 'running') {
    const { pending: _unconfirmed, ...running } = machine;
    return { ...running, advance: (incoming) => confirming(device, about, machine.advance(incoming)) };
  }
  const confirmation = confirmationOf(session, device.party, device.serverParty, groupOf(machine.result));
  return { ...machine, outgoing: [...machine.outgoing, confirmation] };
};

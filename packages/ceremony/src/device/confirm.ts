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
 */
export const confirming = <R>(device: DeviceParty, about: Confirming<R>, machine: Step<R>): Step<R> => {
  const { session, participants, groupOf } = about;
  if (participants.includes(device.serverParty)) return machine;
  if (machine.status === 'running')
    return { ...machine, advance: (incoming) => confirming(device, about, machine.advance(incoming)) };
  const confirmation = confirmationOf(session, device.party, device.serverParty, groupOf(machine.result));
  return { ...machine, outgoing: [...machine.outgoing, confirmation] };
};

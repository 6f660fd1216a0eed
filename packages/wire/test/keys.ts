/** Real keys for tests, generated in memory. */
import { protocolFor } from '@keepset/threshold';
import type { KeyShare, PartyId, ProtocolMessage, Scheme, Step } from '@keepset/threshold';

/** Runs a keygen among all parties; the shares come in the order of `parties`. */
export const makeKey = (scheme: Scheme, parties: readonly PartyId[], threshold: number): KeyShare[] => {
  const session = new Uint8Array(32).fill(parties.length);
  const policy = `thresh(${threshold},${parties.join(',')})`;
  const machines = new Map<PartyId, Step<KeyShare>>();
  const mail: ProtocolMessage[] = [];
  const keep = (me: PartyId, step: Step<KeyShare>): void => {
    machines.set(me, step);
    mail.push(...step.outgoing);
  };
  for (const me of parties)
    keep(me, protocolFor(scheme).startKeygen({ scheme, session, policy, parties, threshold, me }));
  for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
    const step = machines.get(next.to);
    if (step?.status !== 'running') throw new Error('machine ended early');
    keep(next.to, step.advance([next]));
  }
  return parties.map((party) => {
    const step = machines.get(party);
    if (step?.status !== 'done') throw new Error(`${party} did not finish`);
    return step.result;
  });
};

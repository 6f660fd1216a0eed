/** Honest runs, for the generators of vectors. */
import type { PartyId, ProtocolMessage, Step } from '../packages/threshold/src/index.ts';

/** Runs all parties, round by round; the messages in the order of round, sender. */
export const runAll = <R>(
  parties: readonly PartyId[],
  start: (party: PartyId) => Step<R>,
): { results: Map<PartyId, R>; messages: ProtocolMessage[] } => {
  const steps = new Map(parties.map((party) => [party, start(party)]));
  const messages: ProtocolMessage[] = [];
  let mail = [...steps.values()].flatMap(({ outgoing }) => outgoing);
  while (mail.length > 0) {
    messages.push(...mail);
    const batch = mail;
    mail = [];
    for (const [party, step] of steps) {
      const incoming = batch.filter(({ to }) => to === party);
      if (step.status !== 'running' || incoming.length === 0) continue;
      const next = step.advance(incoming);
      steps.set(party, next);
      mail.push(...next.outgoing);
    }
  }
  const results = [...steps].map(([party, step]) => {
    if (step.status !== 'done') throw new Error('An honest run did not finish.');
    return [party, step.result] as const;
  });
  return { results: new Map(results), messages };
};

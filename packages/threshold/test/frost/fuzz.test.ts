/** A network that does anything to any message, at random: what may never happen, does not. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { protocolFor, type PartyId, type ProtocolMessage } from '../../src/index.ts';
import {
  frostSchemes,
  groupOf,
  hex,
  keyOf,
  keygenStarts,
  plain,
  rehearse,
  run,
  sha256,
  signStarts,
  theOne,
  type Ended,
  type Starts,
  type Wire,
} from './network.ts';

const parties = ['phone', 'server', 'usb'];

/** One act of the network; `at` says on which message, the rest where to hit. */
interface Act {
  readonly at: number;
  readonly what:
    | 'drop'
    | 'repeat'
    | 'delay'
    | 'flip'
    | 'cut'
    | 'grow'
    | 'foreign'
    | 'reflect'
    | 'redirect'
    | 'older'
    | 'rename';
  readonly where: number;
}
const acts = (messages: number): fc.Arbitrary<Act[]> =>
  fc.array(
    fc.record({
      at: fc.nat(messages - 1),
      what: fc.constantFrom<Act['what']>(
        'drop',
        'repeat',
        'delay',
        'flip',
        'cut',
        'grow',
        'foreign',
        'reflect',
        'redirect',
        'older',
        'rename',
      ),
      where: fc.nat(5000),
    }),
    { minLength: 1, maxLength: 4 },
  );

const wireFor = (plan: readonly Act[], foreign: readonly ProtocolMessage[]): Wire => {
  let count = 0;
  const seen: ProtocolMessage[] = [];
  let delayed: ProtocolMessage[] = [];
  return (message) => {
    const number = count++;
    seen.push(message);
    let out: ProtocolMessage[] = [message];
    for (const { what, where } of plan.filter((act) => act.at === number)) {
      const place = where % message.body.length;
      const other = theOne(parties.find((party) => party !== message.to && party !== message.from));
      const change: Record<Act['what'], () => ProtocolMessage[]> = {
        drop: () => [],
        repeat: () => [...out, ...out],
        delay: () => {
          delayed.push(...out);
          return [];
        },
        flip: () =>
          // What was cut may end before the place.
          out.map((one) => ({
            ...one,
            body: one.body.map((byte, i) => (i === place ? byte ^ (1 << (where % 8)) : byte)),
          })),
        cut: () => out.map((one) => ({ ...one, body: one.body.slice(0, place) })),
        grow: () => out.map((one) => ({ ...one, body: Uint8Array.from([...one.body, where % 256]) })),
        foreign: () => out.map((one) => ({ ...one, body: theOne(foreign[where % foreign.length]).body })),
        reflect: () => [...out, ...out.map((one) => ({ ...one, to: one.from, from: one.to }))],
        redirect: () => out.map((one) => ({ ...one, to: other })),
        older: () => out.map((one) => ({ ...one, body: theOne(seen[where % seen.length]).body })),
        rename: () => out.map((one) => ({ ...one, from: other })),
      };
      out = change[what]();
    }
    if (number % 5 === 4 && delayed.length > 0) {
      out = [...delayed, ...out];
      delayed = [];
    }
    return out;
  };
};

/** What holds however a run ends. */
const expectTypedEnds = (ended: Ended<unknown>): void => {
  for (const error of ended.failures.values()) {
    expect(error.code).toMatch(/^abort\//);
    for (const culprit of error.culprits) expect(parties).toContain(culprit);
  }
  for (const [, error] of ended.refusals) expect(error.code).toMatch(/^abort\//);
  expect(ended.results.size + ended.failures.size + ended.waiting.size).toBe(parties.length);
};

const foreignTo = (starts: Starts<unknown>): readonly ProtocolMessage[] => {
  const rehearsal = rehearse(starts);
  return parties.flatMap((party) => [1, 2].flatMap((round) => rehearsal.inbox(party, round)));
};

describe.each(frostSchemes)('%s on a network that does anything', (scheme) => {
  const light = scheme === 'ed25519';

  it('never ends with two keys or with a share that does not fit', () => {
    const starts = keygenStarts(scheme, 2, parties, 'fuzz');
    const foreign = foreignTo(keygenStarts(scheme, 2, parties, 'fuzz, another'));
    const honest = JSON.stringify(groupOf(run(starts).results));
    fc.assert(
      fc.property(acts(18), (plan) => {
        const ended = run(starts, { wire: wireFor(plan, foreign) });
        expectTypedEnds(ended);
        const keys = new Set([...ended.results.values()].map((share) => JSON.stringify(share.group)));
        expect(keys.size).toBeLessThanOrEqual(1);
        // No one of the parties cheats: what they agree on can only be what they would have made.
        for (const key of keys) expect(key).toBe(honest);
        for (const share of ended.results.values()) expect(protocolFor(scheme).checkShare(share)).toBe(true);
      }),
      { numRuns: light ? 10 : 40 },
    );
  });

  it('never lets a wrong signature out, nor two', () => {
    const shares = keyOf(scheme, 2, 3);
    const group = groupOf(shares);
    const request = plain(sha256('fuzz'));
    const starts = signStarts(shares, parties, request, 'fuzz');
    const foreign = foreignTo(signStarts(shares, parties, plain(sha256('other')), 'fuzz, another'));
    fc.assert(
      fc.property(acts(12), (plan) => {
        const ended = run(starts, { wire: wireFor(plan, foreign) });
        expectTypedEnds(ended);
        const signatures: ReadonlyMap<PartyId, Uint8Array> = ended.results;
        expect(new Set([...signatures.values()].map(hex)).size).toBeLessThanOrEqual(1);
        for (const signature of signatures.values())
          expect(protocolFor(scheme).verify(group, request, signature)).toBe(true);
      }),
      { numRuns: light ? 15 : 50 },
    );
  });
});

/** What a network can do to messages it cannot read: lose, repeat, delay, redirect and mix them. */
import { describe, expect, it } from 'vitest';
import { protocolFor, type PartyId, type ProtocolMessage } from '../../src/index.ts';
import { codeOf } from '../machine/support.ts';
import {
  endOf,
  frostSchemes,
  groupOf,
  hex,
  keyOf,
  keyUnder,
  keygenStarts,
  keygenUnder,
  plain,
  rehearse,
  run,
  sha256,
  signStarts,
  theOne,
  type FrostScheme,
  type Rehearsal,
  type Starts,
} from './network.ts';

const parties = ['phone', 'server', 'usb'];
const nested = 'and(phone,or(server,usb))';
const [victim, peer, other] = ['phone', 'server', 'usb'] as const;

interface Protocol {
  readonly name: string;
  readonly rounds: number;
  /** The same parties in a session of their own. */
  readonly starts: (session: string) => Starts<unknown>;
}
const protocols = (scheme: FrostScheme): readonly Protocol[] => [
  { name: 'keygen', rounds: 3, starts: (session) => keygenStarts(scheme, 2, parties, session) },
  {
    name: 'sign',
    rounds: 2,
    starts: (session) => signStarts(keyOf(scheme, 2, 3), parties, plain(sha256('m')), session),
  },
  {
    name: 'keygen under a nested policy',
    rounds: 3,
    starts: (session) => keygenUnder(scheme, nested, session),
  },
  {
    name: 'sign under a nested policy',
    rounds: 2,
    starts: (session) => signStarts(keyUnder(scheme, nested), parties, plain(sha256('m')), session),
  },
];

const printed = (results: ReadonlyMap<PartyId, unknown>): string =>
  JSON.stringify(
    [...results].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    (_key, value: unknown) => (value instanceof Uint8Array ? hex(value) : value),
  );

describe.each(frostSchemes)('%s', (scheme) => {
  describe.each(protocols(scheme))('$name', ({ name, rounds, starts }) => {
    const rehearsal: Rehearsal<unknown> = rehearse(starts('one'));
    const foreign: Rehearsal<unknown> = rehearse(starts('two'));
    const honest = printed(rehearsal.results);
    const numbers = Array.from({ length: rounds }, (_, i) => i + 1);
    const from = (messages: readonly ProtocolMessage[], party: PartyId): ProtocolMessage =>
      theOne(messages.find((message) => message.from === party));

    it('goes on waiting for a message that is lost, whichever it is', () => {
      for (const party of parties)
        for (const round of numbers) {
          const inbox = rehearsal.inbox(party, round);
          expect(inbox).toHaveLength(2);
          const lost = theOne(inbox[round % 2]);
          const step = rehearsal.at(party, round).advance(inbox.filter((message) => message !== lost));
          expect(step).toMatchObject({ status: 'running', round, awaiting: [lost.from], outgoing: [] });
        }
    });

    it('no one finishes without a message of the last round, and all can still finish', () => {
      const withheld: ProtocolMessage[] = [];
      const ended = run(starts('one'), {
        wire: (message) => {
          if (message.round !== rounds || message.to !== victim) return [message];
          withheld.push(message);
          return [];
        },
      });
      expect([...ended.results.keys()].toSorted()).toEqual(['server', 'usb']);
      const step = theOne(ended.waiting.get(victim)).advance(withheld);
      expect(step.status).toBe('done');
      expect(
        printed(new Map([...ended.results, [victim, step.status === 'done' ? step.result : undefined]])),
      ).toBe(honest);
    });

    it('refuses every repeated message, early or late, and goes on', () => {
      const history: ProtocolMessage[] = [];
      const ended = run(starts('one'), {
        wire: (message) => {
          history.push(message);
          return [message, ...history];
        },
      });
      expect(printed(ended.results)).toBe(honest);
      expect(ended.failures.size).toBe(0);
      expect(ended.refusals.length).toBeGreaterThan(4);
      for (const [, error] of ended.refusals)
        expect(error.code).toMatch(/^abort\/(duplicate-message|wrong-round)$/);
    });

    it('refuses messages of another session, those for others and those from strangers, and goes on', () => {
      const ended = run(starts('one'), {
        wire: (message) => [
          from(foreign.inbox(message.to, message.round), message.from),
          { ...message, from: 'mallory' },
          { ...message, from: message.to },
          { ...message, round: rounds + 1 },
          { ...message, round: 0 },
          { ...message, context: message.context.slice(1) },
          message,
        ],
      });
      expect(printed(ended.results)).toBe(honest);
      expect(ended.failures.size).toBe(0);
      const codes = new Set(ended.refusals.map(([, error]) => error.code));
      expect([...codes].toSorted()).toEqual([
        'abort/unknown-party',
        'abort/wrong-round',
        'abort/wrong-session',
      ]);
    });

    /** What becomes of the victim if `forge` makes the peer's message of `round`. */
    const fate = (round: number, forge: (message: ProtocolMessage) => Uint8Array): string => {
      const inbox = rehearsal.inbox(victim, round);
      const body = forge(from(inbox, peer));
      if (hex(body) === hex(from(inbox, peer).body)) return 'the same message';
      const error = endOf(
        rehearsal,
        victim,
        round,
        inbox.map((message) => (message.from === peer ? { ...message, body } : message)),
      );
      return error === undefined ? 'accepted' : `${error.code} ${error.culprits.join('+')}`.trim();
    };
    const expected = (keygen: readonly string[], sign: readonly string[]): readonly string[] =>
      name.startsWith('keygen') ? keygen : sign;

    it('aborts on a body of another session under a forged header', () => {
      const fates = numbers.map((round) => fate(round, () => from(foreign.inbox(victim, round), peer).body));
      expect(fates).toEqual(
        expected(
          ['abort/bad-commitment server', 'abort/bad-commitment server', 'abort/transcript-mismatch'],
          ['abort/transcript-mismatch', 'abort/transcript-mismatch'],
        ),
      );
    });

    it('aborts on its own message, reflected under a forged header', () => {
      const fates = numbers.map((round) =>
        fate(round, () => from(rehearsal.inbox(peer, round), victim).body),
      );
      expect(fates).toEqual(
        expected(
          ['abort/bad-proof server', 'abort/bad-commitment server', 'the same message'],
          ['abort/transcript-mismatch', 'abort/bad-share server'],
        ),
      );
    });

    it('aborts on another party’s message under a forged header', () => {
      const fates = numbers.map((round) =>
        fate(round, () => from(rehearsal.inbox(victim, round), other).body),
      );
      expect(fates).toEqual(
        expected(
          ['abort/bad-proof server', 'abort/bad-commitment server', 'the same message'],
          ['abort/transcript-mismatch', 'abort/bad-share server'],
        ),
      );
    });

    it('aborts on a message meant for another party under a forged header', () => {
      const fates = numbers.map((round) => fate(round, () => from(rehearsal.inbox(other, round), peer).body));
      expect(fates).toEqual(
        expected(
          ['the same message', 'abort/bad-share server', 'the same message'],
          ['the same message', 'the same message'],
        ),
      );
    });

    it('is not fooled by the bodies of two senders exchanged', () => {
      const fates = numbers.map((round) => {
        const inbox = rehearsal.inbox(victim, round);
        const [a, b] = [from(inbox, peer), from(inbox, other)];
        if (hex(a.body) === hex(b.body)) return 'the same message';
        const error = endOf(rehearsal, victim, round, [
          { ...a, body: b.body },
          { ...b, body: a.body },
        ]);
        return error === undefined ? 'accepted' : `${error.code} ${error.culprits.join('+')}`.trim();
      });
      expect(fates).toEqual(
        expected(
          ['abort/bad-proof server+usb', 'abort/bad-commitment server', 'the same message'],
          // Signature shares are summed: exchanged they make the very same signature, which was verified.
          ['abort/transcript-mismatch', 'accepted'],
        ),
      );
    });

    it('takes a stray message without harm, and a state only once', () => {
      for (const round of numbers) {
        const state = rehearsal.at(victim, round);
        const inbox = rehearsal.inbox(victim, round);
        const stray = { ...theOne(inbox[0]), context: new Uint8Array(32) };
        const own = from(rehearsal.inbox(peer, round), victim);
        expect(codeOf(() => state.advance([own]))).toBe('abort/wrong-session');
        expect(codeOf(() => state.advance([stray]))).toBe('abort/wrong-session');
        expect(codeOf(() => state.advance([...inbox, stray]))).toBe('abort/wrong-session');
        expect(codeOf(() => state.advance(inbox))).toBe('ok');
        expect(codeOf(() => state.advance(inbox))).toBe('abort/state-consumed');
        expect(codeOf(() => state.advance([]))).toBe('abort/state-consumed');
        const spoilt = rehearsal.at(victim, round);
        const garbage = inbox.map((message) => ({ ...message, body: Uint8Array.of(0xff) }));
        expect(codeOf(() => spoilt.advance(garbage))).toBe('abort/malformed-message');
        expect(codeOf(() => spoilt.advance(inbox))).toBe('abort/state-consumed');
      }
    });

    if (name.startsWith('keygen'))
      it('ends with shares that fit their key', () => {
        const shares = rehearsal.results as ReadonlyMap<
          PartyId,
          Parameters<ReturnType<typeof protocolFor>['checkShare']>[0]
        >;
        expect([...shares.values()].map((share) => protocolFor(scheme).checkShare(share))).toEqual([
          true,
          true,
          true,
        ]);
        expect(groupOf(shares).parties).toEqual(parties);
      });
  });
});

import * as fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { KeepsetError, encodeCbor, integerBetween, toHex, type Schema } from '@keepset/bytes';
import {
  startMachine,
  toAll,
  type Inbox,
  type PartyId,
  type Participation,
  type ProtocolMessage,
  type Running,
  type Step,
  type Transition,
} from '../../src/machine.ts';
import { codeOf } from './support.ts';

const context = new Uint8Array(32).fill(7);
const numberSchema: Schema<{ n: number }> = v.strictObject({ n: integerBetween(0, 1_000_000) });
const says = (n: number): Uint8Array => encodeCbor({ n });

interface Options {
  readonly rounds?: number;
  /** Called in each round, to fail as told. */
  readonly onRound?: (round: number, inbox: Inbox) => void;
}

/** A protocol that adds up a number of each peer in each round; the sum is pending while the last round is awaited. */
const startSum = (
  me: PartyId,
  peers: readonly PartyId[],
  { rounds = 3, onRound }: Options = {},
): Step<{ readonly sum: number }> => {
  const who: Participation = { context, me, peers, rounds };
  const wait = (round: number, sum: number): Transition<{ readonly sum: number }> => {
    const pending = { sum };
    return {
      send: toAll(peers, says(round)),
      ...(round === rounds ? { pending } : {}),
      next: (inbox) => {
        onRound?.(round, inbox);
        const heard = peers.map((peer) => inbox.read(peer, numberSchema).n).reduce((a, b) => a + b, 0);
        return round === rounds ? { result: pending } : wait(round + 1, sum + heard);
      },
    };
  };
  return startMachine(who, () => wait(1, 0));
};

const running = <R>(step: Step<R>): Running<R> => {
  if (step.status === 'done') throw new Error('already done');
  return step;
};
const message = (
  from: PartyId,
  round: number,
  body: Uint8Array = says(round),
  change: Partial<ProtocolMessage> = {},
): ProtocolMessage => ({
  context,
  round,
  from,
  to: 'me',
  body,
  ...change,
});
const errorOf = (act: () => unknown): KeepsetError => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('a machine', () => {
  it('sends one message to each peer, and says what it waits for', () => {
    const step = running(startSum('me', ['a', 'b']));
    expect(step).toMatchObject({ status: 'running', round: 1, rounds: 3, awaiting: ['a', 'b'] });
    expect(step.outgoing).toEqual([
      { context, round: 1, from: 'me', to: 'a', body: says(1) },
      { context, round: 1, from: 'me', to: 'b', body: says(1) },
    ]);
    const later = running(step.advance([message('b', 1)]));
    expect(later).toMatchObject({ round: 1, awaiting: ['a'], outgoing: [] });
    expect(running(later.advance([message('a', 1)]))).toMatchObject({ round: 2, awaiting: ['a', 'b'] });
  });

  it('ends with the same result in whatever order and batches the messages come', () => {
    const all = ['a', 'b', 'c'].flatMap((from) =>
      [1, 2, 3].map((round) => message(from, round, says(round * 10))),
    );
    const order = fc.shuffledSubarray(all, { minLength: all.length });
    const cuts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(order, cuts, (messages, sizes) => {
        let step: Step<{ readonly sum: number }> = startSum('me', ['a', 'b', 'c']);
        const sent = [...step.outgoing];
        const shown: unknown[] = [];
        for (let at = 0, cut = 0; at < messages.length; cut += 1) {
          const batch = messages.slice(at, at + (sizes[cut] ?? 1));
          at += batch.length;
          step = running(step).advance(batch);
          sent.push(...step.outgoing);
          if (step.status === 'running' && step.pending !== undefined) shown.push(step.pending);
        }
        if (step.status !== 'done') throw new Error('not done');
        expect(step.result).toEqual({ sum: 90 });
        // Each round's messages leave exactly once, in the order of rounds.
        expect(sent.map(({ round, to }) => `${round}${to}`)).toEqual([
          '1a',
          '1b',
          '1c',
          '2a',
          '2b',
          '2c',
          '3a',
          '3b',
          '3c',
        ]);
        for (const pending of shown) expect(pending).toBe(step.result);
      }),
    );
  });

  it('shows the pending result only while the last round is awaited', () => {
    const first = running(startSum('me', ['a'], { rounds: 2 }));
    expect('pending' in first).toBe(false);
    const second = running(first.advance([message('a', 1)]));
    expect(second.pending).toEqual({ sum: 1 });
    const done = second.advance([message('a', 2)]);
    expect(done.status === 'done' && done.result).toBe(second.pending);
    // With the confirmation already there nothing is pending.
    expect(
      running(startSum('me', ['a'], { rounds: 2 })).advance([message('a', 2), message('a', 1)]).status,
    ).toBe('done');
  });

  it('hands out its last messages with the result', () => {
    const done = running(startSum('me', ['a'], { rounds: 2 })).advance([message('a', 1), message('a', 2)]);
    expect(done.outgoing.map(({ round }) => round)).toEqual([2]);
  });

  it('may be done before it starts', () => {
    const who = { context, me: 'me', peers: ['a'], rounds: 0 };
    expect(startMachine(who, () => ({ result: 1 }))).toEqual({ status: 'done', outgoing: [], result: 1 });
  });
});

describe('a wrong header', () => {
  const cases: readonly (readonly [string, Partial<ProtocolMessage>, string])[] = [
    ['another context', { context: new Uint8Array(32).fill(8) }, 'abort/wrong-session'],
    ['a context with one bit flipped', { context: context.with(31, 6) }, 'abort/wrong-session'],
    ['a short context', { context: context.slice(0, 31) }, 'abort/wrong-session'],
    ['a long context', { context: Uint8Array.from([...context, 0]) }, 'abort/wrong-session'],
    ['no context', { context: new Uint8Array(0) }, 'abort/wrong-session'],
    ['another recipient', { to: 'a' }, 'abort/wrong-session'],
    ['no recipient', { to: '' }, 'abort/wrong-session'],
    ['a stranger as sender', { from: 'mallory' }, 'abort/unknown-party'],
    ['oneself as sender', { from: 'me' }, 'abort/unknown-party'],
    ['a sender that is a property of every object', { from: 'constructor' }, 'abort/unknown-party'],
    ['a past round', { round: 1 }, 'abort/wrong-round'],
    ['round 0', { round: 0 }, 'abort/wrong-round'],
    ['a negative round', { round: -2 }, 'abort/wrong-round'],
    ['a round that never comes', { round: 4 }, 'abort/wrong-round'],
    ['a fractional round', { round: 2.5 }, 'abort/wrong-round'],
    ['round NaN', { round: Number.NaN }, 'abort/wrong-round'],
    ['round infinity', { round: Infinity }, 'abort/wrong-round'],
    ['a round as text', { round: '2' as unknown as number }, 'abort/wrong-round'],
  ];

  it.each(cases)('%s is refused and harms nothing', (_name, change, code) => {
    const step = running(running(startSum('me', ['a', 'b'])).advance([message('a', 1), message('b', 1)]));
    const bad = message('a', 2, says(2), change);
    const error = errorOf(() => step.advance([bad]));
    expect(error).toMatchObject({ code, culprits: [], session: toHex(context) });
    // Nor does it when good messages come with it: they are not taken either, and can come again.
    expect(codeOf(() => step.advance([message('a', 2), bad]))).toBe(code);
    expect(codeOf(() => step.advance([bad, message('b', 2), message('a', 2)]))).toBe(code);
    expect(running(step.advance([message('b', 2), message('a', 2)])).round).toBe(3);
  });

  it('a second message of the same sender and round is refused, also if it is the same, early or in one batch', () => {
    const step = running(startSum('me', ['a', 'b']));
    expect(codeOf(() => step.advance([message('a', 1), message('a', 1)]))).toBe('abort/duplicate-message');
    expect(codeOf(() => step.advance([message('a', 3), message('a', 3, says(9))]))).toBe(
      'abort/duplicate-message',
    );
    const later = running(step.advance([message('a', 1), message('a', 2)]));
    expect(codeOf(() => later.advance([message('a', 1)]))).toBe('abort/duplicate-message');
    expect(codeOf(() => later.advance([message('a', 2, says(9))]))).toBe('abort/duplicate-message');
    expect(running(later.advance([message('b', 1)]))).toMatchObject({ round: 2, awaiting: ['b'] });
  });
});

describe('a wrong body', () => {
  it.each<readonly [string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['no CBOR', Uint8Array.of(0xff)],
    ['another type', encodeCbor('1')],
    ['a missing field', encodeCbor({})],
    ['an unknown field', encodeCbor({ n: 1, m: 1 })],
    ['a value out of range', encodeCbor({ n: -1 })],
    ['a trailing byte', Uint8Array.from([...says(1), 0])],
    ['a form that is not canonical', Uint8Array.of(0xa1, 0x61, 0x6e, 0x18, 0x01)],
  ])('(%s) is its sender’s fault and ends the run', (_name, body) => {
    const step = running(startSum('me', ['a', 'b']));
    const error = errorOf(() => step.advance([message('a', 1), message('b', 1, body)]));
    expect(error).toMatchObject({
      code: 'abort/malformed-message',
      culprits: ['b'],
      round: 1,
      session: toHex(context),
    });
    expect(codeOf(() => step.advance([message('a', 1), message('b', 1)]))).toBe('abort/state-consumed');
  });

  it('that came early is found when its round runs', () => {
    const step = running(running(startSum('me', ['a', 'b'])).advance([message('b', 2, Uint8Array.of(0xff))]));
    const error = errorOf(() => step.advance([message('a', 1), message('b', 1), message('a', 2)]));
    expect(error).toMatchObject({ code: 'abort/malformed-message', culprits: ['b'], round: 2 });
    expect(codeOf(() => step.advance([]))).toBe('abort/state-consumed');
  });
});

describe('a state', () => {
  it('serves once, whether the step completes the round or not', () => {
    const partial = running(startSum('me', ['a', 'b']));
    const next = running(partial.advance([message('a', 1)]));
    expect(errorOf(() => partial.advance([message('a', 1)]))).toMatchObject({
      code: 'abort/state-consumed',
      session: toHex(context),
    });
    expect(codeOf(() => partial.advance([]))).toBe('abort/state-consumed');
    next.advance([message('b', 1)]);
    expect(codeOf(() => next.advance([message('b', 1)]))).toBe('abort/state-consumed');
  });

  it('is consumed by an empty step, whose successor waits for the same', () => {
    const step = running(startSum('me', ['a', 'b']));
    const next = running(step.advance([]));
    expect(next).toMatchObject({ round: 1, awaiting: ['a', 'b'], outgoing: [] });
    expect(codeOf(() => step.advance([message('a', 1)]))).toBe('abort/state-consumed');
  });

  it('does not change what an earlier state has taken', () => {
    const step = running(running(startSum('me', ['a', 'b'])).advance([message('a', 1)]));
    expect(codeOf(() => step.advance([message('b', 1, says(1), { round: 9 })]))).toBe('abort/wrong-round');
    expect(step.awaiting).toEqual(['b']);
  });
});

describe('an error of the protocol itself', () => {
  const failing = (thrown: unknown): Running<unknown> =>
    running(
      startSum('me', ['a'], {
        onRound: () => {
          throw thrown;
        },
      }),
    );

  it('gets session and round and keeps everything else', () => {
    const cause = new Error('inner');
    const step = failing(
      new KeepsetError('abort/bad-share', 'text', {
        culprits: ['a'],
        hint: 'do this',
        retry: 'never',
        cause,
      }),
    );
    const error = errorOf(() => step.advance([message('a', 1)]));
    expect(error).toMatchObject({
      code: 'abort/bad-share',
      message: 'text',
      culprits: ['a'],
      hint: 'do this',
      retry: 'never',
      cause,
      round: 1,
      session: toHex(context),
    });
    expect(codeOf(() => step.advance([message('a', 1)]))).toBe('abort/state-consumed');
  });

  it('that nobody foresaw passes unchanged, and the state is consumed all the same', () => {
    const bug = new TypeError('bug');
    const step = failing(bug);
    expect(() => step.advance([message('a', 1)])).toThrow(bug);
    expect(codeOf(() => step.advance([message('a', 1)]))).toBe('abort/state-consumed');
  });

  it('that reads from someone who is not there is a bug, not an abort', () => {
    const peek = (inbox: Inbox): unknown => inbox.bytes('nobody');
    const step = running(startSum('me', ['a'], { onRound: (_round, inbox) => peek(inbox) }));
    expect(codeOf(() => step.advance([message('a', 1)]))).toBe('bug/invariant');
  });
});

it('gives a round the very bytes that came', () => {
  const heard: Uint8Array[] = [];
  const step = running(startSum('me', ['a'], { onRound: (_round, inbox) => heard.push(inbox.bytes('a')) }));
  step.advance([message('a', 1, says(5))]);
  expect(heard).toEqual([says(5)]);
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import type { PartyId, ProtocolMessage, Step } from '../../src/index.ts';
import {
  honestMessages,
  isSame,
  kindOf,
  mutationsOf,
  runAlone,
  scenariosOf,
  type Scenario,
} from './adversary.ts';
import { resultsOf, runNetwork, schnorrSchemes, sessionOf, type Starts } from './setup.ts';

const scenarios = schnorrSchemes.flatMap((scheme) =>
  scenariosOf(scheme).map((scenario) => [scenario.name, scheme, scenario] as const),
);

/** The part of a result that all must have in common. */
const groupIn = (result: unknown): unknown => (result as { group: unknown }).group;

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'accepted';
};

/** One message of each kind. */
const oneOfEach = (scenario: Scenario, messages: readonly ProtocolMessage[]): ProtocolMessage[] => [
  ...new Map(messages.map((message) => [kindOf(scenario, message), message])).values(),
];

describe.each(scenarios)('%s with %s', (_name, scheme, scenario) => {
  const starts = (): Starts<unknown> => scenario.starts('honest');
  const honest = honestMessages(scenario, 'honest');
  const results = resultsOf(runNetwork(starts()));
  const group = groupIn([...results.values()][0]);

  it('comes to one key that is the old one', () => {
    for (const result of results.values()) expect(groupIn(result)).toEqual(group);
    const { keyId, publicKey, chainCode } = scenario.key;
    expect(group).toMatchObject({ keyId, publicKey, chainCode });
  });

  it('waits for a dropped message, and says for whose', () => {
    for (const dropped of oneOfEach(scenario, honest)) {
      const { outcomes } = runNetwork(starts(), (message) =>
        isSame(message, dropped) ? undefined : message,
      );
      expect(outcomes.get(dropped.to)).toMatchObject({ status: 'waiting', awaiting: [dropped.from] });
      for (const outcome of outcomes.values()) {
        expect(outcome.status).not.toBe('failed');
        if (outcome.status === 'done') expect(groupIn(outcome.result)).toEqual(group);
      }
    }
  });

  it('ends the same in whatever order messages arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 80, maxLength: 80 }), (numbers) => {
        const machines = new Map<PartyId, Step<unknown>>();
        for (const [party, start] of starts()) machines.set(party, start());
        const mail = [...machines.values()].flatMap((step) => step.outgoing);
        for (let i = 0; mail.length > 0; i++) {
          const [message] = mail.splice((numbers[i % 80] ?? 0) % mail.length, 1);
          const step = machines.get(message!.to)!;
          if (step.status !== 'running') throw new Error('ended early');
          const next = step.advance([message!]);
          machines.set(message!.to, next);
          mail.push(...next.outgoing);
        }
        for (const step of machines.values()) {
          if (step.status !== 'done') throw new Error('unfinished');
          expect(groupIn(step.result)).toEqual(group);
        }
      }),
      { numRuns: 4 },
    );
  });

  it('refuses stray messages and goes on', () => {
    const elsewhere = honestMessages(scenario, 'another session');
    for (const [me, start] of starts()) {
      let step = start();
      const mine = honest.filter(({ to }) => to === me);
      const used: ProtocolMessage[] = [];
      for (const message of mine) {
        if (step.status !== 'running') throw new Error('ended early');
        const current = step;
        const { round } = current;
        const refusal = (...strays: ProtocolMessage[]): string => codeOf(() => current.advance(strays));
        expect(refusal(elsewhere.find((other) => isSame(other, message))!)).toBe('abort/wrong-session');
        expect(refusal({ ...message, context: sessionOf('forged') })).toBe('abort/wrong-session');
        expect(refusal({ ...message, to: message.from })).toBe('abort/wrong-session');
        // Reflected: what it sent itself, turned round.
        expect(refusal({ ...message, from: me })).toBe('abort/unknown-party');
        expect(refusal({ ...message, from: 'stranger' })).toBe('abort/unknown-party');
        expect(refusal({ ...message, round: 0 })).toBe('abort/wrong-round');
        expect(refusal({ ...message, round: 4 })).toBe('abort/wrong-round');
        expect(refusal(message, message)).toBe('abort/duplicate-message');
        for (const old of used)
          expect(refusal(old)).toBe(old.round < round ? 'abort/wrong-round' : 'abort/duplicate-message');
        const next = current.advance([message]);
        expect(refusal(message)).toBe('abort/state-consumed');
        used.push(message);
        step = next;
      }
      expect(step.status).toBe('done');
    }
  });

  it('names the sender of every body that is changed in form or in any field', () => {
    const otherRun = honestMessages(scenario, 'honest', 'other randomness');
    for (const message of oneOfEach(scenario, honest)) {
      const foreign = otherRun.find((other) => isSame(other, message))!.body;
      for (const { what, field, body } of mutationsOf(scheme, message.body, foreign)) {
        const mail = honest
          .filter(({ to }) => to === message.to)
          .map((other) => (isSame(other, message) ? { ...other, body } : other));
        const outcome = runAlone(starts().get(message.to)!, mail);
        const where = `${kindOf(scenario, message)}, ${what}`;
        if (!(outcome instanceof KeepsetError)) throw new Error(`not noticed: ${where}`);
        expect(outcome.family, where).toBe('abort');
        expect(outcome.session, where).toBeDefined();
        // What no one can check alone shows in the transcript, which tells that two views differ, not whose is true:
        // fresh randomness, and to a repair's target how else the same share could have been cut.
        const isUncheckable =
          ['random', 'transcript'].includes(field) ||
          ['images: reversed', 'images: another’s value'].includes(what);
        const isShown = isUncheckable && outcome.code === 'abort/transcript-mismatch';
        if (!isShown) expect(outcome.culprits, where).toEqual([message.from]);
      }
    }
  });

  it('never leaves two parties with different keys, whichever messages are changed on the way', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (choices, all) => {
          const changed = choices.map(([which, how]) => {
            const message = honest[which % honest.length]!;
            const mutations = mutationsOf(scheme, message.body, undefined);
            return { message, body: mutations[how % mutations.length]!.body };
          });
          const { outcomes } = runNetwork(starts(), (message) => {
            const change = changed.find((other) =>
              isSame({ ...other.message, to: all ? message.to : other.message.to }, message),
            );
            return change === undefined ? message : { ...message, body: change.body };
          });
          for (const outcome of outcomes.values()) {
            if (outcome.status === 'done') expect(groupIn(outcome.result)).toEqual(group);
            if (outcome.status === 'failed') expect(outcome.error.family).toBe('abort');
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  it('catches each party that shows different faces to different peers', () => {
    for (const liar of starts().keys()) {
      const others = [...starts().keys()].filter((party) => party !== liar);
      for (const deceived of others.slice(0, 2)) {
        const outcomes = runTwoFaced(scenario, liar, deceived);
        const failed = [...outcomes].filter(([, outcome]) => outcome instanceof KeepsetError);
        expect(failed.length, `${liar} to ${deceived}`).toBeGreaterThan(0);
        for (const [, error] of failed) {
          const { code, culprits } = error as KeepsetError;
          expect(code).toBe('abort/transcript-mismatch');
          expect(culprits).toEqual([]);
        }
        for (const outcome of outcomes.values())
          if (!(outcome instanceof KeepsetError)) expect(outcome.status).not.toBe('done');
      }
    }
  });
});

/**
 * Runs all honest parties against one that runs twice, with different randomness: once towards `deceived`, once
 * towards all others. Each of its two faces is consistent in itself.
 */
const runTwoFaced = (
  scenario: Scenario,
  liar: PartyId,
  deceived: PartyId,
): ReadonlyMap<PartyId, Step<unknown> | KeepsetError> => {
  const faces = ['honest', 'second face'].map((seed) => scenario.starts('honest', seed).get(liar)!);
  const honest = [...scenario.starts('honest')].filter(([party]) => party !== liar);
  const machines = new Map<string, Step<unknown> | KeepsetError>();
  const mail: { readonly machine: string; readonly message: ProtocolMessage }[] = [];
  const post = (machine: string, messages: readonly ProtocolMessage[]): void => {
    for (const message of messages) {
      const isSecond = machine === 'face 1';
      if (machine.startsWith('face') && (message.to === deceived) !== isSecond) continue;
      if (message.to !== liar) mail.push({ machine: message.to, message });
      else for (const face of ['face 0', 'face 1']) mail.push({ machine: face, message });
    }
  };
  const begin = (machine: string, start: () => Step<unknown>): void => {
    const step = start();
    machines.set(machine, step);
    post(machine, step.outgoing);
  };
  faces.forEach((start, i) => {
    begin(`face ${i}`, start);
  });
  for (const [party, start] of honest) begin(party, start);
  for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
    const step = machines.get(next.machine);
    if (step instanceof KeepsetError || step?.status !== 'running') continue;
    try {
      const after = step.advance([next.message]);
      machines.set(next.machine, after);
      post(next.machine, after.outgoing);
    } catch (error) {
      if (!(error instanceof KeepsetError)) throw error;
      machines.set(next.machine, error);
    }
  }
  return new Map(honest.map(([party]) => [party, machines.get(party)!]));
};

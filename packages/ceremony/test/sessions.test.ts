/** What Party 1 keeps in memory between two steps: how much, and for how long. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { decodeStepResponse, encodeStepRequest } from '@keepset/wire';
import { enrolmentStore } from '../../../apps/server/src/enrolment/store.ts';
import { openStores } from '../../../tests/support/crash.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { keygenRequest, nextRequest } from '../../../tests/support/steps.ts';
import { party1Handler, supportedSchemes, type Caller, type Party1Handler } from '../src/index.ts';

const phone = { party: 'phone', serverParty: 'server' } as const;
const minutes = (count: number): number => count * 60_000;
let clock: number;
let handler: Party1Handler;
let callers: Caller[];
beforeEach(async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'data'));
  const { database, store, sealer } = await openStores(folder);
  const enrolments = enrolmentStore(database);
  callers = ['a', 'b'].map((name, at) => {
    const code = new Uint8Array(32).fill(at);
    enrolments.addCode(code, undefined, 10);
    const device = { device: name, authKey: name, publicKey: new Uint8Array(33), party: 'phone' };
    enrolments.enrol(code, device, name, 0);
    return { tenant: name, device: name, party: 'phone' };
  });
  clock = 0;
  handler = party1Handler({
    party: 'server',
    schemes: supportedSchemes,
    store,
    sealer,
    now: () => clock,
    sleep: () => Promise.resolve(),
  });
});

type Sent = Pick<ReturnType<typeof keygenRequest>, 'session' | 'body' | 'request'>;
const send = async (sent: Sent, caller = callers[0]!): Promise<string> => {
  try {
    const answer = await handler.step(caller, sent.session, sent.request.step, sent.body);
    return decodeStepResponse(answer).state;
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('open sessions', () => {
  it('are a hundred for each user, and no more; other users are not held up', async () => {
    for (let count = 0; count < 100; count += 1) expect(await send(keygenRequest(phone))).toBe('open');
    const one = keygenRequest(phone);
    expect(await send(one)).toBe('transport/overloaded');
    expect(await send(keygenRequest(phone), callers[1])).toBe('open');
    // What is refused leaves nothing behind; later there is room again.
    clock = minutes(10);
    expect(await send(one)).toBe('open');
  });

  it('live for ten minutes', async () => {
    const first = keygenRequest(phone);
    const answer = await handler.step(callers[0]!, first.session, 1, first.body);
    clock = minutes(10) - 1;
    expect(await send(first)).toBe('open');
    clock = minutes(10);
    const second = nextRequest(first, decodeStepResponse(answer).messages);
    expect(await send(second)).toBe('store/session-void');
  });

  it('end with their first error: what failed cannot be continued', async () => {
    const first = keygenRequest(phone);
    const answer = await handler.step(callers[0]!, first.session, 1, first.body);
    const second = nextRequest(first, decodeStepResponse(answer).messages);
    const bad = nextRequest(
      keygenRequest(phone, 'ed25519', first.session),
      decodeStepResponse(answer).messages,
    );
    expect(await send(bad)).toMatch(/^abort\//);
    expect(await send(second)).toBe('store/session-void');
  });

  it('are their device’s: another device of the same user cannot take part under its name', async () => {
    const first = keygenRequest(phone);
    const answer = await handler.step(callers[0]!, first.session, 1, first.body);
    const second = nextRequest(first, decodeStepResponse(answer).messages);
    expect(await send(second, { tenant: 'a', device: 'stranger', party: 'phone' })).toBe('policy/forbidden');
    expect(await send(second)).toBe('committed');
  });

  it('take their steps one after another, however many come at once', async () => {
    const first = keygenRequest(phone);
    const states = await Promise.all(Array.from({ length: 8 }, () => send(first)));
    expect(new Set(states)).toEqual(new Set(['open']));
    const answer = await handler.step(callers[0]!, first.session, 1, first.body);
    const second = nextRequest(first, decodeStepResponse(answer).messages);
    const ends = await Promise.all(Array.from({ length: 8 }, () => send(second)));
    expect(new Set(ends)).toEqual(new Set(['committed']));
    expect(await handler.keys(callers[0]!)).toHaveLength(1);
  });

  it('are their party’s: a device speaks for no other than it was enrolled as', async () => {
    const laptop = { tenant: 'a', device: 'other', party: 'laptop' };
    expect(await send(keygenRequest(phone), laptop)).toBe('policy/forbidden');
    const first = keygenRequest(phone);
    expect(await send(first)).toBe('open');
    const { party: _party, ...unnamed } = first.request;
    const body = encodeStepRequest(unnamed);
    expect(await send({ ...first, body, request: unnamed }, laptop)).toBe('abort/unknown-party');
  });

  it('resolved while a step is under way: one of both comes first, and both sides agree', async () => {
    for (let time = 0; time < 10; time += 1) {
      const first = keygenRequest(phone);
      const answer = await handler.step(callers[0]!, first.session, 1, first.body);
      const second = nextRequest(first, decodeStepResponse(answer).messages);
      const before = (await handler.keys(callers[0]!)).length;
      const resolving = time % 2 === 0 ? undefined : handler.resolve(callers[0]!, first.session);
      const stepping = send(second);
      const outcome = await (resolving ?? handler.resolve(callers[0]!, first.session));
      const step = await stepping;
      const after = (await handler.keys(callers[0]!)).length;
      expect(outcome.state === 'committed').toBe(step === 'committed');
      expect(after - before).toBe(step === 'committed' ? 1 : 0);
    }
  });
});

/**
 * The server dies at every operation of an opening, and what was asked is asked again, the same or for another file, in
 * the same session. What was logged is one file; no partial decryption of another ever leaves under that entry.
 */
import { createECDH } from 'node:crypto';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, toHex } from '@keepset/bytes';
import { runKeygen, runOpen, type GroupKey } from '@keepset/ceremony';
import type { OpenedPoint } from '@keepset/threshold';
import type { PartyTransport } from '@keepset/transport';
import { decodeStepResponse } from '@keepset/wire';
import {
  closeServer,
  copyOf,
  deviceOf,
  finishRequests,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type OpenServer,
  type World,
} from '../support/crash.ts';
import { newLife, untilDeath, type Life } from '../support/life.ts';
import { openRequestOf, type Step } from '../support/steps.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const asking = { party: 'phone', serverParty: 'server' } as const;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

const newFile = (): ReturnType<typeof createECDH> => {
  const file = createECDH('prime256v1');
  file.generateKeys();
  return file;
};
const [one, two] = [newFile(), newFile()];
const pointOf = (file: typeof one): Uint8Array => Uint8Array.from(file.getPublicKey());

let template: World;
let group: GroupKey;
beforeAll(async () => {
  template = await newWorld();
  const server = await openServer(template);
  const opened = await openDevice(template, wireTo(server, deviceOf(template).caller));
  group = await runKeygen(opened, { scheme: 'ecdh-p256', policy: 'and(server,phone)' });
  closeServer(server);
});

const requestFor = async (
  world: World,
  file: typeof one,
  session?: Uint8Array,
): Promise<Step<OpenedPoint>> => {
  const nobody = { step: () => Promise.reject(new Error('nobody is asked')) } as unknown as PartyTransport;
  const opened = await openDevice(world, nobody);
  const share = await opened.vault.open(group.keyId);
  const head = await opened.logPin.load();
  return openRequestOf(asking, share, pointOf(file), {
    ...(session === undefined ? {} : { session }),
    ...(head === undefined ? {} : { head }),
  });
};

/** Sends a request as it is; returns the answer's bytes in hex, or the refusal's code. */
const ask = async (
  server: OpenServer,
  world: World,
  { session, body }: Step<unknown>,
  released: string[] = [],
): Promise<string> => {
  try {
    const answer = toHex(await server.handler.step(deviceOf(world).caller, session, 1, body));
    await server.life.pass('before the answer is sent');
    released.push(answer);
    return answer;
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
};

/** Whether the answer opens the file: what OpenSSL agrees between file and key. */
const opens = (file: typeof one, step: Step<OpenedPoint>, answer: string): boolean => {
  const { messages } = decodeStepResponse(Uint8Array.from(Buffer.from(answer, 'hex')));
  const done = step.state.advance(messages);
  if (done.status !== 'done' || done.result.shared === undefined) return false;
  return toHex(done.result.shared.reveal()) === file.computeSecret(group.publicKey).toString('hex');
};

/** Opens with everything afresh, as whatever went before must allow. */
const openNew = async (world: World): Promise<Life> => {
  const server = await openServer(world);
  const life = newLife();
  const opened = await openDevice(world, wireTo(server, deviceOf(world).caller), { life });
  const share = await opened.vault.open(group.keyId);
  const shared = await runOpen(opened, share, pointOf(two));
  expect(toHex(shared)).toBe(two.computeSecret(group.publicKey).toString('hex'));
  closeServer(server);
  return life;
};

const moments = async (): Promise<readonly string[]> => {
  const world = copyOf(template);
  const server = await openServer(world);
  await ask(server, world, await requestFor(world, one));
  closeServer(server);
  return server.life.moments;
};

describe('an opening', () => {
  it('is written down before the share is used', async () => {
    const all = await moments();
    expect(all.indexOf('after store.consume')).toBeGreaterThan(-1);
    expect(all.indexOf('after store.consume')).toBeLessThan(all.indexOf('before store.keepAnswer'));
    expect(all.at(-1)).toBe('before the answer is sent');
  });

  it('asked again gets the same bytes; another file gets store/conflict', async () => {
    const world = copyOf(template);
    const server = await openServer(world);
    const first = await requestFor(world, one);
    const other = await requestFor(world, two, first.session);
    const answer = await ask(server, world, first);
    expect(await ask(server, world, first)).toBe(answer);
    expect(await ask(server, world, other)).toBe('store/conflict');
    expect(opens(one, first, answer)).toBe(true);
    const many = await requestFor(world, one);
    const rival = await requestFor(world, two, many.session);
    const answers = await Promise.all(
      [many, rival, many, rival, many].map((each) => ask(server, world, each)),
    );
    expect(new Set(answers.filter((each) => !each.includes('/'))).size).toBe(1);
    expect(answers.filter((each) => each === 'store/conflict').length).toBeGreaterThanOrEqual(2);
    closeServer(server);
  });

  it('that the server dies in at any operation: asked again, it is answered once or burned', async () => {
    const all = await moments();
    const verdicts = new Map<string, string>();
    for (const end of numbers(all.length))
      for (const otherFirst of [false, true]) {
        const world = copyOf(template);
        const released: string[] = [];
        const dying = await openServer(world, end);
        const first = await requestFor(world, one);
        const other = await requestFor(world, two, first.session);
        await untilDeath(ask(dying, world, first, released), dying.life);
        expect(dying.life.isDead()).toBe(true);
        closeServer(dying);

        const answers = new Map<Step<OpenedPoint>, Set<string>>();
        for (const order of [otherFirst ? [other, first] : [first, other], [first, other, first]]) {
          const server = await openServer(world);
          for (const each of order)
            answers.set(each, (answers.get(each) ?? new Set()).add(await ask(server, world, each, released)));
          closeServer(server);
        }
        // One session, at most one answer ever, for the one file that it was opened for.
        expect(new Set(released).size, all[end]).toBeLessThanOrEqual(1);
        const [same = '', ...others] = answers.get(first) ?? [];
        const [different = '', ...more] = answers.get(other) ?? [];
        expect([others, more]).toEqual([[], []]);
        expect([same, different].filter((each) => !each.includes('/')).length).toBeLessThanOrEqual(1);
        if (!same.includes('/')) expect(opens(one, first, same)).toBe(true);
        if (!different.includes('/')) expect(opens(two, other, different)).toBe(true);
        if (!otherFirst) verdicts.set(all[end] ?? '', same.includes('/') ? same : 'answered');
        await openNew(world);
      }
    expect(verdicts.get('before store.consume')).toBe('answered');
    expect(verdicts.get('after store.consume')).toBe('store/session-burned');
    expect(verdicts.get('before store.keepAnswer')).toBe('store/session-burned');
    expect(verdicts.get('after store.keepAnswer')).toBe('answered');
  });

  it('that the device dies in at any operation: the next one works', async () => {
    const count = (await openNew(copyOf(template))).moments.length;
    expect(count).toBeGreaterThan(4);
    for (const end of numbers(count)) {
      const world = copyOf(template);
      const life = newLife(end);
      const server = await openServer(world);
      const opened = openDevice(world, wireTo(server, deviceOf(world).caller), { life });
      const work = opened.then(async (party) =>
        runOpen(party, await party.vault.open(group.keyId), pointOf(one)),
      );
      await untilDeath(work, life);
      await finishRequests(server);
      expect(life.isDead()).toBe(true);
      closeServer(server);
      await openNew(world);
    }
  });
});

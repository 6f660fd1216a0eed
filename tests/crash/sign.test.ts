/**
 * Either side dies at every operation of a signature, and what was asked is asked again, the same or something else,
 * in the same session. No nonce of the server ever serves two messages, and no answer that got out is ever replaced.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, decodeCbor, toHex, utf8ToBytes } from '@keepset/bytes';
import { protocolFor, runKeygen, runSign, type GroupKey, type Scheme } from '@keepset/ceremony';
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
  type Wire,
  type World,
} from '../support/crash.ts';
import { newLife, untilDeath, type Life } from '../support/life.ts';
import { signRequestOf, type Step } from '../support/steps.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const device = { party: 'phone', serverParty: 'server' } as const;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const requestOf = (text: string) => ({ message: utf8ToBytes(text), digest: 'none' }) as const;

const newWire = (): Wire => ({ released: [] });

/** Answers that lie in the server's store, released or not. */
const storedAnswers = ({ database }: OpenServer): Uint8Array[] =>
  database
    .prepare('SELECT answer FROM sessions WHERE answer IS NOT NULL')
    .all()
    .flatMap(({ answer }) => (answer instanceof Uint8Array ? [answer] : []));

interface Spent {
  /** The server's nonce commitments, hiding and binding. */
  readonly nonces: readonly string[];
  /** What they were used for. */
  readonly use: string;
}

/** The server's nonce commitments in an answer, and what it used them for. */
const spentIn = (answer: Uint8Array): Spent[] => {
  const own = decodeStepResponse(answer).messages.filter(({ from }) => from === 'server');
  const [first, second] = [1, 2].map((round) => own.find((message) => message.round === round));
  if (first === undefined) return [];
  const body = decodeCbor(first.body);
  if (typeof body !== 'object' || body === null || !('hiding' in body) || !('binding' in body)) return [];
  const nonces = [body.hiding, body.binding].map((point) => toHex(point as Uint8Array));
  // The context hashes message, key, epoch, quorum and session; round 2 holds the share, and binds all commitments.
  return [{ nonces, use: `${toHex(first.context)} ${second === undefined ? '' : toHex(second.body)}` }];
};

/** Nonce commitments that occur with two uses, and how many there are at all. */
const reuseIn = (spent: readonly Spent[]): { readonly reused: string[]; readonly count: number } => {
  const uses = new Map<string, Set<string>>();
  for (const { nonces, use } of spent)
    for (const nonce of nonces) uses.set(nonce, (uses.get(nonce) ?? new Set()).add(use));
  return { reused: [...uses].filter(([, of]) => of.size > 1).map(([nonce]) => nonce), count: uses.size };
};

/** Insists that no nonce serves twice; returns how many nonces there are. */
const expectNoReuse = (answers: readonly Uint8Array[]): number => {
  const { reused, count } = reuseIn(answers.flatMap(spentIn));
  expect(reused).toEqual([]);
  return count;
};

/** Sends a request as it is; returns the answer's bytes or the refusal's code. */
const ask = async (server: OpenServer, world: World, { session, body }: Step<unknown>, wire: Wire) => {
  try {
    const answer = await server.handler.step(deviceOf(world).caller, session, 1, body);
    await server.life.pass('before the answer is sent');
    wire.released.push(answer);
    return toHex(answer);
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
};

/** Whether the answer completes the request to a signature that verifies. */
const completes = (group: GroupKey, step: Step<Uint8Array>, answer: string, text: string): boolean => {
  const { messages } = decodeStepResponse(Uint8Array.from(Buffer.from(answer, 'hex')));
  const done = step.state.advance(messages);
  return done.status === 'done' && protocolFor(group.scheme).verify(group, requestOf(text), done.result);
};

describe.each<Scheme>(['ed25519', 'schnorr-secp256k1'])('a signature, %s', (scheme) => {
  let template: World;
  let group: GroupKey;
  beforeAll(async () => {
    template = await newWorld();
    const server = await openServer(template);
    const opened = await openDevice(template, wireTo(server, deviceOf(template).caller));
    group = await runKeygen(opened, { scheme, policy: 'and(server,phone)' });
    closeServer(server);
  });

  const requestFor = async (world: World, text: string, session?: Uint8Array): Promise<Step<Uint8Array>> => {
    const nobody = { step: () => Promise.reject(new Error('nobody is asked')) } as unknown as PartyTransport;
    const opened = await openDevice(world, nobody);
    const share = await opened.vault.open(group.keyId);
    const head = await opened.logPin.load();
    return signRequestOf(device, share, requestOf(text), {
      ...(session === undefined ? {} : { session }),
      ...(head === undefined ? {} : { head }),
    });
  };

  /** The moments a server passes while it answers one request. */
  const moments = async (): Promise<readonly string[]> => {
    const world = copyOf(template);
    const server = await openServer(world);
    await ask(server, world, await requestFor(world, 'one'), newWire());
    closeServer(server);
    return server.life.moments;
  };

  it('asked again while nothing has happened gets the same bytes; something else gets store/conflict', async () => {
    const world = copyOf(template);
    const server = await openServer(world);
    const wire = newWire();
    const one = await requestFor(world, 'one');
    const other = await requestFor(world, 'two', one.session);
    const answer = await ask(server, world, one, wire);
    expect(completes(group, one, answer, 'one')).toBe(true);
    expect(await ask(server, world, one, wire)).toBe(answer);
    expect(await ask(server, world, other, wire)).toBe('store/conflict');
    // The same message with other nonces of the device is something else, too.
    const again = await requestFor(world, 'one', one.session);
    expect(await ask(server, world, again, wire)).toBe('store/conflict');
    // Many at once: one run, one answer.
    const many = await requestFor(world, 'three');
    const rival = await requestFor(world, 'four', many.session);
    const answers = await Promise.all(
      [many, rival, many, rival, many].map((each) => ask(server, world, each, wire)),
    );
    expect(new Set(answers.filter((each) => !each.includes('/'))).size).toBe(1);
    expect(answers.filter((each) => each === 'store/conflict').length).toBeGreaterThanOrEqual(2);
    expect(expectNoReuse([...wire.released, ...storedAnswers(server)])).toBe(4);
    closeServer(server);
  });

  it('that the server dies in at any operation: asked again, it is answered once or burned', async () => {
    const all = await moments();
    expect(all).toContain('before store.consume');
    expect(all).toContain('after store.keepAnswer');
    const verdicts = new Map<string, string>();
    for (const end of numbers(all.length)) {
      const world = copyOf(template);
      const wire = newWire();
      const dying = await openServer(world, end);
      const one = await requestFor(world, 'one');
      const other = await requestFor(world, 'two', one.session);
      await untilDeath(ask(dying, world, one, wire), dying.life);
      expect(dying.life.isDead()).toBe(true);
      closeServer(dying);

      const kept = storedOf(await openServer(world));
      const answers: string[] = [];
      // Twice started anew, asked for both each time: what is durable decides, not what is in memory.
      for (let start = 0; start < 2; start += 1) {
        const server = await openServer(world);
        for (const each of [one, other, one]) answers.push(await ask(server, world, each, wire));
        expectNoReuse([...wire.released, ...kept, ...storedAnswers(server)]);
        closeServer(server);
      }
      const [same, different] = answers;
      expect(answers).toEqual([same, different, same, same, different, same]);
      verdicts.set(`${end} ${all[end]}`, same!.includes('/') ? same! : 'answered');
      if (same!.includes('/'))
        expect([same, different]).toEqual(['store/session-burned', 'store/session-burned']);
      else {
        expect(different).toBe('store/conflict');
        expect(completes(group, one, same!, 'one')).toBe(true);
      }
      // Whatever became of the session, the key signs.
      await signNew(world);
    }
    const of = (moment: string) => [...verdicts].find(([name]) => name.endsWith(` ${moment}`))?.[1];
    expect(of('before store.consume')).toBe('answered');
    expect(of('after store.consume')).toBe('store/session-burned');
    expect(of('before store.keepAnswer')).toBe('store/session-burned');
    expect(of('after store.keepAnswer')).toBe('answered');
  });

  it('that the server dies in, and then something else is asked first', async () => {
    const all = await moments();
    for (const end of numbers(all.length)) {
      const world = copyOf(template);
      const wire = newWire();
      const dying = await openServer(world, end);
      const one = await requestFor(world, 'one');
      const other = await requestFor(world, 'two', one.session);
      await untilDeath(ask(dying, world, one, wire), dying.life);
      closeServer(dying);
      const server = await openServer(world);
      const kept = storedAnswers(server);
      const different = await ask(server, world, other, wire);
      const same = await ask(server, world, one, wire);
      expectNoReuse([...wire.released, ...kept, ...storedAnswers(server)]);
      // Exactly one of the two requests can ever have been answered under this session.
      const answered = [different, same].filter((each) => !each.includes('/'));
      expect(answered.length).toBeLessThanOrEqual(1);
      for (const refused of [different, same].filter((each) => each.includes('/')))
        expect(refused).toMatch(/^store\/(conflict|session-burned)$/);
      closeServer(server);
    }
  });

  it('that the device dies in at any operation: the next one has fresh nonces and works', async () => {
    const wire = newWire();
    const count = (await signNew(copyOf(template))).moments.length;
    expect(count).toBeGreaterThan(6);
    for (const end of numbers(count)) {
      const world = copyOf(template);
      const life = newLife(end);
      const server = await openServer(world);
      const opened = openDevice(world, wireTo(server, deviceOf(world).caller, wire), { life });
      await untilDeath(
        opened.then((party) => runSign(party, { keyId: group.keyId, request: requestOf('one') })),
        life,
      );
      await finishRequests(server);
      expect(life.isDead()).toBe(true);
      closeServer(server);
      await signNew(world, wire);
    }
    expect(expectNoReuse(wire.released)).toBe(2 * wire.released.length);
  });

  /** Signs with everything opened afresh. */
  const signNew = async (world: World, wire: Wire = newWire()): Promise<Life> => {
    const server = await openServer(world);
    const life = newLife();
    const opened = await openDevice(world, wireTo(server, deviceOf(world).caller, wire), { life });
    const request = requestOf('another');
    const { signature } = await runSign(opened, { keyId: group.keyId, request });
    expect(protocolFor(scheme).verify(group, request, signature)).toBe(true);
    closeServer(server);
    return life;
  };
});

/** The answers in a store that was only opened to look. */
const storedOf = (server: OpenServer): Uint8Array[] => {
  const answers = storedAnswers(server);
  closeServer(server);
  return answers;
};

describe('the check for reuse', () => {
  it('finds nonces that were used twice, and only those', async () => {
    const world = await newWorld();
    const server = await openServer(world);
    const wire = newWire();
    const opened = await openDevice(world, wireTo(server, deviceOf(world).caller, wire));
    const { keyId } = await runKeygen(opened, { scheme: 'ed25519', policy: 'and(server,phone)' });
    for (const text of ['one', 'two']) await runSign(opened, { keyId, request: requestOf(text) });
    closeServer(server);
    const spent = wire.released.flatMap(spentIn);
    expect(spent).toHaveLength(2);
    expect(reuseIn([...spent, ...spent])).toEqual({ reused: [], count: 4 });
    // What a server that draws the same nonces again would give away.
    const [one, two] = spent;
    expect(reuseIn([one!, { nonces: one!.nonces, use: two!.use }]).reused).toEqual(one!.nonces);
  });
});

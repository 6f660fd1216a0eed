/**
 * Either side dies at every operation of making a presignature, and of a signature with one, while the other lives on.
 * A presignature that served two messages would give the key away: none is ever used for two, whatever is tried
 * afterwards, and signing goes on.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, toHex } from '@keepset/bytes';
import { protocolFor, runPresign, runSign, type DeviceParty } from '@keepset/ceremony';
import type { PartyTransport } from '@keepset/transport';
import { encodeStepRequest, type SignStart, type StepRequest } from '@keepset/wire';
import { makeKey, requestFor, type KeyBefore } from '../support/ceremonies.ts';
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

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let template: World;
let key: KeyBefore;
beforeAll(async () => {
  template = await newWorld();
  key = await makeKey(template, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});

/** What went over the wire, requests and answers in order. */
type Recorded = Wire & { readonly requests: StepRequest[] };
const newRecord = (): Recorded => ({ released: [], requests: [] });

const openPhone = (world: World, server: OpenServer, wire: Recorded, life?: Life): Promise<DeviceParty> =>
  openDevice(world, wireTo(server, deviceOf(world).caller, wire), life === undefined ? {} : { life });

const sign = async (device: DeviceParty, text: string): Promise<void> => {
  const { scheme, keyId } = key.group;
  const request = requestFor(scheme, text);
  const { signature } = await runSign(device, { keyId, request });
  expect(protocolFor(scheme).verify(key.group, request, signature)).toBe(true);
};

const presign = (device: DeviceParty): Promise<void> => runPresign(device, key.group.keyId, 1);

const presignatureOf = ({ start }: StepRequest): string | undefined =>
  start?.kind === 'sign' && start.presignature !== undefined ? toHex(start.presignature) : undefined;

/** Insists that the device asked with each presignature for one signature at most, in one session. */
const expectUsedOnce = ({ requests }: Recorded): number => {
  const uses = new Map<string, Set<string>>();
  for (const request of requests) {
    const id = presignatureOf(request);
    if (id !== undefined) uses.set(id, (uses.get(id) ?? new Set()).add(toHex(encodeStepRequest(request))));
  }
  expect([...uses.values()].filter((of) => of.size > 1)).toEqual([]);
  // Party 1 never sees the device's fragment.
  for (const request of requests)
    if (presignatureOf(request) !== undefined) expect(request.messages).toEqual([]);
  return uses.size;
};

/** Asks, as a thief with the device's keys would, for another message with a presignature that was asked with before. */
const expectSpent = async (world: World, server: OpenServer, { requests }: Recorded): Promise<void> => {
  const { caller } = deviceOf(world);
  const used = requests.filter((request) => presignatureOf(request) !== undefined);
  for (const [at, request] of used.entries()) {
    const start = request.start as SignStart;
    const other: StepRequest = {
      ...request,
      session: new Uint8Array(32).fill(at + 1),
      start: { ...start, request: requestFor(key.group.scheme, 'what the thief wants') },
    };
    const asked = server.handler.step(caller, other.session, 1, encodeStepRequest(other));
    await expect(asked).rejects.toMatchObject({ code: 'store/session-burned' });
  }
};

/**
 * Runs `work` with one side dying at each of its moments, and then goes on: the device with what lies on disk, the
 * server too if it was the one that died; else it lives on, with all it has in memory.
 * @returns at how many moments the side died.
 */
const dieAndGoOn = async (
  who: 'phone' | 'server',
  work: (device: DeviceParty) => Promise<void>,
  prepare: (device: DeviceParty) => Promise<void> = () => Promise.resolve(),
): Promise<number> => {
  for (let at = 0; ; at += 1) {
    const world = copyOf(template);
    const wire = newRecord();
    const dying = await openServer(world);
    await prepare(await openPhone(world, dying, wire));
    if (who === 'server') dying.life.endIn(at);
    const life = newLife(who === 'phone' ? at : Infinity);
    await untilDeath(openPhone(world, dying, wire, life).then(work), life);
    await finishRequests(dying);
    const hasDied = life.isDead() || dying.life.isDead();
    dying.life.endIn(Infinity);
    const server = dying.life.isDead() ? await openServer(world) : dying;
    const device = await openPhone(world, server, wire);
    expect(await device.journal.list()).toEqual([]);
    expect(await device.bans.list(key.group.keyId, 0)).toEqual([]);
    for (const text of ['two', 'three']) await sign(device, text);
    const used = expectUsedOnce(wire);
    await expectSpent(world, server, wire);
    for (const each of new Set([dying, server])) closeServer(each);
    if (hasDied) continue;
    expect(used).toBe(1);
    return at;
  }
};

describe.each(['phone', 'server'] as const)('%s dies at any of its operations', (who) => {
  it('while a presignature is made', async () => {
    expect(await dieAndGoOn(who, presign)).toBeGreaterThan(6);
  });

  it('while one is used', async () => {
    const died = await dieAndGoOn(who, (device) => sign(device, 'one'), presign);
    expect(died).toBeGreaterThan(6);
  });
});

it('a request whose answer was lost gets the same bytes again, or none for ever', async () => {
  const verdicts = new Set<string>();
  for (let at = 0; ; at += 1) {
    const world = copyOf(template);
    const wire = newRecord();
    // The device's request is held back, so that the server can be given it while it dies, and again.
    const first = await openServer(world);
    await presign(await openPhone(world, first, wire));
    let held: StepRequest | undefined;
    const holding = {
      step: (request: StepRequest) => {
        held = request;
        return Promise.reject(new KeepsetError('transport/unreachable', 'The connection broke.'));
      },
    } as unknown as PartyTransport;
    await expect(sign(await openDevice(world, holding), 'one')).rejects.toMatchObject({
      code: 'transport/unreachable',
    });
    const { session } = held!;
    const { caller } = deviceOf(world);
    const bytes = encodeStepRequest(held!);
    first.life.endIn(at);
    const answer = first.handler.step(caller, session, 1, bytes).then(toHex);
    await untilDeath(answer, first.life);
    const hasDied = first.life.isDead();
    first.life.endIn(Infinity);
    const server = hasDied ? await openServer(world) : first;
    const again = await Promise.allSettled([1, 2].map(() => server.handler.step(caller, session, 1, bytes)));
    const said = again.map((each) =>
      each.status === 'fulfilled' ? toHex(each.value) : (each.reason as KeepsetError).code,
    );
    expect(said[0]).toBe(said[1]);
    if (!hasDied) expect(said[0]).toBe(await answer);
    verdicts.add(said[0]!.includes('/') ? said[0]! : 'answered');
    for (const each of new Set([first, server])) closeServer(each);
    if (!hasDied) break;
  }
  // Before the server's half was spent, it went with the process; after that, what was kept is what there is.
  expect(verdicts).toEqual(new Set(['store/session-burned', 'answered']));
});

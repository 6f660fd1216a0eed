/**
 * A side that finds its peer cheating dies at any of its operations: whatever it has said or sent of it, the ban was
 * durable before.
 */
import { beforeAll, expect, it, vi } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor } from '@keepset/bytes';
import { runSign, type DeviceParty } from '@keepset/ceremony';
import type { PartyTransport } from '@keepset/transport';
import { makeKey, requestFor, type KeyBefore } from '../support/ceremonies.ts';
import {
  closeServer,
  copyOf,
  deviceOf,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type World,
} from '../support/crash.ts';
import { newLife, untilDeath } from '../support/life.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let template: World;
let key: KeyBefore;
beforeAll(async () => {
  template = await newWorld();
  key = await makeKey(template, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});

type Messages = Parameters<PartyTransport['step']>[0]['messages'];

/** The same messages, with one bit of the OT extension's check changed. */
const cheated = (messages: Messages): Messages =>
  messages.map((message) => {
    if (message.round !== 1) return message;
    const fields = decodeCbor(message.body) as { readonly choiceCheck: Uint8Array };
    const choiceCheck = fields.choiceCheck.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    return { ...message, body: encodeCbor({ ...fields, choiceCheck }) };
  });

const sign = (device: DeviceParty): Promise<unknown> =>
  runSign(device, { keyId: key.group.keyId, request: requestFor(key.group.scheme, 'hello') });

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'signed',
    (error: unknown) => (error instanceof KeepsetError ? error.code : error),
  );

it('the device, cheated by the server: it sends nothing more, and the ban stands once it has been written', async () => {
  const became = new Set<unknown>();
  for (let at = 0; ; at += 1) {
    const world = copyOf(template);
    const server = await openServer(world);
    const life = newLife(at);
    const wire = wireTo(server, deviceOf(world).caller);
    let answered = false;
    const cheating: PartyTransport = {
      ...wire,
      step: async (request) => {
        expect(answered).toBe(false);
        const answer = await wire.step(request);
        answered = true;
        return { ...answer, messages: cheated(answer.messages) };
      },
    };
    const opened = openDevice(world, cheating, { life });
    await untilDeath(opened.then(sign), life);
    const device = await openDevice(world, wire);
    const banned = await device.bans.list(key.group.keyId, 0);
    const isWritten = life.moments.includes('after bans.add');
    if (isWritten || !life.isDead()) expect(banned).toEqual(['server']);
    expect(await codeOf(sign(device))).toBe(banned.length > 0 ? 'abort/banned' : 'signed');
    became.add(banned.length > 0);
    closeServer(server);
    if (!life.isDead()) break;
  }
  expect(became).toEqual(new Set([true, false]));
});

it('the server, cheated by the device: it says nothing before the ban is written', async () => {
  const became = new Set<unknown>();
  for (let at = 0; ; at += 1) {
    const world = copyOf(template);
    const dying = await openServer(world);
    const wire = wireTo(dying, deviceOf(world).caller);
    const cheating: PartyTransport = {
      ...wire,
      step: (request) => wire.step({ ...request, messages: cheated(request.messages) }),
    };
    const device = await openDevice(world, cheating);
    dying.life.endIn(at);
    const said = await codeOf(sign(device));
    const hasDied = dying.life.isDead();
    dying.life.endIn(Infinity);
    const server = hasDied ? await openServer(world) : dying;
    const later = await codeOf(sign(await openDevice(world, wireTo(server, deviceOf(world).caller))));
    // Before it is written, nothing has been said of it either.
    expect(said).toBe(hasDied ? 'transport/unreachable' : 'abort/banned');
    if (dying.life.moments.includes('after store.ban')) expect(later).toBe('abort/banned');
    became.add(later);
    for (const each of new Set([dying, server])) closeServer(each);
    if (!hasDied) break;
  }
  expect(became).toEqual(new Set(['signed', 'abort/banned']));
});

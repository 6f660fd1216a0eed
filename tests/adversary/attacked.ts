/**
 * A server that is sent requests it must refuse, with the devices of two users; importing this opens it for the file's
 * tests. After every test the server still answers and has lost nothing, and after all of them the key still signs.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { toHex, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runSign, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { newDevice, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { send, signed, type Plain, type RawAnswer, type RawRequest } from '../support/raw.ts';
import { serverOptions } from '../support/server.ts';

const folder = temporaryFolder();
export let server: RunningServer;
/** Whose key it is. */
export let phone: TestDevice;
/** A device of another user, who has no key. */
export let laptop: TestDevice;
export let key: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions(folder));
  phone = await newDevice(server.invite());
  laptop = await newDevice(server.invite(), 'laptop');
  key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
});
afterAll(async () => {
  expect((await runSign(phone.device, { keyId: key.keyId, request })).signature).toHaveLength(64);
  phone.close();
  laptop.close();
  await server.close();
});

/** After every refusal: the key is there, and the server answers. */
afterEach(async () => {
  expect(await phone.device.transport.keys()).toContainEqual(
    expect.objectContaining({ keyId: key.keyId, state: 'active' }),
  );
  expect(await laptop.device.transport.keys()).toEqual([]);
});

/** Stops the server and starts it again, on the same data and at the same address. */
export const restart = async (): Promise<void> => {
  const port = Number(new URL(server.url).port);
  await server.close();
  server = await startServer(serverOptions(folder, { port }));
};

/** What there is to sign. */
export const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;

/** Signs a request as a device does. */
export const as =
  (device: TestDevice) =>
  (plain: Plain, moment = {}) =>
    signed(server.url, plain, device.signer, moment);
export const post = (wanted: RawRequest): Promise<RawAnswer> => send(server.url, wanted);
export const stepPath = (session: Uint8Array, step = 1): string =>
  `/v1/sessions/${toHex(session)}/steps/${step}`;
export const newSession = (): Uint8Array => new Uint8Array(randomBytes(32));
/** Sends a step with this body, signed by the phone. */
export const step = async (
  session: Uint8Array,
  body: Uint8Array,
  at = 1,
  device = phone,
): Promise<RawAnswer> => post(await as(device)({ path: stepPath(session, at), body }));
/** The phone's share, and the newest log head it knows. */
export const open = async () => {
  const share = await phone.device.vault.open(key.keyId);
  return { share, head: (await phone.device.logPin.load())! };
};

/** A pending share must be the one that the server committed: promoting another one destroys the key. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runRefresh, runSign, settleOpenSessions, type DeviceParty } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { newDevice, openHome, type TestDevice } from '../support/device.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let phone: TestDevice;
/** The same device in another process. */
let twin: TestDevice;
let keyId: string;
beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = await newDevice(server.invite());
  twin = await openHome(phone.home);
});
afterAll(async () => {
  phone.close();
  twin.close();
  await server.close();
});
beforeEach(async () => {
  ({ keyId } = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' }));
});

const request = { message: utf8ToBytes('still usable'), digest: 'none' } as const;
const signs = async () => (await runSign(phone.device, { keyId, request })).signature.length;

/** A device whose vault waits at `gate` once it has made a pending share durable. */
const pausing = (device: DeviceParty): { device: DeviceParty; held: Promise<void>; release: () => void } => {
  const held = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const vault: DeviceParty['vault'] = {
    ...device.vault,
    putPending: async (share) => {
      await device.vault.putPending(share);
      held.resolve();
      await gate.promise;
    },
  };
  return { device: { ...device, vault }, held: held.promise, release: gate.resolve };
};

test('of two refreshes at once, one is refused before it touches the other one’s pending share', async () => {
  const first = pausing(phone.device);
  const running = runRefresh(first.device, keyId);
  await first.held;
  await expect(runRefresh(twin.device, keyId)).rejects.toMatchObject({ code: 'store/conflict' });
  first.release();
  await expect(running).resolves.toMatchObject({ epoch: 1 });
  expect(await settleOpenSessions(phone.device)).toEqual([]);
  expect(await signs()).toBe(64);
});

test('a refresh whose confirmation is still on its way keeps its pending share until its end is known', async () => {
  // The network holds the confirmation back, and the device hears nothing of the server.
  const late = Promise.withResolvers<() => Promise<unknown>>();
  const lost: DeviceParty['transport'] = {
    ...phone.device.transport,
    step: async (step) => {
      if ((await phone.device.journal.list()).length === 0) return phone.device.transport.step(step);
      late.resolve(() => phone.device.transport.step(step));
      throw new Error('connection lost');
    },
    resolve: () => Promise.reject(new Error('connection lost')),
  };
  await expect(runRefresh({ ...phone.device, transport: lost }, keyId)).rejects.toThrow('connection lost');
  expect(await settleOpenSessions({ ...phone.device, transport: lost })).toMatchObject([
    { outcome: 'undecided' },
  ]);
  // The owner tries again; meanwhile the confirmation arrives.
  await expect(runRefresh(phone.device, keyId)).rejects.toMatchObject({ code: 'store/conflict' });
  await (
    await late.promise
  )();
  expect(await settleOpenSessions(phone.device)).toMatchObject([{ outcome: 'completed' }]);
  expect(await signs()).toBe(64);
});

test('a session that came to nothing does not take another one’s committed share with it', async () => {
  for (const first of [0x00, 0xff]) {
    // The server commits; the device dies before it promotes. A further journal entry says the same key and epoch.
    const dying: DeviceParty = {
      ...phone.device,
      vault: { ...phone.device.vault, promote: () => Promise.reject(new Error('power cut')) },
    };
    await expect(runRefresh(dying, keyId)).rejects.toThrow('power cut');
    const [{ epoch } = { epoch: -1 }] = await phone.device.journal.list();
    await phone.device.journal.add({
      session: new Uint8Array(32).fill(first),
      kind: 'refresh',
      keyId,
      epoch,
    });
    const settled = await settleOpenSessions(phone.device);
    expect(settled.map(({ outcome }) => outcome).sort()).toEqual(['completed', 'void']);
    expect(await phone.device.journal.list()).toEqual([]);
    expect(await signs()).toBe(64);
  }
});

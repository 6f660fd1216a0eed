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

/** A device that waits once it has made a pending share durable. */
const pausing = (device: DeviceParty): { device: DeviceParty; held: Promise<void>; release: () => void } => {
  const held = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const exclusively: DeviceParty['exclusively'] = async (work) => {
    const result = await device.exclusively(work);
    held.resolve();
    await gate.promise;
    return result;
  };
  return { device: { ...device, exclusively }, held: held.promise, release: gate.resolve };
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

test('of two processes that settle, the later one leaves alone what a third has made pending', async () => {
  const lost: DeviceParty['transport'] = {
    ...phone.device.transport,
    step: async (step) => {
      if ((await phone.device.journal.list()).length === 0) return phone.device.transport.step(step);
      throw new Error('connection lost');
    },
  };
  await expect(runRefresh({ ...phone.device, transport: lost }, keyId)).rejects.toThrow('connection lost');
  // The one has heard that the session is void, and is held up before it acts on that.
  const heard = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const exclusively: DeviceParty['exclusively'] = async (work) => {
    heard.resolve();
    await gate.promise;
    return twin.device.exclusively(work);
  };
  const settling = settleOpenSessions({ ...twin.device, exclusively });
  await heard.promise;
  expect(await settleOpenSessions(phone.device)).toMatchObject([{ outcome: 'void' }]);
  const next = pausing(phone.device);
  const running = runRefresh(next.device, keyId);
  await next.held;
  gate.resolve();
  expect(await settling).toMatchObject([{ outcome: 'void' }]);
  next.release();
  await expect(running).resolves.toMatchObject({ epoch: 1 });
  expect(await signs()).toBe(64);
});

test('journal and pending share change only while nobody else of the device may change them', async () => {
  let isAlone = false;
  let changes = 0;
  const guarded = <T extends object>(port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function' || name === 'list' || name === 'open') return method;
        return (...args: unknown[]): unknown => {
          expect(isAlone).toBe(true);
          changes += 1;
          return (method as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  const device: DeviceParty = {
    ...phone.device,
    vault: guarded(phone.device.vault),
    journal: guarded(phone.device.journal),
    exclusively: (work) =>
      phone.device.exclusively(async () => {
        isAlone = true;
        try {
          return await work();
        } finally {
          isAlone = false;
        }
      }),
  };
  await runRefresh(device, keyId);
  // One that is committed, and one that is not.
  for (const fails of ['after', 'before']) {
    const lost: DeviceParty['transport'] = {
      ...device.transport,
      step: async (step) => {
        if ((await device.journal.list()).length === 0) return device.transport.step(step);
        if (fails === 'after') await device.transport.step(step);
        throw new Error('connection lost');
      },
    };
    await expect(runRefresh({ ...device, transport: lost }, keyId)).rejects.toThrow('connection lost');
    const outcome = fails === 'after' ? 'completed' : 'void';
    expect(await settleOpenSessions(device)).toMatchObject([{ outcome }]);
  }
  // Journal, pending share, its end, and the journal again, for each.
  expect(changes).toBeGreaterThanOrEqual(12);
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

/** A server that cheats in the OT extension gets one try: the device remembers, whatever process asks next. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, utf8ToBytes } from '@keepset/bytes';
import {
  runKeygen,
  runPresign,
  runRefresh,
  runSign,
  type DeviceParty,
  type GroupKey,
} from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { leaving } from '../../packages/ceremony/src/device/channel.ts';
import { newDevice, openHome, type TestDevice } from '../support/device.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let phone: TestDevice;
let key: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = await newDevice(server.invite());
  key = await runKeygen(phone.device, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  await server.close();
});

const request = { message: utf8ToBytes('hello'), digest: 'sha256' } as const;
const sign = (device: DeviceParty) => runSign(device, { keyId: key.keyId, request });

/** The device behind another transport. */
const behind = (
  change: (transport: DeviceParty['transport']) => Partial<DeviceParty['transport']>,
): DeviceParty => ({
  ...phone.device,
  transport: { ...phone.device.transport, ...change(phone.device.transport) },
});

/** A server that changes one bit of the extension's check in its first message. */
const cheating = (): DeviceParty =>
  behind((transport) => ({
    step: async (sent) => {
      const response = await transport.step(sent);
      const messages = response.messages.map((message) => {
        if (message.round !== 1) return message;
        const fields = decodeCbor(message.body) as { readonly choiceCheck: Uint8Array };
        const choiceCheck = fields.choiceCheck.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
        return { ...message, body: encodeCbor({ ...fields, choiceCheck }) };
      });
      return { ...response, messages };
    },
  }));

test('what the server merely says bans nobody', async () => {
  const accusing = behind(() => ({
    step: () => Promise.reject(new KeepsetError('abort/banned', 'You are.', { culprits: ['server'] })),
  }));
  await expect(sign(accusing)).rejects.toMatchObject({ code: 'abort/banned' });
  expect(await phone.device.bans.list(key.keyId, key.epoch)).toEqual([]);
  expect((await sign(phone.device)).signature).toHaveLength(65);
});

test('one failed check ends it: nothing is sent any more until a refresh', async () => {
  await expect(sign(cheating())).rejects.toMatchObject({ code: 'abort/banned', culprits: ['server'] });
  const later = await openHome(phone.home);
  try {
    let sent = 0;
    const counting: DeviceParty = {
      ...later.device,
      transport: {
        ...later.device.transport,
        step: (step) => {
          sent += 1;
          return later.device.transport.step(step);
        },
      },
    };
    const banned = { code: 'abort/banned', culprits: ['server'] };
    await expect(sign(counting)).rejects.toMatchObject(banned);
    await expect(runPresign(counting, key.keyId, 1)).rejects.toMatchObject(banned);
    expect(sent).toBe(0);
  } finally {
    later.close();
  }
  key = await runRefresh(phone.device, key.keyId);
  expect((await sign(phone.device)).signature).toHaveLength(65);
});

test('a ban that cannot be noted hides nothing, and the cheat is told nothing', async () => {
  const full = new KeepsetError('place/full', 'No space left.');
  const cheated = cheating();
  const device: DeviceParty = { ...cheated, bans: { ...cheated.bans, add: () => Promise.reject(full) } };
  let left = 0;
  const leave = (): Promise<void> => Promise.resolve(void (left += 1));
  await expect(leaving({ leave }, () => sign(device))).rejects.toMatchObject({
    code: 'abort/banned',
    culprits: ['server'],
    cause: full,
  });
  expect(left).toBe(0);
});

test('a ban ends the signature that is under way in another process', async () => {
  const slow = behind((transport) => ({
    step: async (sent) => {
      const response = await transport.step(sent);
      await phone.device.bans.add({ keyId: key.keyId, epoch: key.epoch, party: 'server' });
      // The answer does not come to an end here, so that a further step would follow.
      return { ...response, state: 'open', messages: response.messages.slice(0, 1) };
    },
  }));
  await expect(sign(slow)).rejects.toMatchObject({ code: 'abort/banned' });
});

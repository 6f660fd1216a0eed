/** Whoever probes the OT layer in many sessions at once gets the answer of one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runRefresh, runSign, type DeviceParty, type GroupKey } from '@keepset/ceremony';
import type { ProtocolMessage } from '@keepset/threshold';
import type { StepRequest } from '@keepset/wire';
import {
  closeServer,
  deviceOf,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type OpenServer,
} from '../support/crash.ts';
import { signRequestOf } from '../support/steps.ts';

let server: OpenServer;
let device: DeviceParty;
let key: GroupKey;
beforeAll(async () => {
  const world = await newWorld();
  server = await openServer(world);
  device = await openDevice(world, wireTo(server, deviceOf(world).caller));
  key = await runKeygen(device, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});
afterAll(() => closeServer(server));

const request = { message: utf8ToBytes('hello'), digest: 'sha256' } as const;

/** With one bit of the OT extension's check changed. */
const probing = (message: ProtocolMessage): ProtocolMessage => {
  if (message.round !== 1) return message;
  const fields = decodeCbor(message.body) as { readonly choiceCheck: Uint8Array };
  const choiceCheck = fields.choiceCheck.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  return { ...message, body: encodeCbor({ ...fields, choiceCheck }) };
};

/** Those whose check was made; the others were refused without looking at what they sent. */
const answered = (results: readonly PromiseSettledResult<unknown>[]): KeepsetError[] =>
  results
    .map((result) => {
      if (result.status !== 'rejected' || !(result.reason instanceof KeepsetError))
        throw new Error('this was no refusal');
      expect(result.reason.code).toBe('abort/banned');
      return result.reason;
    })
    .filter(({ message }) => message.includes('OT extension'));

test('a server that holds its answers back until several processes wait for one', async () => {
  const held: (() => void)[] = [];
  const slow: DeviceParty = {
    ...device,
    transport: {
      ...device.transport,
      step: async (sent) => {
        const response = await device.transport.step(sent);
        await new Promise<void>((resolve) => held.push(resolve));
        return { ...response, messages: response.messages.map(probing) };
      },
    },
  };
  let settled = 0;
  const runs = Array.from({ length: 4 }, () =>
    runSign(slow, { keyId: key.keyId, request }).finally(() => {
      settled += 1;
    }),
  );
  const ends = Promise.allSettled(runs);
  await expect.poll(() => held.length, { timeout: 30_000 }).toBe(runs.length);
  for (const [i, release] of held.entries()) {
    release();
    await expect.poll(() => settled, { timeout: 30_000 }).toBe(i + 1);
  }
  expect(answered(await ends)).toHaveLength(1);
  key = await runRefresh(device, key.keyId);
});

test.each(['with its first requests', 'in sessions opened before'])('a device %s', async (when) => {
  const share = await device.vault.open(key.keyId);
  const probes = Array.from({ length: 6 }, (): StepRequest => {
    const { request: sent } = signRequestOf(device, share, request);
    return { ...sent, messages: sent.messages.map(probing) };
  });
  share.secret.wipe();
  const step = (sent: StepRequest): Promise<unknown> => device.transport.step(sent);
  const ends = when.startsWith('with')
    ? probes.map((probe) => step(probe))
    : probes.map(async ({ start, messages, ...rest }) => {
        await step({ ...rest, start: start!, messages: [] });
        return step({ ...rest, step: 2, messages });
      });
  expect(answered(await Promise.allSettled(ends))).toHaveLength(1);
  key = await runRefresh(device, key.keyId);
});

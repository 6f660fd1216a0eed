/** A server that was set back to an old copy of its data, by accident or on purpose. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runSign, settleOpenSessions, type DeviceParty, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import type { PartyTransport } from '@keepset/transport';
import { newDevice, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { send } from '../support/raw.ts';
import { serverOptions } from '../support/server.ts';

const folder = temporaryFolder();
const data = join(folder, 'data');
const copy = join(folder, 'copy');
let server: RunningServer;
let phone: TestDevice;
let old: GroupKey;
let young: GroupKey;

const policy = 'and(server,phone)';
const sign = (key: GroupKey, text: string) =>
  runSign(phone.device, { keyId: key.keyId, request: { message: utf8ToBytes(text), digest: 'none' } });
const refusal = async (work: Promise<unknown>): Promise<KeepsetError> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('this was not refused');
};
const restart = async (): Promise<void> => {
  const port = Number(new URL(server.url).port);
  server = await startServer(serverOptions(folder, { port }));
};
/** What the world may read of the log. */
const checkpoint = async (): Promise<string> => {
  const none = { body: new Uint8Array(0), headers: {} };
  const { body } = await send(server.url, { method: 'GET', path: '/v1/log/checkpoint', ...none });
  return Buffer.from(body).toString();
};

beforeAll(async () => {
  server = await startServer(serverOptions(folder));
  phone = await newDevice(server.invite());
  old = await runKeygen(phone.device, { scheme: 'ed25519', policy });
  await sign(old, 'before the copy');
  await server.close();
  cpSync(data, copy, { recursive: true });
  await restart();
  await sign(old, 'after the copy');
  young = await runKeygen(phone.device, { scheme: 'schnorr-secp256k1', policy });
  await server.close();
});
afterAll(async () => {
  phone.close();
  await server.close();
});

describe('set back to an old copy', () => {
  beforeAll(async () => {
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });
    await restart();
  });

  it('the server refuses to sign: the device has seen more of its log than it holds', async () => {
    const before = await checkpoint();
    const refused = await refusal(sign(old, 'now'));
    expect(refused.code).toBe('store/rollback');
    expect(refused.retry).toBe('never');
    expect(refused.hint).toContain('backup');
    // Nothing was signed and nothing was written.
    expect(await checkpoint()).toBe(before);
  });

  it('it makes no key either, and the device keeps nothing of the attempt', async () => {
    const before = await checkpoint();
    expect((await refusal(runKeygen(phone.device, { scheme: 'ed25519', policy }))).code).toBe(
      'store/rollback',
    );
    const settled = await settleOpenSessions(phone.device);
    expect(settled.every(({ outcome }) => outcome === 'void')).toBe(true);
    expect([...(await phone.device.vault.list())].sort()).toEqual([old.keyId, young.keyId].sort());
    expect(await checkpoint()).toBe(before);
  });

  it('it no longer knows the younger key; the device keeps its share of it', async () => {
    expect((await phone.device.transport.keys()).map(({ keyId }) => keyId)).toEqual([old.keyId]);
    expect((await refusal(sign(young, 'now'))).code).toBe('input/unknown-key');
    const share = await phone.device.vault.open(young.keyId);
    expect(share.group.keyId).toBe(young.keyId);
    share.secret.wipe();
  });

  /** A server that ignores what the device says it has seen is, to the device, one that was never told. */
  const untold = (): DeviceParty => {
    const { transport } = phone.device;
    const step: PartyTransport['step'] = ({ head: _head, ...rest }) => transport.step(rest);
    return { ...phone.device, transport: { ...transport, step } };
  };
  const request = { message: utf8ToBytes('now'), digest: 'none' } as const;
  const signUntold = () => refusal(runSign(untold(), { keyId: old.keyId, request }));

  it('and if it hides that, the device finds out: the log is shorter than it was', async () => {
    const pinned = await phone.device.logPin.load();
    expect((await signUntold()).code).toBe('store/rollback');
    expect(await phone.device.logPin.load()).toEqual(pinned);
  });

  it('or longer, but another one', async () => {
    const other = await newDevice(server.invite(), 'laptop');
    try {
      for (let count = 0; count < 4; count += 1)
        await runKeygen(other.device, { scheme: 'ed25519', policy: 'and(server,laptop)' });
    } finally {
      other.close();
    }
    const pinned = await phone.device.logPin.load();
    expect((await signUntold()).code).toBe('abort/transcript-mismatch');
    expect(await phone.device.logPin.load()).toEqual(pinned);
    // Nor does an honest server of this log sign for a device that has seen the other.
    expect((await refusal(sign(old, 'now'))).code).toBe('store/rollback');
  });
});

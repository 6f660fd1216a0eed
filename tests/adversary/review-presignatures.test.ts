/** A presignature that serves two messages gives the share away: it must never be handed out twice. */
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runPresign, runSign, signWith, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { newDevice, openHome, silentTerminal, type TestDevice } from '../support/device.ts';
import { openDevice } from '../../apps/cli/src/home/device.ts';
import { ensureVolatile, volatilePath } from '../../apps/cli/src/home/volatile.ts';
import { temporaryFolder } from '../support/folders.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let phone: TestDevice;
/** The same device in another process. */
let twin: TestDevice;
let group: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = await newDevice(server.invite());
  twin = await openHome(phone.home);
  group = await runKeygen(phone.device, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  twin.close();
  await server.close();
  rmSync(phone.paths.presignatures, { recursive: true, force: true });
});

const quorum = ['server', 'phone'];

test('of many that take at once, one gets the presignature', async () => {
  for (let round = 0; round < 3; round += 1) {
    await runPresign(phone.device, group.keyId, 1);
    const takers = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? phone : twin));
    const taken = await Promise.all(
      takers.map(({ device }) => device.presignatures.take({ ...group, quorum, path: [] })),
    );
    expect(taken.filter((presignature) => presignature !== undefined)).toHaveLength(1);
  }
});

test('of several on the shelf, each is handed out once', async () => {
  await runPresign(phone.device, group.keyId, 3);
  const taken = await Promise.all(
    [phone, twin, phone, twin].map(({ device }) => device.presignatures.take({ ...group, quorum, path: [] })),
  );
  const ids = taken.flatMap((presignature) => (presignature === undefined ? [] : [toHex(presignature.id)]));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(3);
});

test('a damaged presignature is thrown away and said; the others and the key serve on', async () => {
  await runPresign(phone.device, group.keyId, 2);
  const files = readdirSync(phone.paths.presignatures);
  expect(files).toHaveLength(2);
  const notes: string[] = [];
  const told = await openDevice(
    { home: phone.home },
    { ...silentTerminal, note: (text) => notes.push(text) },
  );
  try {
    const [first = '', second = ''] = files;
    writeFileSync(join(phone.paths.presignatures, first), 'rotten');
    const use = { ...group, quorum, path: [] };
    const taken = [await told.device.presignatures.take(use), await told.device.presignatures.take(use)];
    const [one, ...none] = taken.filter((each) => each !== undefined);
    expect(second).toContain(toHex(one!.id));
    expect(none).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(first)]);
    expect(readdirSync(phone.paths.presignatures)).toEqual([]);
  } finally {
    told.close();
  }
  const request = { message: utf8ToBytes('all the same'), digest: 'sha256' } as const;
  expect((await runSign(phone.device, { keyId: group.keyId, request })).signature).toHaveLength(65);
});

test('two signatures at once use different presignatures, or none', async () => {
  await runPresign(phone.device, group.keyId, 1);
  const share = await phone.device.vault.open(group.keyId);
  const digest = 'sha256';
  const signed = await Promise.all(
    ['one', 'two'].map((text, i) =>
      signWith((i === 0 ? phone : twin).device, share, { message: utf8ToBytes(text), digest }),
    ),
  );
  const [r1, r2] = signed.map(({ signature }) => toHex(signature.subarray(0, 32)));
  expect(r1).not.toBe(r2);
  share.secret.wipe();
});

test('a device folder restored from a backup brings no used presignature back', async () => {
  await runPresign(phone.device, group.keyId, 1);
  const backup = join(temporaryFolder(), 'backup');
  cpSync(phone.home, backup, { recursive: true });
  expect(await phone.device.presignatures.take({ ...group, quorum, path: [] })).toBeDefined();
  rmSync(phone.home, { recursive: true });
  cpSync(backup, phone.home, { recursive: true });
  // The copy does not keep the modes of folders.
  chmodSync(phone.paths.shares, 0o700);
  const restored = await openHome(phone.home);
  try {
    expect(await restored.device.presignatures.take({ ...group, quorum, path: [] })).toBeUndefined();
  } finally {
    restored.close();
  }
});

test.skipIf(process.platform === 'win32')('a folder that others may enter is not used', async () => {
  const runtime = temporaryFolder();
  const path = volatilePath(phone.home, { XDG_RUNTIME_DIR: runtime });
  mkdirSync(join(runtime, 'keepset'));
  chmodSync(join(runtime, 'keepset'), 0o777);
  await expect(ensureVolatile(path)).rejects.toMatchObject({ code: 'place/foreign' });
  chmodSync(join(runtime, 'keepset'), 0o700);
  await expect(ensureVolatile(path)).resolves.toBeUndefined();
});

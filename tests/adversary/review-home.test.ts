/** What must survive a careless owner and a careless operator. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runKeygen } from '@keepset/ceremony';
import { startServer, type RunningServer, type ServerOptions } from '@keepset/server';
import { enrolHome } from '../../apps/cli/src/home/enrol.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { serverOptions } from '../support/server.ts';

let options: ServerOptions;
let server: RunningServer;
let phone: TestDevice;
beforeAll(async () => {
  options = serverOptions();
  server = await startServer(options);
  phone = await newDevice(server.invite());
});
afterAll(async () => {
  phone.close();
  await server.close();
});

test('enrolling again does not replace the identity that opens the shares', async () => {
  await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
  const before = readFileSync(phone.paths.identity);
  rmSync(phone.paths.account);
  await expect(enrolHome(phone.paths, server.invite(), 'phone', undefined)).rejects.toMatchObject({
    code: 'place/exists',
  });
  expect(readFileSync(phone.paths.identity).equals(before)).toBe(true);
});

test('another log of the same size is noticed, and the pin stays', async () => {
  const head = (await phone.device.logPin.load())!;
  const other = { ...head, root: head.root.map((byte) => byte ^ 1) };
  await expect(phone.device.logPin.save(other)).rejects.toMatchObject({ code: 'abort/transcript-mismatch' });
  expect(await phone.device.logPin.load()).toEqual(head);
});

test.skipIf(process.platform === 'win32')('nobody else may read the database', () => {
  for (const name of ['keepset.db', 'keepset.db-wal', 'keepset.db-shm'])
    expect(statSync(join(options.dataDir, name)).mode & 0o077).toBe(0);
});

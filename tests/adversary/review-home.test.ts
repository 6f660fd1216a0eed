/** What must survive a careless owner and a careless operator. */
import { chmodSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runKeygen } from '@keepset/ceremony';
import { startServer, type RunningServer, type ServerOptions } from '@keepset/server';
import { enrolHome } from '../../apps/cli/src/home/enrol.ts';
import { encodeIdentityFile, generateIdentity } from '@keepset/wire';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { newDevice, openHome, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { code } from '../support/meeting.ts';
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

test('a home that others may write to is not enrolled: what they put there would be taken for its own', async () => {
  const paths = homePaths({ home: temporaryFolder() });
  const planted = encodeIdentityFile(await generateIdentity(), new Date().toISOString()).reveal();
  writeFileSync(paths.identity, planted);
  chmodSync(paths.root, 0o777);
  const invite = server.invite();
  expect(await code(enrolHome(paths, invite, 'phone', undefined))).toBe('place/foreign');
  expect(readFileSync(paths.identity).equals(planted)).toBe(true);
  chmodSync(paths.root, 0o755);
  expect(await code(enrolHome(paths, invite, 'phone', undefined))).toBe('no error');
});

test('two commands that enrol one home at once leave one device that works', async () => {
  const home = temporaryFolder();
  const invite = server.invite();
  const enrolments = [1, 2].map(() => code(enrolHome(homePaths({ home }), invite, 'phone', undefined)));
  expect(new Set(await Promise.all(enrolments))).toEqual(new Set(['no error', 'place/exists']));
  const opened = await openHome(home);
  expect(await opened.device.transport.keys()).toEqual([]);
  opened.close();
});

test('a wrong invitation does not cost the keys that the right one was spent on; another one enrols anew', async () => {
  const paths = homePaths({ home: temporaryFolder() });
  const invite = server.invite();
  await enrolHome(paths, invite, 'phone', undefined);
  // Cut off before the account.
  const cutOff = (): void => rmSync(paths.account);
  cutOff();
  const before = readFileSync(paths.identity);
  const wrong = invite.replace(/#./, (text) => (text === '#a' ? '#b' : '#a'));
  expect(await code(enrolHome(paths, wrong, 'phone', undefined))).toBe('transport/enrolment-refused');
  expect(await code(enrolHome(paths, invite, 'phone', undefined))).toBe('no error');
  expect(readFileSync(paths.identity).equals(before)).toBe(true);
  cutOff();
  expect(await code(enrolHome(paths, server.invite(), 'phone', undefined))).toBe('no error');
  expect(readFileSync(paths.identity).equals(before)).toBe(false);
  expect(readdirSync(paths.root).filter((name) => name.startsWith('identity'))).toHaveLength(1);
  const opened = await openHome(paths.root);
  expect(await opened.device.transport.keys()).toEqual([]);
  opened.close();
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

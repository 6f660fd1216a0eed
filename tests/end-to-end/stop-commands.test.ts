/** The commands that stop a key or a device, and that bring a key to another server, as real processes. */
import { expect, test, vi } from 'vitest';
import { join } from 'node:path';
import { renameSync, writeFileSync } from 'node:fs';
import { runKeygen } from '@keepset/ceremony';
import { startServer } from '@keepset/server';
import { newDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { keepset, onlyObject } from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

test('freeze on the device; devices, unfreeze, revoke, log-head on the server; enroll --move away', async () => {
  const options = serverOptions();
  const server = await startServer(options);
  const phone = await newDevice(server.invite());
  const { keyId } = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
  phone.close();
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'file'), 'hello');
  const onServer = ['--data', options.dataDir, '--kek', options.kekFile];
  const home = ['--home', phone.home];
  const run = async (code: number, ...args: string[]): Promise<object> => {
    const ended = await keepset([...args, '--json'], { cwd });
    expect({ args, code: ended.code, stderr: ended.stderr }).toMatchObject({ code });
    return onlyObject(ended.stdout);
  };

  expect(await run(0, 'freeze', ...home)).toMatchObject({ keyId, state: 'frozen' });
  expect(await run(3, 'sign', 'file', ...home)).toMatchObject({ error: { code: 'policy/frozen' } });
  expect(await run(0, 'keys', ...home)).toMatchObject({ keys: [{ keyId, state: 'frozen' }] });
  expect(await run(0, 'unfreeze', keyId, ...onServer)).toMatchObject({ keyId, state: 'active' });
  expect(await run(0, 'freeze', keyId, '--operator', ...onServer)).toMatchObject({ state: 'frozen' });
  expect(await run(0, 'approve', keyId, '--adopt', ...onServer)).toMatchObject({ keyId });
  const { approval } = (await run(0, 'approve', keyId, ...onServer)) as { approval: string };
  expect(await run(0, 'refresh', '--approval', approval, ...home)).toMatchObject({ epoch: 1 });
  const { head } = (await run(0, 'log-head', ...onServer)) as { head: string };
  expect(await run(0, 'accept-log', head, '--yes', ...home)).toMatchObject({ head });
  expect(await run(3, 'accept-log', head, ...home)).toMatchObject({ error: { code: 'policy/forbidden' } });
  // What the error of a damaged pin advises works.
  const pin = join(phone.home, 'log-head.cbor');
  writeFileSync(pin, 'damaged');
  const damaged = { error: { code: 'place/damaged', hint: expect.stringContaining('move it aside') } };
  expect(await run(6, 'sign', 'file', ...home)).toMatchObject(damaged);
  expect(await run(6, 'accept-log', head, '--yes', ...home)).toMatchObject(damaged);
  renameSync(pin, `${pin}.aside`);
  expect(await run(0, 'accept-log', head, '--yes', ...home)).toMatchObject({ head });

  const { device } = phone.account;
  expect(await run(0, 'devices', ...onServer)).toMatchObject({ devices: [{ device, party: 'phone' }] });
  expect(await run(0, 'revoke', device, ...onServer)).toMatchObject({ device, revoked: true, before: false });
  expect(await run(3, 'sign', 'file', ...home)).toMatchObject({ error: { code: 'policy/revoked' } });

  const other = await startServer(serverOptions());
  expect(await run(0, 'enroll', other.invite(), '--move', ...home)).toMatchObject({
    party: 'phone',
    keys: [keyId],
  });
  const reshare = ['reshare', 'and(server,phone)', '--adopt', ...home];
  expect(await run(3, ...reshare)).toMatchObject({ error: { code: 'policy/unsatisfied' } });
  await other.close();
  await server.close();
});

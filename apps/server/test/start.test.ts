/** Starting, and what the operator is told. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { parseInvite } from '@keepset/transport';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { serverOptions } from '../../../tests/support/server.ts';
import {
  createInvite,
  defaultOptions,
  isKekInsideData,
  startServer,
  type ServerOptions,
} from '../src/index.ts';

const codeOf = async (options: ServerOptions): Promise<string> => {
  try {
    await (await startServer(options)).close();
    return 'started';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('a server', () => {
  it('keeps its address’s key, its log key and its devices over restarts', async () => {
    const folder = temporaryFolder();
    const first = await startServer(serverOptions(folder));
    const invite = parseInvite(first.invite());
    await first.close();
    const second = await startServer(serverOptions(folder));
    expect(parseInvite(second.invite()).pin).toEqual(invite.pin);
    expect(second.logKey).toBe(first.logKey);
    await second.close();
    const other = await startServer(serverOptions());
    expect(parseInvite(other.invite()).pin).not.toEqual(invite.pin);
    expect(other.logKey).not.toBe(first.logKey);
    await other.close();
  });

  it('puts its data where its owner alone can go', async () => {
    const options = serverOptions();
    await (await startServer(options)).close();
    expect(statSync(options.dataDir).mode & 0o777).toBe(0o700);
  });

  it('is invited to while it runs, by another process', async () => {
    const options = serverOptions();
    const server = await startServer(options);
    const invitation = await createInvite({ ...options, publicUrl: server.url });
    expect(parseInvite(invitation)).toMatchObject({
      server: server.url,
      pin: parseInvite(server.invite()).pin,
    });
    expect(parseInvite(invitation).code).not.toBe(parseInvite(server.invite()).code);
    await server.close();
  });

  it('warns when the key-encryption key lies with the data, and that its certificate is its own', async () => {
    const options = serverOptions();
    const inside = await startServer({ ...options, kekFile: join(options.dataDir, 'kek') });
    expect(inside.warnings).toEqual([
      expect.stringContaining('inside the data folder'),
      expect.stringContaining('self-made certificate'),
    ]);
    await inside.close();
  });

  it.each(['', 'Server', '1server', 'a b', 'x'.repeat(33)])('cannot be called "%s"', async (party) => {
    expect(await codeOf(serverOptions(temporaryFolder(), { party }))).toBe('input/invalid-argument');
  });

  it('says in its own terms when the port is taken or the certificate is missing', async () => {
    const running = await startServer(serverOptions());
    const port = Number(new URL(running.url).port);
    expect(await codeOf(serverOptions(temporaryFolder(), { port }))).toBe('transport/unreachable');
    await running.close();
    const tls = { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' };
    expect(await codeOf(serverOptions(temporaryFolder(), { tls }))).toBe('input/invalid-argument');
  });
});

describe('options', () => {
  it('put the key-encryption key outside the data folder', () => {
    for (const environment of [{}, { XDG_DATA_HOME: '/data', XDG_CONFIG_HOME: '/config' }])
      expect(isKekInsideData(defaultOptions(environment))).toBe(false);
    expect(defaultOptions({ XDG_DATA_HOME: '/data', XDG_CONFIG_HOME: '/config' })).toMatchObject({
      dataDir: '/data/keepset-server',
      kekFile: '/config/keepset-server/kek',
      host: '127.0.0.1',
      port: 7443,
    });
  });

  it.each([
    ['/srv/data', '/srv/data/kek', true],
    ['/srv/data', '/srv/data/deep/kek', true],
    ['/srv/data', '/srv/data/../data/kek', true],
    ['/srv/data', '/srv/data2/kek', false],
    ['/srv/data', '/srv/..data/kek', false],
    ['/srv/data', '/srv/data/..kek', true],
    ['/srv/data', '/etc/kek', false],
  ])('a folder %s and a key %s: inside is %s', (dataDir, kekFile, inside) => {
    expect(isKekInsideData({ dataDir, kekFile })).toBe(inside);
  });
});

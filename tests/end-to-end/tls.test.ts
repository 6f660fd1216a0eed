/** Whom a device trusts: a certificate that an authority vouches for, or the very key it pinned when it enrolled. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '@keepset/server';
import { temporaryFolder } from '../support/folders.ts';
import {
  errorOf,
  folderOptions,
  keepset,
  keepsetJson,
  run,
  serve,
  serverFolders,
  type Serving,
} from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';

const work = temporaryFolder();

/** Makes an authority, and a certificate of it for `names`, with openssl. */
const issue = async (name: string, names: string): Promise<{ ca: string; cert: string; key: string }> => {
  const at = (suffix: string) => join(work, `${name}.${suffix}`);
  const openssl = async (line: string) =>
    expect(await run('openssl', line.split(' '), { cwd: work })).toMatchObject({ code: 0 });
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  await openssl(
    `req -x509 ${newKey} -subj /CN=${name}-ca -days 2 -keyout ${at('ca.key')} -out ${at('ca.pem')}`,
  );
  await openssl(`req ${newKey} -subj /CN=keepset -keyout ${at('key')} -out ${at('csr')}`);
  writeFileSync(at('ext'), `subjectAltName=${names}\n`);
  const issuer = `-CA ${at('ca.pem')} -CAkey ${at('ca.key')} -CAcreateserial`;
  await openssl(`x509 -req -in ${at('csr')} ${issuer} -days 2 -extfile ${at('ext')} -out ${at('pem')}`);
  return { ca: at('ca.pem'), cert: at('pem'), key: at('key') };
};

describe('a given certificate', () => {
  let server: Serving;
  let good: { ca: string; cert: string; key: string };
  beforeAll(async () => {
    good = await issue('good', 'IP:127.0.0.1,DNS:localhost');
    server = await serve(serverFolders(), ['--port', '0', '--tls-cert', good.cert, '--tls-key', good.key]);
  });

  it('is trusted through its authority; the invitation carries no pin', async () => {
    expect(server.invitation).toMatch(/#[a-z2-7]+$/);
    const stranger = await keepsetJson(['enroll', server.invitation ?? '', '--home', join(work, 'stranger')]);
    expect(stranger.code).toBe(5);
    expect(errorOf(stranger).code).toBe('transport/untrusted-peer');

    const trusting = { env: { NODE_EXTRA_CA_CERTS: good.ca } };
    const home = ['--home', join(work, 'device')];
    const enrolled = await keepsetJson(['enroll', server.invitation ?? '', ...home], trusting);
    expect(enrolled).toMatchObject({ code: 0, json: { server: server.url } });
    expect(await keepsetJson(['keygen', ...home], trusting)).toMatchObject({ code: 0 });
  });

  it('for another host is refused', async () => {
    const other = await issue('other', 'DNS:keys.example.org');
    const elsewhere = await startServer(
      serverOptions(temporaryFolder(), { tls: { cert: other.cert, key: other.key } }),
    );
    try {
      const refused = await keepsetJson(['enroll', elsewhere.invite(), '--home', join(work, 'misled')], {
        env: { NODE_EXTRA_CA_CERTS: other.ca },
      });
      expect(errorOf(refused).code).toBe('transport/untrusted-peer');
    } finally {
      await elsewhere.close();
    }
  });

  it('that does not fit its key, or cannot be read, is refused at start', async () => {
    const other = await issue('unfit', 'IP:127.0.0.1');
    const folders = folderOptions(serverFolders());
    for (const [cert, key] of [
      [good.cert, other.key],
      [good.cert, join(work, 'nowhere')],
      [good.key, good.key],
    ] as const) {
      const refused = await keepsetJson([
        'serve',
        '--port',
        '0',
        ...folders,
        '--tls-cert',
        cert,
        '--tls-key',
        key,
      ]);
      expect(refused.code).toBe(2);
      expect(errorOf(refused).code).toBe('input/invalid-argument');
    }
    const half = await keepsetJson(['serve', '--port', '0', ...folders, '--tls-cert', good.cert]);
    expect(errorOf(half).message).toContain('belong together');
  });
});

describe('a self-made certificate', () => {
  let server: RunningServer;
  const home = ['--home', join(work, 'pinning')];
  beforeAll(async () => {
    server = await startServer(serverOptions());
    const invitation = server.invite();
    expect(invitation).toMatch(/#[a-z2-7]+\.[\w-]{43}$/);
    expect(await keepset(['enroll', invitation, ...home])).toMatchObject({ code: 0 });
  });

  it('with another key than the pinned one gets nothing, not a single byte', async () => {
    const port = Number(new URL(server.url).port);
    await server.close();
    const { cert, key } = await issue('impostor', 'IP:127.0.0.1');
    const received: Buffer[] = [];
    let connections = 0;
    const impostor = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      socket.on('data', (chunk) => received.push(chunk)).on('error', () => undefined);
    });
    impostor.on('connection', () => (connections += 1));
    await new Promise<void>((resolve) => impostor.listen(port, '127.0.0.1', resolve));
    try {
      const refused = await keepsetJson(['keygen', ...home]);
      expect(refused.code).toBe(5);
      expect(errorOf(refused)).toMatchObject({
        code: 'transport/untrusted-peer',
        hint: expect.stringContaining('Nothing was sent'),
      });
      expect(connections).toBeGreaterThan(0);
      expect(Buffer.concat(received)).toHaveLength(0);
    } finally {
      impostor.close();
    }
  });

  it('of a server that was set up anew at the same address is not taken for the old one', async () => {
    const port = Number(new URL(server.url).port);
    const anew = await startServer(serverOptions(temporaryFolder(), { port }));
    try {
      expect(errorOf(await keepsetJson(['keygen', ...home])).code).toBe('transport/untrusted-peer');
    } finally {
      await anew.close();
    }
  });
});

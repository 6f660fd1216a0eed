/** Being asked to stop, in the middle of things. */
import { request } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { toBase64Url, toHex } from '@keepset/bytes';
import { signRequest } from '@keepset/transport';
import { decodeSessionOutcome, decodeStepResponse, encodeResolveRequest } from '@keepset/wire';
import { openHome, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { keygenRequest } from '../support/steps.ts';
import {
  bin,
  errorOf,
  keepset,
  keepsetJson,
  onlyObject,
  serve,
  serverFolders,
  start,
  untilSaid,
  type Serving,
} from '../support/processes.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const folders = serverFolders();
const home = temporaryFolder();
let server: Serving;
let device: TestDevice;
beforeAll(async () => {
  server = await serve(folders);
  expect(await keepset(['enroll', server.invitation ?? '', '--home', home])).toMatchObject({ code: 0 });
  device = await openHome(home);
});

/** Sends the first half of a signed request; `finish` sends the rest and returns the answer. */
const halfRequest = async (path: string, body: Uint8Array) => {
  const { host: authority, port } = new URL(server.url);
  const signed = await signRequest(
    { method: 'POST', authority, path, query: '?', contentType: 'application/cbor', body },
    device.signer,
    { created: Math.floor(Date.now() / 1000), nonce: toBase64Url(randomBytes(18)) },
  );
  const half = Math.ceil(body.length / 2);
  let sent: (() => void) | undefined;
  const underWay = new Promise<void>((resolve) => (sent = resolve));
  const outgoing = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path,
    headers: { ...signed, 'content-type': 'application/cbor', 'content-length': body.length },
    rejectUnauthorized: false,
  });
  const answer = new Promise<{ status: number; connection: string | undefined; body: Uint8Array }>(
    (resolve, reject) => {
      outgoing.on('error', reject).on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            connection: response.headers.connection,
            body: new Uint8Array(Buffer.concat(chunks)),
          }),
        );
      });
    },
  );
  outgoing.write(body.subarray(0, half), () => sent?.());
  await underWay;
  return {
    finish: () => {
      outgoing.end(body.subarray(half));
      return answer;
    },
  };
};

describe('the server', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'lets a running request finish on %s, then ends with 0',
    async (signal) => {
      const { session, body } = keygenRequest(device.device);
      const running = await halfRequest(`/v1/sessions/${toHex(session)}/steps/1`, body);
      server.child.kill(signal);
      await untilSaid(server, 'Stopping');
      const { status, connection, body: answer } = await running.finish();
      // The connection ends with it, or the server would wait for it to fall idle.
      expect({ status, connection }).toEqual({ status: 200, connection: 'close' });
      expect(decodeStepResponse(answer)).toMatchObject({ state: 'open', step: 1 });
      expect(await server.ended).toMatchObject({ code: 0, signal: null });

      // What was only in memory is void after a restart, and says so.
      server = await serve(folders, ['--port', server.port]);
      expect(decodeSessionOutcome(await resolve(session))).toMatchObject({ state: 'void' });
    },
  );

  const resolve = async (session: Uint8Array): Promise<Uint8Array> => {
    const running = await halfRequest(`/v1/sessions/${toHex(session)}/resolve`, encodeResolveRequest({}));
    return (await running.finish()).body;
  };

  it('is not cut off when the same signal comes twice at once, as from a terminal through a parent', async () => {
    const { session, body } = keygenRequest(device.device);
    const running = await halfRequest(`/v1/sessions/${toHex(session)}/steps/1`, body);
    server.child.kill('SIGINT');
    server.child.kill('SIGINT');
    await untilSaid(server, 'Stopping');
    expect(await running.finish()).toMatchObject({ status: 200 });
    expect(await server.ended).toMatchObject({ code: 0, signal: null });
    server = await serve(folders, ['--port', server.port]);
  });

  it('has stopped in peace when the second signal comes at its very end', async () => {
    for (const late of [3, 6, 9, 12, 15, 18]) {
      server.child.kill('SIGINT');
      await setTimeout(late);
      server.child.kill('SIGINT');
      expect(await server.ended).toMatchObject({ code: 0, signal: null });
      server = await serve(folders, ['--port', server.port]);
    }
  });

  it('keeps standard output to its one JSON object, whatever it refuses', async () => {
    const answer = await (await halfRequest('/v1/nothing', new Uint8Array(0))).finish();
    expect(answer.status).toBe(404);
    await untilSaid(server, 'transport/not-found');
    expect(onlyObject(server.stdout())).toMatchObject({ url: server.url, invitation: null });
  });

  it('says so when its port is taken', async () => {
    const taken = await keepsetJson([
      'serve',
      '--port',
      server.port,
      '--data',
      join(home, 'd'),
      '--kek',
      join(home, 'k'),
    ]);
    expect(taken.code).toBe(5);
    expect(errorOf(taken)).toMatchObject({
      code: 'transport/unreachable',
      hint: expect.stringContaining('--port'),
    });
  });
});

describe('Ctrl-C', () => {
  it('ends a command that waits for a server; nothing is left open', async () => {
    // A server that accepts and then says nothing.
    const sockets: Socket[] = [];
    const mute = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
    });
    const connected = new Promise<void>((resolve) => mute.once('connection', () => resolve()));
    const { port } = new URL(server.url);
    await server.stop();
    await new Promise<void>((resolve) => mute.listen(Number(port), '127.0.0.1', resolve));
    const command = start(process.execPath, [bin, 'keygen', '--home', home]);
    await connected;
    command.child.kill('SIGINT');
    expect(await command.ended).toMatchObject({ signal: 'SIGINT' });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
    expect(existsSync(join(home, 'journal')) ? readdirSync(join(home, 'journal')) : []).toEqual([]);
    server = await serve(folders, ['--port', port]);
    expect(await keepsetJson(['keygen', '--home', home])).toMatchObject({ code: 0 });
  });

  it('and Ctrl-D at a prompt end the command', async () => {
    const locked = temporaryFolder();
    const passphrase = join(locked, 'passphrase');
    writeFileSync(passphrase, 'correct horse battery');
    const invite = await keepsetJson([
      'invite',
      '--data',
      folders.data,
      '--kek',
      folders.kek,
      '--public-url',
      server.url,
    ]);
    const lockedHome = join(locked, 'home');
    const enroll = ['enroll', invite.json['invitation'] as string, '--home', lockedHome];
    await keepset([...enroll, '--passphrase', '--passphrase-file', passphrase]);
    expect(await onTerminal(['keys', '--home', lockedHome], ['\u0003'])).toMatchObject({ code: 130 });
    const ended = await onTerminal(['keys', '--home', lockedHome], ['\u0004']);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toContain('No answer was given');
    const typed = await onTerminal(
      ['keys', '--home', lockedHome],
      Array<string>(3).fill('incorrect horse\n'),
    );
    expect(typed.code).toBe(2);
    expect(typed.stdout).toContain('input/wrong-passphrase');
    expect(typed.stdout).not.toContain('incorrect horse');
  });
});

/** Runs `keepset` on a pseudo-terminal, and types an answer each time it asks. */
const onTerminal = async (args: readonly string[], answers: readonly string[]) => {
  const command = [process.execPath, bin, ...args];
  const quoted = command.map((word) => `'${word}'`).join(' ');
  const [program, ...options] =
    process.platform === 'darwin'
      ? ['script', '-q', '/dev/null', ...command]
      : ['script', '-qec', quoted, '/dev/null'];
  const running = start(program ?? '', options, { detached: true });
  let typed = 0;
  running.child.stdout?.on('data', () => {
    const answer = answers[typed];
    if (answer === undefined || !running.stdout().includes(`Passphrase (attempt ${typed + 1} of 3): `))
      return;
    typed += 1;
    running.child.stdin?.write(answer);
  });
  return running.ended;
};

/** Stopping: nobody who is connected can keep a server from it, and what was asked before is answered. */
import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { mediaType } from '@keepset/transport';
import { serverOptions } from '../../../tests/support/server.ts';
import { createListener } from '../src/http/listener.ts';
import { startServer } from '../src/index.ts';
import { selfMadeCertificate } from '../src/secrets/certificate.ts';

// The server says so once it has read the headers.
const headers = `host: server\r\ncontent-type: ${mediaType}\r\ncontent-length: 2\r\nexpect: 100-continue`;
const post = `POST /v1/enrolments HTTP/1.1\r\n${headers}\r\n\r\n`;

const connected = async (host: string, port: number, speaksTls = true): Promise<Socket> => {
  const address = { host, port };
  const socket = speaksTls ? connectTls({ ...address, rejectUnauthorized: false }) : connect(address);
  await once(socket, speaksTls ? 'secureConnect' : 'connect');
  return socket;
};

const asked = async (socket: Socket): Promise<void> => {
  socket.write(post);
  expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 100 /);
};

describe('a server that is stopped', () => {
  it.each([
    ['does not begin to speak TLS', false, undefined],
    ['asks nothing', true, undefined],
    ['asks half of something', true, 'GET /healthz HTTP/1.1\r\nhost: server\r\n'],
    ['never sends all it announced', true, post],
  ])('does not wait for somebody who %s', async (_, speaksTls, words) => {
    const server = await startServer(serverOptions());
    const { hostname, port } = new URL(server.url);
    const socket = await connected(hostname, Number(port), speaksTls);
    const cut = new Promise((resolve) => {
      socket.on('error', () => undefined).once('close', resolve);
    });
    if (words === post) await asked(socket);
    else if (words !== undefined) socket.write(words);
    socket.resume();
    await Promise.all([server.close(), cut]);
  });

  it('answers what was asked before, at each of its addresses', async () => {
    const server = await startServer({ ...serverOptions(), host: 'localhost' });
    const port = Number(new URL(server.url).port);
    const addresses = await lookup('localhost', { all: true });
    // A machine may have an address by name only.
    const tries = await Promise.allSettled(addresses.map(({ address }) => connected(address, port)));
    const sockets = tries.flatMap((found) => (found.status === 'fulfilled' ? [found.value] : []));
    expect(sockets.length).toBeGreaterThan(0);
    await Promise.all(sockets.map(asked));
    const answers = sockets.map((socket) => text(socket));
    const stopped = server.close();
    for (const socket of sockets) socket.write('{}');
    await stopped;
    for (const answer of answers) expect(await answer).toMatch(/^HTTP\/1.1 4\d\d [^]*connection: close\r\n/);
  });

  it('sends an answer to its end, however slowly it is read', async () => {
    const size = 4 << 20;
    const tls = await selfMadeCertificate({ load: async (_, make) => make() }, 'localhost');
    const listener = createListener({ cert: tls.cert, key: tls.key }, (_, response) =>
      response.end(Buffer.alloc(size)),
    );
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    const socket = await connected('127.0.0.1', (listener.address() as AddressInfo).port);
    socket.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n');
    await once(socket, 'readable');
    const closed = new Promise((resolve) => {
      listener.close(resolve);
    });
    const answer = await buffer(socket);
    await closed;
    expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4)).toHaveLength(size);
  });
});

/** The connection below the signatures: whom it trusts, what it refuses to read, how it fails. */
import { createHash, X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, toBase64Url } from '@keepset/bytes';
import { maxMessageBytes } from '@keepset/wire';
import { selfMadeCertificate, type TlsIdentity } from '../../../apps/server/src/secrets/certificate.ts';
import { openChannel, type Channel } from '../src/index.ts';

/** A certificate made as the server makes its own, kept nowhere. */
const newIdentity = (): Promise<TlsIdentity> =>
  selfMadeCertificate({ load: async (_, create) => create() }, '127.0.0.1');

let identity: TlsIdentity;
beforeAll(async () => {
  identity = await newIdentity();
});

const open: { close: () => unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

const listen = async (handler: RequestListener, options: object = {}): Promise<string> => {
  const server: Server = createServer({ cert: identity.cert, key: identity.key, ...options }, handler);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => (server.closeAllConnections(), server.close()) });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const channelTo = (url: string, pin: Uint8Array | undefined = identity.pin): Channel => {
  const channel = openChannel({ url, ...(pin === undefined ? {} : { pin }) });
  open.push(channel);
  return channel;
};

const nothing = new Uint8Array(0);
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('trust', () => {
  it('a pinned key is trusted whatever else the certificate says', async () => {
    const url = await listen((_, answer) => answer.end('hello'));
    const { status, body } = await channelTo(url).send('GET', '/', {}, nothing);
    expect({ status, body: Buffer.from(body).toString() }).toEqual({ status: 200, body: 'hello' });
  });

  it('the pin is the SHA-256 of the certificate’s public key, as openssl and browsers compute it', () => {
    const { publicKey } = new X509Certificate(identity.cert);
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    expect(toBase64Url(identity.pin ?? nothing)).toBe(createHash('sha256').update(spki).digest('base64url'));
  });

  it('another key is refused before the request is sent', async () => {
    let requests = 0;
    const url = await listen((_, answer) => {
      requests += 1;
      answer.end();
    });
    const { pin } = await newIdentity();
    const channel = channelTo(url, pin);
    for (let time = 0; time < 3; time += 1)
      expect(await codeOf(channel.send('POST', '/', {}, new Uint8Array(10)))).toBe(
        'transport/untrusted-peer',
      );
    expect(requests).toBe(0);
  });

  it('without a pin the system decides: a self-made certificate is refused', async () => {
    const url = await listen((_, answer) => answer.end());
    const channel = openChannel({ url });
    open.push(channel);
    expect(await codeOf(channel.send('GET', '/', {}, nothing))).toBe('transport/untrusted-peer');
  });

  it('TLS 1.2 is refused', async () => {
    const url = await listen((_, answer) => answer.end(), { maxVersion: 'TLSv1.2' });
    expect(await codeOf(channelTo(url).send('GET', '/', {}, nothing))).toMatch(
      /^transport\/(unreachable|untrusted-peer)$/,
    );
  });
});

describe('answers', () => {
  it('up to the limit are read, larger ones are cut off', async () => {
    const url = await listen((request, answer) => answer.end(Buffer.alloc(Number(request.url?.slice(1)))));
    const channel = channelTo(url);
    expect((await channel.send('GET', `/${maxMessageBytes}`, {}, nothing)).body).toHaveLength(
      maxMessageBytes,
    );
    expect(await codeOf(channel.send('GET', `/${maxMessageBytes + 1}`, {}, nothing))).toBe(
      'transport/bad-response',
    );
    // The channel still works.
    expect((await channel.send('GET', '/3', {}, nothing)).body).toHaveLength(3);
  });

  it('that end too early are no answers', async () => {
    const url = await listen((_, answer) => {
      answer.writeHead(200, { 'content-length': '100' });
      answer.write('half');
      setImmediate(() => answer.destroy());
    });
    expect(await codeOf(channelTo(url).send('GET', '/', {}, nothing))).toBe('transport/unreachable');
  });

  it('that are no HTTP are no answers', async () => {
    const plain = createPlainServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('SSH-2.0-OpenSSH\r\n');
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    open.push(plain);
    const { port } = plain.address() as AddressInfo;
    expect(await codeOf(channelTo(`https://127.0.0.1:${port}`).send('GET', '/', {}, nothing))).toBe(
      'transport/unreachable',
    );
  });

  it('that never end are given up after the time that is given', async () => {
    const url = await listen((_, answer) => {
      answer.writeHead(200);
      const drip = setInterval(() => answer.write('.'), 20);
      answer.on('close', () => clearInterval(drip));
    });
    expect(await codeOf(channelTo(url).send('GET', '/', {}, nothing, 500))).toBe('transport/unreachable');
    // One that takes connections and says nothing at all.
    const mute = createPlainServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    open.push(mute);
    const { port } = mute.address() as AddressInfo;
    const silent = channelTo(`https://127.0.0.1:${port}`).send('GET', '/', {}, nothing, 500);
    expect(await codeOf(silent)).toBe('transport/unreachable');
  });

  it('of nobody: the port is closed', async () => {
    expect(await codeOf(channelTo('https://127.0.0.1:1').send('GET', '/', {}, nothing))).toBe(
      'transport/unreachable',
    );
  });

  it('come to their own requests when many are under way', async () => {
    const url = await listen((request, answer) => {
      setTimeout(() => answer.end(request.url), Math.random() * 20);
    });
    const channel = channelTo(url);
    const paths = Array.from({ length: 40 }, (_, at) => `/${at}`);
    const bodies = await Promise.all(
      paths.map(async (path) => Buffer.from((await channel.send('GET', path, {}, nothing)).body).toString()),
    );
    expect(bodies).toEqual(paths);
  });
});

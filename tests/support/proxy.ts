/**
 * Somebody in the middle: ends the TLS connection with a key the device trusts, and may change what goes through.
 * What protects the device is then the signatures alone.
 */
import { request as httpsRequest } from 'node:https';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfMadeCertificate } from '../../apps/server/src/secrets/certificate.ts';
import type { RawAnswer, RawRequest } from './raw.ts';

/** A request and the real answer to it, in clear. */
export interface Exchange {
  readonly request: RawRequest;
  readonly answer: RawAnswer;
}

/** What the middleman does with an exchange; null drops the connection instead of answering. */
export type Meddling = (exchange: Exchange) => RawAnswer | null | Promise<RawAnswer | null>;

/** A running middleman. */
export interface Proxy {
  readonly url: string;
  /** Pin of its own certificate. */
  readonly pin: Uint8Array;
  /** All that went through. */
  readonly seen: readonly Exchange[];
  meddle(how: Meddling): void;
  close(): Promise<void>;
}

/** Starts a middleman in front of `target`. */
export const startProxy = async (target: string): Promise<Proxy> => {
  const { cert, key, pin } = await selfMadeCertificate({ load: async (_, create) => create() }, '127.0.0.1');
  const seen: Exchange[] = [];
  let meddling: Meddling = ({ answer }) => answer;
  const server: Server = createServer({ cert, key }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request: RawRequest = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        // As they came, the host included: the server checks that it was signed.
        headers: Object.fromEntries(
          Object.entries(incoming.headers).map(([name, value]) => [name, value?.toString() ?? '']),
        ),
        body: new Uint8Array(Buffer.concat(chunks)),
      };
      void (async () => {
        try {
          const answer = await forward(target, request);
          seen.push({ request, answer });
          const changed = await meddling({ request, answer });
          if (changed === null) {
            outgoing.destroy();
            return;
          }
          const headers = Object.entries(changed.headers).filter(
            ([name, value]) =>
              value !== undefined && !/^(content-length|connection|keep-alive|transfer-encoding)$/.test(name),
          );
          outgoing.writeHead(changed.status, Object.fromEntries(headers) as Record<string, string>);
          outgoing.end(changed.body);
        } catch {
          outgoing.destroy();
        }
      })();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  if (pin === undefined) throw new Error('a self-made certificate has a pin');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pin,
    seen,
    meddle: (how) => {
      meddling = how;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const forward = (target: string, { method, path, headers, body }: RawRequest): Promise<RawAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(target);
    const outgoing = httpsRequest(
      {
        host: hostname,
        port,
        method,
        path,
        headers: { ...headers } as never,
        agent: false,
        rejectUnauthorized: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
            ),
            body: new Uint8Array(Buffer.concat(chunks)),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });

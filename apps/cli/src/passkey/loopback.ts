/** A server that only programs on this computer reach, under the name localhost. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { KeepsetError } from '@keepset/bytes';

/** It listens. */
export interface Loopback {
  readonly port: number;
  /** Takes no more connections; those that are there go on. */
  stopListening(): void;
  /** Ends all connections. */
  close(): void;
}

/**
 * Listens on a free port on 127.0.0.1 and on ::1: browsers try both for `localhost`, so that one left free would be
 * another program's to answer.
 * @throws KeepsetError `place/unreachable`
 */
export const listenOnLoopback = async (listenerFor: (port: number) => RequestListener): Promise<Loopback> => {
  for (let attempt = 1; ; attempt += 1) {
    const first = await listen('127.0.0.1', 0);
    const address = first.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const servers = [first];
    try {
      servers.push(await listen('::1', port));
    } catch (thrown) {
      // Without IPv6 nobody else can listen there either.
      if (!isOneOf(thrown, ['EADDRNOTAVAIL', 'EAFNOSUPPORT'])) {
        first.close();
        if (isOneOf(thrown, ['EADDRINUSE']) && attempt < 10) continue;
        throw new KeepsetError('place/unreachable', 'No port on this computer can be used.', {
          cause: thrown,
        });
      }
    }
    for (const server of servers) server.on('request', listenerFor(port));
    return {
      port,
      stopListening: () => servers.forEach((server) => server.close()),
      close: () => servers.forEach((server) => server.closeAllConnections()),
    };
  }
};

const isOneOf = (error: unknown, codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.some((code) => code === error.code);

const listen = (host: string, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';

/** What answers requests. */
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Within what Docker allows before it kills. */
const patienceMs = 8_000;

/**
 * A TLS listener that can be closed by whoever runs it, whatever those do who are connected: requests that are there are
 * answered, for 8 seconds at most; connections on which nothing is asked, or only begun to be, are cut.
 */
export const createListener = (options: ServerOptions, handler: Handler): Server => {
  const server = createServer(options);
  const connections = new Set<Socket>();
  const unanswered = new Set<ServerResponse>();
  let stopping = false;
  const cutAll = (): void => {
    for (const connection of connections) connection.destroy();
  };
  const cutIfDone = (): void => {
    if (stopping && unanswered.size === 0) cutAll();
  };
  // Before the handshake: Node knows only those that are through with it, and takes the silent ones among them for busy.
  server.on('connection', (connection: Socket) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    cutIfDone();
  });
  server.on('request', (request, response) => {
    unanswered.add(response);
    response.once('close', () => {
      unanswered.delete(response);
      cutIfDone();
    });
    handler(request, response);
  });
  const close = server.close.bind(server);
  server.close = (done) => {
    stopping = true;
    for (const response of unanswered) if (!response.headersSent) response.setHeader('connection', 'close');
    cutIfDone();
    setTimeout(cutAll, patienceMs).unref();
    return close(done);
  };
  // Node would cut answers that are given, but not sent to the end.
  server.closeIdleConnections = () => undefined;
  return server;
};

/** An HTTPS connection to one server, trusted by its pinned key or by the system's certificate authorities. */
import { createHash } from 'node:crypto';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { maxMessageBytes } from '@keepset/wire';

/** Where and whom to trust. */
export interface ServerAddress {
  /** `https://host:port` */
  readonly url: string;
  /** SHA-256 of the certificate's public key (SPKI). Without it the certificate must be valid for the system. */
  readonly pin?: Uint8Array;
}

/** A raw answer. */
export interface ChannelResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** Sends requests over kept-alive connections. */
export interface Channel {
  readonly authority: string;
  /**
   * @param withinMs how long all of it may take; by default as long as it goes on
   * @throws KeepsetError `transport/unreachable`, `transport/untrusted-peer` or `transport/bad-response`
   */
  send(
    method: string,
    pathAndQuery: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    withinMs?: number,
  ): Promise<ChannelResponse>;
  close(): void;
}

const timeoutMs = 30_000;

/** Opens a channel. No connection is made before the first request. */
export const openChannel = (address: ServerAddress): Channel => {
  const url = new URL(address.url);
  const agent = new PinnedAgent(address.pin);
  return {
    authority: url.host,
    send: (method, pathAndQuery, headers, body, withinMs) =>
      send(
        {
          host: url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port || 443,
          path: pathAndQuery,
          method,
          headers: { ...headers, host: url.host },
          agent,
          ...(withinMs === undefined ? {} : { signal: AbortSignal.timeout(withinMs) }),
        },
        body,
      ),
    close: () => agent.destroy(),
  };
};

/**
 * Checks the pin before a single byte of a request leaves: a pinned connection is handed out only once the
 * peer's key has been compared.
 */
class PinnedAgent extends Agent {
  readonly #pin: Uint8Array | undefined;

  constructor(pin: Uint8Array | undefined) {
    super({ keepAlive: true, maxSockets: 8 });
    this.#pin = pin;
  }

  override createConnection(
    options: ConnectionOptions,
    callback?: (error: Error | null, socket: TLSSocket) => void,
  ): undefined {
    const pin = this.#pin;
    const socket = connect({
      ...options,
      minVersion: 'TLSv1.3',
      // Said outright, so that nothing in the environment can switch the check off.
      rejectUnauthorized: pin === undefined,
    });
    let settled = false;
    const settle = (error: Error | null): void => {
      if (settled) return;
      settled = true;
      if (error !== null) socket.destroy();
      callback?.(error, socket);
    };
    socket.once('error', (error) => settle(error));
    socket.once('close', () => settle(new Error('connection closed')));
    // Nobody else hears of it before the connection is handed out.
    socket.once('timeout', () => settle(new Error('timed out')));
    socket.once('secureConnect', () =>
      settle(pin === undefined || isPinned(socket, pin) ? null : untrusted()),
    );
  }
}

const isPinned = (socket: TLSSocket, pin: Uint8Array): boolean => {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return false;
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return bytesEqual(createHash('sha256').update(spki).digest(), pin);
};

const untrusted = (): KeepsetError =>
  new KeepsetError(
    'transport/untrusted-peer',
    'The server shows another certificate key than the pinned one.',
    {
      hint: 'Nothing was sent. Either the server was set up anew (enrol again) or somebody stands between.',
    },
  );

const send = (options: RequestOptions, body: Uint8Array): Promise<ChannelResponse> =>
  new Promise((resolve, reject) => {
    // A request that has no connection yet says nothing when it is aborted.
    options.signal?.addEventListener('abort', () => reject(toTransportError(new Error('no answer in time'))));
    const request = httpsRequest({ ...options, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxMessageBytes) {
          request.destroy(new KeepsetError('transport/bad-response', 'The answer is too large.'));
          return;
        }
        chunks.push(chunk);
      });
      response.on('error', (error) => reject(toTransportError(error)));
      response.on('end', () => {
        const headers: Record<string, string | undefined> = {};
        for (const [name, value] of Object.entries(response.headers))
          headers[name] = Array.isArray(value) ? value.join(', ') : value;
        resolve({ status: response.statusCode ?? 0, headers, body: new Uint8Array(Buffer.concat(chunks)) });
      });
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', (error) => reject(toTransportError(error)));
    request.end(body);
  });

const toTransportError = (error: Error & { code?: string }): KeepsetError => {
  if (error instanceof KeepsetError) return error;
  const isCertificate = /CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/.test(error.code ?? '');
  if (isCertificate)
    return new KeepsetError(
      'transport/untrusted-peer',
      `The server's certificate is not trusted (${error.code}).`,
      { cause: error },
    );
  return new KeepsetError(
    'transport/unreachable',
    `The server cannot be reached (${error.code ?? error.message}).`,
    {
      hint: 'Check that it is running (`keepset serve`) and that the address is right.',
      cause: error,
    },
  );
};

/** Requests made by hand, so that every part of them can be wrong. */
import { randomBytes } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import type { KeepsetError } from '@keepset/bytes';
import { toBase64Url } from '@keepset/bytes';
import { mediaType, signRequest, type MessageSigner, type SignatureHeaders } from '@keepset/transport';
import { decodeError } from '@keepset/wire';

/** A request as it goes out. */
export interface RawRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: Uint8Array;
  /** A name with several values is sent several times. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** What came back. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** Sends a request over a connection of its own, whatever certificate there is. */
export const send = (
  url: string,
  { method, path, body, headers }: RawRequest,
  chunked = false,
): Promise<RawAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const outgoing = httpsRequest({
      host: hostname,
      port,
      method,
      path,
      agent: false,
      rejectUnauthorized: false,
      headers: {
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [
            name,
            typeof value === 'string' ? value : [...value],
          ]),
        ),
        ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }),
      },
    });
    let answered = false;
    outgoing.on('response', (response) => {
      answered = true;
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
    });
    // A server that has refused a large body closes the connection before all of it was sent.
    outgoing.on('error', (error) => {
      if (!answered) reject(error);
    });
    outgoing.end(body);
  });

/** When and by which name a request is signed; now and freshly unless said otherwise. */
export interface Moment {
  /** Unix seconds. */
  readonly created?: number;
  readonly nonce?: string;
}

/** Unix seconds. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** What is to be sent, before it is signed. */
export interface Plain {
  readonly method?: string;
  readonly path: string;
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

/** A request properly signed; tests then change what they like. */
export const signed = async (
  url: string,
  { method = 'POST', path, body = new Uint8Array(0), contentType = mediaType }: Plain,
  signer: MessageSigner,
  { created = nowSeconds(), nonce = toBase64Url(randomBytes(18)) }: Moment = {},
): Promise<RawRequest & { readonly headers: SignatureHeaders & { 'content-type': string } }> => {
  const [bare = '', query = ''] = path.split('?');
  const signable = {
    method,
    authority: new URL(url).host,
    path: bare,
    query: `?${query}`,
    contentType,
    body,
  };
  const headers = await signRequest(signable, signer, { created, nonce });
  return { method, path, body, headers: { ...headers, 'content-type': contentType } };
};

/** The error an answer carries. */
export const errorIn = ({ status, body }: RawAnswer): KeepsetError => {
  if (status === 200) throw new Error('this is no refusal');
  return decodeError(body);
};

/** Status and code, as one text: easy to compare. */
export const verdictOf = (answer: RawAnswer): string =>
  answer.status === 200 ? '200' : `${answer.status} ${errorIn(answer).code}`;

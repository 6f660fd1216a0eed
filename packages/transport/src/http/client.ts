/** The device's side of HTTP: signs every request, believes only answers the pinned server key signed. */
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError, toBase64Url, toHex } from '@keepset/bytes';
import {
  decodeEnrolResponse,
  decodeError,
  decodeFrozenKey,
  decodeInvitation,
  decodeKeyList,
  decodeKnownKit,
  decodeLoggedExport,
  decodeSessionOutcome,
  decodeStepResponse,
  encodeEnrolRequest,
  encodeKitNote,
  encodeResolveRequest,
  encodeStepRequest,
  type EnrolRequest,
  type EnrolResponse,
} from '@keepset/wire';
import type { KitNotes, PartyTransport } from '../port.ts';
import type { Channel, ChannelResponse } from './channel.ts';
import { verifierFor } from './keys.ts';
import {
  readSignature,
  signRequest,
  signatureBytes,
  verifyResponse,
  type MessageSigner,
  type MessageVerifier,
  type ReceivedHeaders,
} from './signatures.ts';

/** Media type of every message. */
export const mediaType = 'application/cbor';

/** How far two clocks may differ, in seconds. */
export const clockTolerance = 60;

/** What a client needs. */
export interface HttpClientOptions {
  readonly channel: Channel;
  readonly signer: MessageSigner;
  /** The server's signing key, pinned at enrolment: compressed P-256 point. */
  readonly serverKey: Uint8Array;
  /** Unix seconds. */
  readonly now: () => number;
}

/** Client plus what it counted, for benchmarks. */
export interface HttpTransport extends PartyTransport, KitNotes {
  readonly traffic: () => Traffic;
}

/** Bodies only, in bytes; headers are left out. */
export interface Traffic {
  readonly requests: number;
  readonly sent: number;
  readonly received: number;
}

/** The {@link PartyTransport} over HTTP. */
export const httpTransport = (options: HttpClientOptions): HttpTransport => {
  const verify = verifierFor(options.serverKey);
  const traffic = { requests: 0, sent: 0, received: 0 };
  const call = async (
    method: string,
    path: string,
    body: Uint8Array,
    withinMs?: number,
  ): Promise<Uint8Array> => {
    traffic.requests += 1;
    traffic.sent += body.length;
    const answer = await exchange(options, method, path, body, () => verify, withinMs);
    traffic.received += answer.body.length;
    return answer.body;
  };
  return {
    step: async (request) =>
      decodeStepResponse(
        await call(
          'POST',
          `/v1/sessions/${toHex(request.session)}/steps/${request.step}`,
          encodeStepRequest(request),
        ),
      ),
    resolve: async (session, request = {}, withinMs) =>
      decodeSessionOutcome(
        await call('POST', `/v1/sessions/${toHex(session)}/resolve`, encodeResolveRequest(request), withinMs),
      ),
    keys: async () => decodeKeyList(await call('GET', '/v1/keys', new Uint8Array(0))),
    freeze: async (keyId, request = {}) =>
      decodeFrozenKey(await call('POST', `/v1/keys/${keyId}/freeze`, encodeResolveRequest(request))),
    checkpoint: async () => {
      const answer = await options.channel.send('GET', '/v1/log/checkpoint', {}, new Uint8Array(0));
      if (answer.status !== 200) throw refusalOf(answer);
      return new TextDecoder().decode(answer.body);
    },
    announceExport: async (keyId, request = {}) =>
      decodeLoggedExport(await call('POST', `/v1/keys/${keyId}/export`, encodeResolveRequest(request))),
    noteKit: async (note) => decodeKnownKit(await call('POST', '/v1/kits', encodeKitNote(note))),
    kit: async (kit) => decodeKnownKit(await call('GET', `/v1/kits/${kit}`, new Uint8Array(0))),
    invite: async () => decodeInvitation(await call('POST', '/v1/invitations', new Uint8Array(0))).code,
    traffic: () => ({ ...traffic }),
  };
};

/** An enrolment over an already trusted channel. The answer must be signed by the very key it announces. */
export const enrol = async (
  options: Omit<HttpClientOptions, 'serverKey'>,
  request: EnrolRequest,
): Promise<EnrolResponse> => {
  const body = encodeEnrolRequest(request);
  const answer = await exchange(options, 'POST', '/v1/enrolments', body, (received) =>
    verifierFor(decodeEnrolResponse(received).serverKey),
  );
  return decodeEnrolResponse(answer.body);
};

const exchange = async (
  options: Omit<HttpClientOptions, 'serverKey'>,
  method: string,
  path: string,
  body: Uint8Array,
  verifierOf: (body: Uint8Array) => MessageVerifier,
  withinMs?: number,
): Promise<ChannelResponse> => {
  const { channel, signer, now } = options;
  const signable = { method, authority: channel.authority, path, query: '?', contentType: mediaType, body };
  const moment = { created: now(), nonce: toBase64Url(randomBytes(18)) };
  const signed = await signRequest(signable, signer, moment);
  const answer = await channel.send(method, path, { 'content-type': mediaType, ...signed }, body, withinMs);
  await checkAnswer(answer, signatureBytes(signed), verifierOf, now());
  return answer;
};

/**
 * Refusals may come unsigned (a proxy, or a server that does not know who asks): they can say no,
 * but they can never be taken for success.
 */
const checkAnswer = async (
  answer: ChannelResponse,
  requestSignature: Uint8Array,
  verifierOf: (body: Uint8Array) => MessageVerifier,
  now: number,
): Promise<void> => {
  if (answer.status !== 200) throw refusalOf(answer);
  const headers = receivedHeaders(answer.headers);
  const response = {
    status: answer.status,
    contentType: answer.headers['content-type'] ?? '',
    body: answer.body,
  };
  try {
    const { claim } = readSignature(headers);
    await verifyResponse(response, headers, requestSignature, verifierOf(answer.body));
    if (Math.abs(claim.created - now) > clockTolerance)
      throw new KeepsetError('transport/expired', 'The answer was signed too long ago.');
  } catch (cause) {
    throw new KeepsetError('transport/untrusted-peer', 'The answer is not signed by the pinned server key.', {
      cause,
    });
  }
};

const refusalOf = (answer: ChannelResponse): KeepsetError => {
  try {
    return decodeError(answer.body);
  } catch (cause) {
    return new KeepsetError(
      'transport/bad-response',
      `The server answered ${answer.status} without a reason.`,
      { cause },
    );
  }
};

/** Picks the signature headers out of a header table. */
export const receivedHeaders = (headers: Readonly<Record<string, string | undefined>>): ReceivedHeaders => ({
  'content-digest': headers['content-digest'],
  'signature-input': headers['signature-input'],
  signature: headers.signature,
});

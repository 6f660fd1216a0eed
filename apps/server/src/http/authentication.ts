import type { FastifyRequest } from 'fastify';
import { KeepsetError } from '@keepset/bytes';
import {
  authKeyId,
  clockTolerance,
  readSignature,
  receivedHeaders,
  verifyRequest,
  type MessageVerifier,
  type SignableRequest,
  type SignatureClaim,
} from '@keepset/transport';
import type { DeviceRow, EnrolmentStore } from '../enrolment/store.ts';
import { platformVerifier } from '../secrets/identity.ts';

/** An authenticated request. */
export interface Authenticated {
  readonly device: DeviceRow;
  /** The request's signature: the answer's signature covers it. */
  readonly signature: Uint8Array;
}

/** Unix seconds. */
export type Clock = () => number;

/** Checks who sent a request. One per server: it keeps parsed device keys. */
export interface Authenticator {
  /**
   * Authenticates a request of an enrolled device.
   * @throws KeepsetError `transport/unsigned`, `transport/bad-signature`, `transport/expired` or `transport/replayed`;
   * `policy/revoked`, which only the device itself gets to hear
   */
  device(request: FastifyRequest): Promise<Authenticated>;
  /** Checks that a request is signed by `publicKey`. Throws as {@link Authenticator.device}; returns the signature. */
  possession(request: FastifyRequest, publicKey: Uint8Array): Promise<Uint8Array>;
}

const maxCachedKeys = 1000;

export const authenticator = (store: EnrolmentStore, now: Clock): Authenticator => {
  const verifiers = new Map<string, MessageVerifier>();
  const verifierOf = (authKey: string, publicKey: Uint8Array): MessageVerifier => {
    const known = verifiers.get(authKey);
    if (known !== undefined) return known;
    const made = platformVerifier(publicKey);
    if (verifiers.size >= maxCachedKeys) verifiers.clear();
    verifiers.set(authKey, made);
    return made;
  };
  const checkFresh = async (request: FastifyRequest, verify: MessageVerifier): Promise<SignatureClaim> => {
    const headers = receivedHeaders(headerTable(request));
    const claim = await verifyRequest(signableOf(request), headers, verify);
    const { created } = claim;
    if (Math.abs(created - now()) > clockTolerance)
      throw new KeepsetError(
        'transport/expired',
        `The request was signed more than ${clockTolerance} seconds ago or ahead.`,
        {
          hint: 'Check the clocks of device and server.',
        },
      );
    return claim;
  };
  const check = async (request: FastifyRequest, verify: MessageVerifier): Promise<Uint8Array> => {
    const { keyId, created, nonce } = await checkFresh(request, verify);
    // Only a verified request may fill the table of nonces.
    if (!store.useNonce(keyId, nonce, created + 2 * clockTolerance, now()))
      throw new KeepsetError('transport/replayed', 'This request was received before.');
    return signatureOf(request);
  };
  return {
    device: async (request) => {
      const { claim } = readSignature(receivedHeaders(headerTable(request)));
      const device = store.findDevice(claim.keyId);
      // The same words as for a wrong signature: who is enrolled here is nobody's business.
      if (device === undefined)
        throw new KeepsetError('transport/bad-signature', 'The signature does not verify.');
      const signature = await check(request, verifierOf(claim.keyId, device.publicKey));
      // Asked after the check, which takes its time: a revocation may have come meanwhile.
      if (store.findDevice(claim.keyId)?.revoked !== false) throw revokedDevice();
      return { device, signature };
    },
    possession: async (request, publicKey) => {
      const { claim } = readSignature(receivedHeaders(headerTable(request)));
      if (claim.keyId !== authKeyId(publicKey))
        throw new KeepsetError(
          'transport/bad-signature',
          'The request is signed by another key than it names.',
        );
      // No nonce is noted: anybody has a key, and a replay is answered as the request it repeats.
      await checkFresh(request, possessionVerifier(publicKey));
      return signatureOf(request);
    },
  };
};

export const revokedDevice = (): KeepsetError =>
  new KeepsetError('policy/revoked', 'The operator of the server has revoked this device.', {
    hint: 'Enrol a clean device with a new invitation, and give it a share by repair or reshare.',
  });

const signatureOf = (request: FastifyRequest): Uint8Array =>
  readSignature(receivedHeaders(headerTable(request))).signature;

const possessionVerifier = (publicKey: Uint8Array): MessageVerifier => {
  try {
    return platformVerifier(publicKey);
  } catch (cause) {
    throw new KeepsetError('wire/malformed', 'The request names no P-256 key.', { cause });
  }
};

const headerTable = (request: FastifyRequest): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]),
  );

const signableOf = (request: FastifyRequest): SignableRequest => {
  const [path = '', ...query] = request.url.split('?');
  return {
    method: request.method,
    authority: (request.headers.host ?? '').toLowerCase(),
    path,
    query: `?${query.join('?')}`,
    contentType: request.headers['content-type'] ?? '',
    body: bodyOf(request),
  };
};

/** The request's body as it arrived; empty when there is none. */
export const bodyOf = (request: FastifyRequest): Uint8Array =>
  request.body instanceof Uint8Array ? new Uint8Array(request.body) : new Uint8Array(0);

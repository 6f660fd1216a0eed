import type { FastifyInstance } from 'fastify';
import { KeepsetError, fromHex, parseAs } from '@keepset/bytes';
import type { Party1Handler } from '@keepset/ceremony';
import {
  decodeResolveRequest,
  encodeFrozenKey,
  encodeKeyList,
  encodeLoggedExport,
  encodeSessionOutcome,
  keyIdText,
} from '@keepset/wire';
import { sendSigned } from '../http/app.ts';
import { bodyOf, type Authenticator, type Clock } from '../http/authentication.ts';
import { cborBody, refusals, signed } from '../http/openapi.ts';
import type { ServerIdentity } from '../secrets/identity.ts';

/** What the party's routes need. */
export interface PartyRoutes {
  readonly handler: Party1Handler;
  readonly authenticator: Authenticator;
  readonly identity: ServerIdentity;
  readonly now: Clock;
}

const sessionOf = (text: string): Uint8Array => {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new KeepsetError('wire/malformed', 'A session is named by 64 hex digits.');
  return fromHex(text);
};

const stepOf = (text: string): number => {
  if (!/^[1-9][0-9]?$/.test(text)) throw new KeepsetError('wire/malformed', 'A step is a number from 1.');
  return Number(text);
};

const sessionParameter = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: '32 random bytes chosen by the device, in hex',
};

/** Keygen, sign and every later ceremony: one address for each step of a session. */
export const registerPartyRoutes = (
  app: FastifyInstance,
  { handler, authenticator, identity, now }: PartyRoutes,
): void => {
  app.post<{ Params: { session: string; step: string } }>(
    '/v1/sessions/:session/steps/:step',
    {
      schema: {
        ...signed,
        summary: 'Take one step of a ceremony',
        description: 'Repeating a step with the same body returns the same answer; with another body, 409.',
        params: {
          type: 'object',
          properties: { session: sessionParameter, step: { type: 'string', pattern: '^[1-9][0-9]?$' } },
        },
        response: {
          200: cborBody('{v, type: "step-result", session, step, state, messages, evidence?}'),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const session = sessionOf(request.params.session);
      const answer = await handler.step(device, session, stepOf(request.params.step), bodyOf(request));
      return sendSigned(reply, identity, now, signature, answer);
    },
  );

  app.post<{ Params: { session: string } }>(
    '/v1/sessions/:session/resolve',
    {
      schema: {
        ...signed,
        summary: 'Learn how a session ended; end it as void unless it is committed',
        params: { type: 'object', properties: { session: sessionParameter } },
        response: {
          200: cborBody('{v, type: "session-outcome", session, state, keyId?, evidence?}'),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const asked = decodeResolveRequest(bodyOf(request));
      const outcome = await handler.resolve(device, sessionOf(request.params.session), asked);
      return sendSigned(reply, identity, now, signature, encodeSessionOutcome(outcome));
    },
  );

  app.post<{ Params: { key: string } }>(
    '/v1/keys/:key/freeze',
    {
      schema: {
        ...signed,
        summary: 'Stop a key of this tenant; only the operator lets it go on',
        description: 'The body is that of resolve. A key that is frozen already stays as it is.',
        params: { type: 'object', properties: { key: { type: 'string', pattern: '^[a-z2-7]{26}$' } } },
        response: {
          200: cborBody('{v, type: "frozen", keyId, epoch, evidence}'),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const asked = decodeResolveRequest(bodyOf(request));
      const keyId = parseAs(keyIdText, request.params.key, 'key id', 'wire/malformed');
      const frozen = await handler.freeze(device, keyId, asked);
      return sendSigned(reply, identity, now, signature, encodeFrozenKey(frozen));
    },
  );

  app.post<{ Params: { key: string } }>(
    '/v1/keys/:key/export',
    {
      schema: {
        ...signed,
        summary: 'Log that a key of this tenant is about to be put together from copies',
        description: 'The body is that of resolve. The key stays as it is; each request is logged.',
        params: { type: 'object', properties: { key: { type: 'string', pattern: '^[a-z2-7]{26}$' } } },
        response: {
          200: cborBody('{v, type: "exported", keyId, epoch, evidence}'),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const asked = decodeResolveRequest(bodyOf(request));
      const keyId = parseAs(keyIdText, request.params.key, 'key id', 'wire/malformed');
      const logged = await handler.announceExport(device, keyId, asked);
      return sendSigned(reply, identity, now, signature, encodeLoggedExport(logged));
    },
  );

  app.get(
    '/v1/keys',
    {
      schema: {
        ...signed,
        summary: 'The keys this tenant shares with the server',
        response: { 200: cborBody('{v, type: "keys", keys}'), ...refusals },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      return sendSigned(reply, identity, now, signature, encodeKeyList(await handler.keys(device)));
    },
  );
};

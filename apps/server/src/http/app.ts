import swagger from '@fastify/swagger';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:https';
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import { KeepsetError, toBase64Url, toKeepsetError } from '@keepset/bytes';
import { mediaType, signResponse } from '@keepset/transport';
import { encodeError, maxMessageBytes } from '@keepset/wire';
import type { ServerIdentity } from '../secrets/identity.ts';
import type { TlsIdentity } from '../secrets/certificate.ts';
import type { Clock } from './authentication.ts';
import { createListener } from './listener.ts';
import { apiDescription } from './openapi.ts';

/** What the HTTP layer needs besides the routes. */
export interface AppOptions {
  readonly tls: TlsIdentity;
  readonly logger: Logger;
}

/** A server without routes: limits, content types, errors, API description. */
export const createApp = async ({ tls, logger }: AppOptions): Promise<FastifyInstance> => {
  const https = {
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.3' as const,
    requestTimeout: 30_000,
    keepAliveTimeout: 60_000,
  };
  // One for each address of the host: localhost may have two.
  const listeners: Server[] = [];
  const app = Fastify({
    https,
    serverFactory: (handler) => {
      const listener = createListener(https, handler);
      listeners.push(listener);
      return listener;
    },
    loggerInstance: logger,
    bodyLimit: maxMessageBytes,
    // Addresses the router itself cannot read.
    frameworkErrors: (error, request, reply) => {
      void refuse(logger, error, request, reply);
    },
    // Sessions are named in the address; they are not for the log.
    logController: new LogController({ disableRequestLogging: true }),
  }) as unknown as FastifyInstance;
  // Routes check what they get themselves, strictly, and answer in the house's terms; schemas only describe.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(mediaType, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => refuse(logger, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    refuse(
      logger,
      new KeepsetError('transport/not-found', 'There is nothing at this address.'),
      request,
      reply,
    ),
  );
  // Fastify waits for the first of them only.
  app.addHook('preClose', async () => {
    await Promise.all(listeners.map(stopListening));
  });
  await app.register(swagger, apiDescription);
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  app.get('/healthz', { schema: { hide: true } }, () => ({ status: 'ok' }));
  return app;
};

const stopListening = (listener: Server): Promise<void> =>
  new Promise((resolve) => {
    listener.close(() => {
      resolve();
    });
  });

const refuse = async (
  logger: Logger,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const error = toRefusal(thrown);
  const facts = { code: error.code, method: request.method, route: request.routeOptions.url };
  if (error.family === 'bug') logger.error({ ...facts, err: thrown }, 'request failed');
  else logger.warn(facts, 'request refused');
  return reply
    .code(error.status)
    .type(mediaType)
    .send(Buffer.from(encodeError(error)));
};

/** Fastify's own refusals in the house's terms. */
const toRefusal = (thrown: unknown): KeepsetError => {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new KeepsetError('wire/too-large', `A message may have at most ${maxMessageBytes} bytes.`);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new KeepsetError('wire/malformed', `Messages are of type ${mediaType}.`);
  if (typeof code === 'string' && code.startsWith('FST_ERR_'))
    return new KeepsetError('wire/malformed', 'The request is malformed.', { cause: thrown });
  return toKeepsetError(thrown);
};

/** Sends a signed answer. @param requestSignature the signature of the request it answers */
export const sendSigned = async (
  reply: FastifyReply,
  identity: ServerIdentity,
  now: Clock,
  requestSignature: Uint8Array,
  body: Uint8Array,
): Promise<FastifyReply> => {
  const response = { status: 200, contentType: mediaType, body };
  const moment = { created: now(), nonce: toBase64Url(randomBytes(18)) };
  const headers = await signResponse(response, requestSignature, identity.signer, moment);
  return reply
    .code(200)
    .headers({ ...headers, 'content-type': mediaType })
    .send(Buffer.from(body));
};

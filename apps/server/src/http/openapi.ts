import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { version } from '@keepset/bytes';
import { mediaType } from '@keepset/transport';

/** The description at /openapi.json. */
export const apiDescription: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Keepset commitment server',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Party 1 of a Keepset key. Bodies are canonical CBOR (RFC 8949 §4.2.1). Requests are signed with the device’s ' +
        'P-256 key as HTTP message signatures (RFC 9421) under the label `keepset`; answers with status 200 are signed ' +
        'by the server’s key and cover the request’s signature. Refusals carry a CBOR error message with a stable code.',
    },
    components: {
      securitySchemes: {
        deviceSignature: {
          type: 'apiKey',
          in: 'header',
          name: 'Signature',
          description:
            'RFC 9421 signature labelled `keepset` over @method, @authority, @path, @query, content-type and ' +
            'content-digest, with created, nonce, keyid, alg="ecdsa-p256-sha256" and tag="keepset".',
        },
      },
    },
  },
  transform: ({ schema, url }) => ({ schema, url }),
};

/** A CBOR body in the description. Routes check it themselves, strictly; this only describes. */
export const cborBody = (
  description: string,
): { description: string; content: Record<string, { schema: object }> } => ({
  description,
  content: { [mediaType]: { schema: { type: 'string', contentMediaType: mediaType } } },
});

/** Every route that devices call may refuse like this. */
export const refusals: Record<string, object> = {
  '4xx': cborBody('Refused: {v, type: "error", code, message, retry, culprits, …}.'),
  '5xx': cborBody('Failed: the same form.'),
};

/** Marks a route as signed. */
export const signed: { security: { deviceSignature: string[] }[] } = { security: [{ deviceSignature: [] }] };

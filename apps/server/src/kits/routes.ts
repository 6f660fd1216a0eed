import type { FastifyInstance } from 'fastify';
import { parseAs } from '@keepset/bytes';
import { decodeKitNote, encodeKnownKit, keyIdText } from '@keepset/wire';
import { sendSigned } from '../http/app.ts';
import { bodyOf, type Authenticator, type Clock } from '../http/authentication.ts';
import { cborBody, refusals, signed } from '../http/openapi.ts';
import type { ServerIdentity } from '../secrets/identity.ts';
import type { KitStore } from './store.ts';

/** What the routes of kits need. */
export interface KitRoutes {
  readonly store: KitStore;
  readonly authenticator: Authenticator;
  readonly identity: ServerIdentity;
  readonly now: Clock;
}

const answer = {
  200: cborBody('{v, type: "kit", kit, newest?: {epoch, generation, sha256}}'),
  ...refusals,
};

/** The newest copy on each stick, printed kit or folder, against older ones. */
export const registerKitRoutes = (
  app: FastifyInstance,
  { store, authenticator, identity, now }: KitRoutes,
): void => {
  app.post(
    '/v1/kits',
    {
      schema: {
        ...signed,
        summary: 'Note the newest copy on a stick, printed kit or folder',
        description:
          'Only a later epoch or generation is taken: an older one, or another of the same, is 409.',
        response: answer,
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const known = store.note(device, decodeKitNote(bodyOf(request)));
      return sendSigned(reply, identity, now, signature, encodeKnownKit(known));
    },
  );

  app.get<{ Params: { kit: string } }>(
    '/v1/kits/:kit',
    {
      schema: {
        ...signed,
        summary: 'The newest copy that a device of this tenant noted for a kit',
        params: { type: 'object', properties: { kit: { type: 'string', pattern: '^[a-z2-7]{26}$' } } },
        response: answer,
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const kit = parseAs(keyIdText, request.params.kit, 'kit id', 'wire/malformed');
      return sendSigned(reply, identity, now, signature, encodeKnownKit(store.find(device.tenant, kit)));
    },
  );
};

import type { FastifyInstance } from 'fastify';
import { decodeEnrolRequest, encodeEnrolResponse, encodeInvitation } from '@keepset/wire';
import { sendSigned } from '../http/app.ts';
import { bodyOf, type Authenticator, type Clock } from '../http/authentication.ts';
import { cborBody, refusals, signed } from '../http/openapi.ts';
import type { ServerIdentity } from '../secrets/identity.ts';
import { createCode, enrolDevice, type ServerAnnouncement } from './service.ts';
import type { EnrolmentStore } from './store.ts';

/** What enrolment needs. */
export interface EnrolmentRoutes {
  readonly store: EnrolmentStore;
  readonly announcement: ServerAnnouncement;
  readonly authenticator: Authenticator;
  readonly identity: ServerIdentity;
  readonly now: Clock;
}

/** Enrolment by one-time code. The request is signed with the key it enrols. */
export const registerEnrolmentRoutes = (app: FastifyInstance, routes: EnrolmentRoutes): void => {
  const { store, announcement, authenticator, identity, now } = routes;
  app.post(
    '/v1/enrolments',
    {
      schema: {
        ...signed,
        summary: 'Enrol a device with a one-time code',
        response: {
          200: cborBody('{v, type: "enrolled", tenant, device, serverParty, serverKey, logKey}'),
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const body = decodeEnrolRequest(bodyOf(request));
      const signature = await authenticator.possession(request, body.publicKey);
      const answer = enrolDevice(store, announcement, body, now());
      return sendSigned(reply, identity, now, signature, encodeEnrolResponse(answer));
    },
  );

  app.post(
    '/v1/invitations',
    {
      schema: {
        ...signed,
        summary: 'Make a one-time code for another device of the same user',
        response: { 200: cborBody('{v, type: "invitation", code}'), ...refusals },
      },
    },
    async (request, reply) => {
      const { device, signature } = await authenticator.device(request);
      const code = createCode(store, now(), device.tenant, device.device);
      return sendSigned(reply, identity, now, signature, encodeInvitation({ code }));
    },
  );
};

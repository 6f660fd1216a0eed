import { randomBytes } from 'node:crypto';
import { KeepsetError, toHex } from '@keepset/bytes';
import { authKeyId } from '@keepset/transport';
import type { EnrolRequest, EnrolResponse } from '@keepset/wire';
import { revokedDevice } from '../http/authentication.ts';
import { hashOfCode, newCode } from '../secrets/codes.ts';
import type { EnrolmentStore } from './store.ts';

/** What every enrolled device learns about the server. */
export type ServerAnnouncement = Pick<EnrolResponse, 'serverParty' | 'serverKey' | 'logKey'>;

const codeLifetime = 24 * 60 * 60;

/**
 * Makes a one-time code, valid for a day.
 * @param tenant and `by`: as in {@link EnrolmentStore.addCode}
 * @throws KeepsetError `policy/revoked`
 */
export const createCode = (store: EnrolmentStore, now: number, tenant?: string, by?: string): string => {
  const code = newCode();
  if (!store.addCode(hashOfCode(code), tenant, now + codeLifetime, by)) throw revokedDevice();
  return code;
};

/**
 * Enrols the device whose key signed the request. A device that never got its answer asks again with the same key and
 * code, at any time, and gets the same answer.
 * @throws KeepsetError `transport/enrolment-refused`; it does not say why, so that codes cannot be probed.
 * `policy/revoked` and `input/invalid-argument` (another party than before) for a device that asks again.
 */
export const enrolDevice = (
  store: EnrolmentStore,
  announcement: ServerAnnouncement,
  request: EnrolRequest,
  now: number,
): EnrolResponse => {
  if (request.party === announcement.serverParty)
    throw new KeepsetError('input/invalid-argument', `${request.party} is the server's own party name.`);
  const device = {
    device: toHex(randomBytes(16)),
    authKey: authKeyId(request.publicKey),
    publicKey: request.publicKey,
    party: request.party,
  };
  const row = store.enrol(hashOfCode(request.code), device, toHex(randomBytes(16)), now);
  if (row === undefined)
    throw new KeepsetError('transport/enrolment-refused', 'This enrolment code is not valid.', {
      hint: 'Codes work once and for a day. Ask for a new one (`keepset invite`).',
    });
  if (row.revoked) throw revokedDevice();
  if (row.party !== request.party)
    throw new KeepsetError(
      'input/invalid-argument',
      `This code has enrolled this very device as ${row.party}.`,
      {
        hint: `Enrol it as ${row.party}, or in another folder with a new code.`,
      },
    );
  return { tenant: row.tenant, device: row.device, ...announcement };
};

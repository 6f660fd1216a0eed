/** What the server's operator does on the server itself. The server may be running on the same data folder. */
import { KeepsetError, parseAs } from '@keepset/bytes';
import { operatorName } from '@keepset/ceremony';
import { rootAt } from '@keepset/log';
import { keyIdText, type LogHead } from '@keepset/wire';
import type { EnrolledDevice } from './enrolment/store.ts';
import { inviteTo, layFoundation, unixSeconds, type Foundation } from './foundation.ts';
import type { ServerOptions } from './options.ts';
import { hashOfCode, newCode } from './secrets/codes.ts';
import { freezeStore, unknownDevice } from './store/freezing.ts';

/**
 * Makes an invitation.
 * @param keyId invites another device of the user who has this key; without it, a new user.
 * @param device one of that user's devices, where several users have the key: who knows a public key can bring one of
 * the same id.
 * @throws KeepsetError `input/unknown-key`, `input/invalid-argument` when several users have it, and for an unknown device
 */
export const createInvite = (
  options: ServerOptions & { readonly publicUrl: string },
  keyId?: string,
  device?: string,
): Promise<string> =>
  onData(options, (foundation) =>
    inviteTo(
      options.publicUrl,
      foundation,
      keyId === undefined ? undefined : ownerOf(foundation, keyId, device),
    ),
  );

const approvalLifetime = 60 * 60;

/**
 * Approves one reshare or repair of a user's key, within an hour, or one refresh of a frozen key.
 * @param what `adopt` approves instead that devices bring a key to this server which it does not know, or only at an
 * earlier epoch.
 * @param device one of the user's devices: needed where several users have the key, or, for an adoption, where the
 * server has several users. Before anybody is enrolled an adoption is approved for whoever brings the code.
 * @throws KeepsetError `input/unknown-key`; `input/invalid-argument` for what is no key id, when several users have the
 * key, and for an unknown device
 */
export const createApproval = (
  options: ServerOptions,
  keyId: string,
  what: 'change' | 'adopt' = 'change',
  device?: string,
): Promise<string> =>
  onData(options, (foundation) => {
    parseAs(keyIdText, keyId, 'key id', 'input/invalid-argument');
    const tenant = what === 'change' ? ownerOf(foundation, keyId, device) : adopterOf(foundation, device);
    const code = newCode();
    foundation.database
      .prepare('INSERT INTO approvals (code_hash, key_id, adopts, tenant, expires_at) VALUES (?, ?, ?, ?, ?)')
      .run(
        hashOfCode(code),
        keyId,
        what === 'adopt' ? 1 : 0,
        tenant ?? null,
        unixSeconds() + approvalLifetime,
      );
    return code;
  });

/** The log's present head, for a device whose owner is to accept a restored log. */
export const readLogHead = (options: ServerOptions): Promise<LogHead> =>
  onData(options, ({ log }) => {
    const size = log.size();
    return { size, root: rootAt(log.hashes, size) };
  });

/**
 * Stops a key. Approvals given for it before are void.
 * @param device one of the user's devices; without it the keys of all users who have one of this id are stopped, since
 * an emergency is no time to ask.
 * @throws KeepsetError `input/unknown-key`, `input/invalid-argument` for an unknown device
 */
export const freezeKey = (options: ServerOptions, keyId: string, device?: string): Promise<void> =>
  onData(options, (foundation) => {
    const store = freezeStore(foundation.database, foundation.log, unixSeconds);
    const owners = device === undefined ? tenantsOf(foundation, keyId) : [ownerOf(foundation, keyId, device)];
    for (const tenant of owners) store.freeze({ tenant, device: operatorName }, keyId, undefined);
  });

/**
 * Lets a user's frozen key go on with the shares it has.
 * @param device one of the user's devices: needed where several users have a key of this id
 * @throws KeepsetError `input/unknown-key`; `input/invalid-argument` when several users have it, and for an unknown device
 */
export const unfreezeKey = (options: ServerOptions, keyId: string, device?: string): Promise<void> =>
  onData(options, (foundation) =>
    freezeStore(foundation.database, foundation.log, unixSeconds).unfreeze(
      ownerOf(foundation, keyId, device),
      keyId,
    ),
  );

/** All devices that were ever enrolled. */
export const listDevices = (options: ServerOptions): Promise<readonly EnrolledDevice[]> =>
  onData(options, ({ enrolments }) => enrolments.listDevices());

/**
 * Refuses a device for ever, ends the sessions it takes part in, and voids its user's open invitations.
 * @returns false if it was revoked before.
 * @throws KeepsetError `input/invalid-argument` when there is no such device
 */
export const revokeDevice = (options: ServerOptions, device: string): Promise<boolean> =>
  onData(options, ({ database, log }) => freezeStore(database, log, unixSeconds).revoke(device));

const onData = async <T>(options: ServerOptions, work: (foundation: Foundation) => T): Promise<T> => {
  const foundation = await layFoundation(options);
  try {
    return work(foundation);
  } finally {
    foundation.database.close();
  }
};

/** The one user who has this key, or whose device it is. */
const ownerOf = (foundation: Foundation, keyId: string, device: string | undefined): string => {
  const owners = tenantsOf(foundation, keyId);
  const user = userOf(foundation, device);
  if (user !== undefined && owners.includes(user)) return user;
  if (user !== undefined)
    throw new KeepsetError('input/unknown-key', `The user of device ${device} has no key ${keyId} here.`, {
      hint: 'See `keepset devices`.',
    });
  const [owner = '', ...others] = owners;
  if (others.length === 0) return owner;
  throw sayWhom(`Several users of this server have key ${keyId}.`);
};

const sayWhom = (message: string): KeepsetError =>
  new KeepsetError('input/invalid-argument', message, {
    hint: 'Say whom you mean by a device of that user: --device DEVICE. `keepset devices` lists them.',
  });

/** Who is to bring a key that the server does not know: the user of the device, or the only user there is. */
const adopterOf = (foundation: Foundation, device: string | undefined): string | undefined => {
  const users = new Set(foundation.enrolments.listDevices().map(({ tenant }) => tenant));
  if (device !== undefined || users.size <= 1) return userOf(foundation, device) ?? [...users][0];
  throw sayWhom('This server has several users.');
};

/** Whose device this is. */
const userOf = ({ enrolments }: Foundation, device: string | undefined): string | undefined => {
  if (device === undefined) return undefined;
  const enrolled = enrolments.listDevices().find((each) => each.device === device);
  if (enrolled === undefined) throw unknownDevice(device);
  return enrolled.tenant;
};

/** Who has this key. @throws KeepsetError `input/unknown-key` */
const tenantsOf = ({ database }: Foundation, keyId: string): readonly string[] => {
  const rows = database.prepare('SELECT tenant FROM keys WHERE key_id = ?').all(keyId);
  if (rows.length === 0)
    throw new KeepsetError('input/unknown-key', `This server has no key ${keyId}.`, {
      hint: 'Give the whole id, as `keepset keys` on a device of the user or a printed kit shows it.',
    });
  return rows.map(({ tenant }) => String(tenant));
};

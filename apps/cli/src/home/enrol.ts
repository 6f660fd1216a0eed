import { lstat } from 'node:fs/promises';
import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import type { ShareVault } from '@keepset/ceremony';
import { scryptInThreadPool } from '@keepset/places';
import { enrol, openChannel, parseInvite, softwareSigner, type Invite } from '@keepset/transport';
import {
  decodeIdentityFile,
  encodeIdentityFile,
  encryptIdentityFile,
  generateIdentity,
  isEncryptedIdentity,
  wipeIdentity,
  type DeviceIdentity,
} from '@keepset/wire';
import { loadAccount, saveAccount, type Account } from './account.ts';
import {
  listIfThere,
  makeFolderDurably,
  readIfThere,
  removeCutOff,
  removeDurably,
  writeDurably,
} from './files.ts';
import { fileJournal } from './journal.ts';
import { fileLock } from './lock.ts';
import type { HomePaths } from './paths.ts';

/** Unix seconds. */
export const unixSeconds = (): number => Math.floor(Date.now() / 1000);

/**
 * Makes a device in an empty home: keys first, durably, then the enrolment, then the account. May be cut off anywhere and
 * called again with the same invitation: the keys that were made are kept, and the server knows them by it.
 * @throws KeepsetError `place/exists` when the home is in use; `place/foreign` when others may have put something into it;
 * `transport/enrolment-refused` and others from the server; `input/wrong-passphrase` when an enrolment with another
 * passphrase was cut off here.
 */
export const enrolHome = async (
  paths: HomePaths,
  invitation: string,
  party: string,
  passphrase: string | undefined,
): Promise<Account> => {
  const invite = parseInvite(invitation);
  await claimHome(paths.root);
  // Of two commands at once the second finds the account of the first.
  return fileLock(paths.lock)(() => enrolAlone(paths, invite, party, passphrase));
};

/**
 * Makes the home if it is not there, and refuses what somebody else has put in its place meanwhile. From then on nobody
 * else can: in a folder of many users each may remove only his own.
 * @throws KeepsetError as {@link refuseForeign}
 */
export const claimHome = async (root: string): Promise<void> => {
  await refuseForeign(root);
  await makeFolderDurably(root);
  await refuseForeign(root);
};

/**
 * Refuses a home that others may have written to: keys or an account that they put there would be taken for the
 * device's own. A home that is not there yet is nobody's.
 * @throws KeepsetError `place/foreign`
 */
export const refuseForeign = async (root: string): Promise<void> => {
  const facts = await lstat(root).catch(() => undefined);
  const me = process.getuid?.();
  if (facts === undefined || me === undefined) return;
  if (facts.isDirectory() && facts.uid === me && (facts.mode & 0o022) === 0) return;
  throw new KeepsetError('place/foreign', `${root} belongs to somebody else, or others may write to it.`, {
    hint: `Use another folder with --home DIR, or, if all that lies in it is yours: chmod 700 ${root}`,
  });
};

const enrolAlone = async (
  paths: HomePaths,
  invite: Invite,
  party: string,
  passphrase: string | undefined,
): Promise<Account> => {
  if ((await readIfThere(paths.account)) !== undefined)
    throw new KeepsetError('place/exists', `${paths.root} is already enrolled.`, {
      hint: 'Use another folder with --home DIR.',
    });
  // A new identity in the place of the one that opens these shares would lose them.
  if ((await listIfThere(paths.shares)).length > 0)
    throw new KeepsetError('place/exists', `${paths.root} holds shares, but no account file.`, {
      hint: 'Put its account.cbor back, or use another folder with --home DIR.',
    });
  // Keys in clear may be among what was cut off.
  await removeCutOff(paths.root);
  const account = await enrolKeys(paths.identity, invite, party, passphrase);
  await saveAccount(paths.account, account);
  return account;
};

/**
 * With the keys of an enrolment that was cut off, or new ones. Where the old ones are refused, as after another
 * invitation, they stay until new ones are enrolled: the invitation that they were made for may be tried again.
 */
const enrolKeys = async (
  path: string,
  invite: Invite,
  party: string,
  passphrase: string | undefined,
): Promise<Account> => {
  const next = `${path}.next`;
  const again = await enrolAgain(path, invite, party, passphrase);
  if (again === 'none') return enrolAnew(path, invite, party, passphrase);
  if (again !== 'refused') {
    if ((await readIfThere(next)) !== undefined) await removeDurably(next);
    return again;
  }
  const cutOff = await enrolAgain(next, invite, party, passphrase);
  const isAgain = cutOff !== 'none' && cutOff !== 'refused';
  const account = isAgain ? cutOff : await enrolAnew(next, invite, party, passphrase);
  await writeDurably(path, (await readIfThere(next)) ?? new Uint8Array(0));
  await removeDurably(next);
  return account;
};

/** With the keys of an enrolment that was cut off. `none`: there are none, or damaged ones. */
const enrolAgain = async (
  path: string,
  invite: Invite,
  party: string,
  passphrase: string | undefined,
): Promise<Account | 'none' | 'refused'> => {
  const file = await readIfThere(path);
  if (file === undefined) return 'none';
  const identity = await openCutOff(path, file, passphrase);
  if (identity === undefined) return 'none';
  try {
    if (passphrase !== undefined && !isEncryptedIdentity(file))
      await writeIdentity(path, identity, passphrase);
    return await enrolIdentity(invite, identity, party);
  } catch (error) {
    if (error instanceof KeepsetError && error.code === 'transport/enrolment-refused') return 'refused';
    throw error;
  } finally {
    wipeIdentity(identity);
  }
};

/** Keys that were never used for anything else; undefined if they are damaged. */
const openCutOff = async (
  path: string,
  file: Uint8Array,
  passphrase: string | undefined,
): Promise<DeviceIdentity | undefined> => {
  try {
    const key = passphrase === undefined ? undefined : { passphrase, scrypt: scryptInThreadPool };
    return await decodeIdentityFile(file, key);
  } catch (cause) {
    const { code } = toKeepsetError(cause);
    if (code === 'place/damaged') return undefined;
    if (code !== 'place/locked' && code !== 'input/wrong-passphrase') throw cause;
    throw new KeepsetError(
      'input/wrong-passphrase',
      'An enrolment that was cut off here has protected its keys with another passphrase.',
      {
        hint: `Run it again with --passphrase and that one; or delete ${path}, and ask for a new invitation.`,
        cause,
      },
    );
  }
};

const enrolAnew = async (
  path: string,
  invite: Invite,
  party: string,
  passphrase: string | undefined,
): Promise<Account> => {
  const identity = await generateIdentity();
  try {
    await writeIdentity(path, identity, passphrase);
    return await enrolIdentity(invite, identity, party);
  } finally {
    wipeIdentity(identity);
  }
};

const writeIdentity = async (
  path: string,
  identity: DeviceIdentity,
  passphrase: string | undefined,
): Promise<void> => {
  const createdAt = new Date().toISOString();
  await writeDurably(
    path,
    passphrase === undefined
      ? encodeIdentityFile(identity, createdAt).reveal()
      : await encryptIdentityFile(identity, createdAt, { passphrase, scrypt: scryptInThreadPool }),
  );
};

/**
 * Moves an enrolled home to another server, or to the same one that has forgotten it. Identity, party and shares stay;
 * the old account and log pin are kept beside the new ones, as `….before-SUFFIX`. The keys then come to the new server by
 * `runReshare` with `adopt`. May be cut off anywhere and called again with the same invitation.
 *
 * @param abandon gives up ceremonies whose end only the old server knows, and their pending shares. Without it they are a
 * reason to refuse: if the old server still answers, settle them there first.
 * @throws KeepsetError `input/not-enrolled`; `store/conflict` for open ceremonies; `transport/enrolment-refused` and
 * others from the new server
 */
export const moveHome = async (
  paths: HomePaths,
  invitation: string,
  { identity, vault, abandon }: MovingHome,
): Promise<Account> => {
  const invite = parseInvite(invitation);
  const old = await loadAccount(paths.account);
  const journal = fileJournal(paths.journal);
  const open = await journal.list();
  if (open.length > 0 && !abandon)
    throw new KeepsetError(
      'store/conflict',
      `${open.length} ceremonies with the old server are still open.`,
      {
        hint: 'If it still answers, any command settles them. If it is gone for good, add --abandon on all devices.',
      },
    );
  const account = await enrolIdentity(invite, identity, old.party);
  // It moved before, and was cut off afterwards: what lies beside the account is of the server before that.
  if (account.device === old.device && account.server === old.server) return old;
  for (const { session, keyId, epoch } of open) {
    await vault.discard(keyId, epoch);
    await journal.remove(session);
  }
  const suffix = `before-${account.device}`;
  const pin = await readIfThere(paths.logPin);
  if (pin !== undefined) await writeDurably(`${paths.logPin}.${suffix}`, pin);
  await saveAccount(`${paths.account}.${suffix}`, old);
  // Without a pin the next log is taken on trust; with the old one, the new server would be taken for a rolled back one.
  await removeDurably(paths.logPin);
  await saveAccount(paths.account, account);
  return account;
};

/** What moves with a home. */
export interface MovingHome {
  readonly identity: DeviceIdentity;
  readonly vault: Pick<ShareVault, 'discard'>;
  readonly abandon: boolean;
}

/** Enrols the keys of an identity. */
const enrolIdentity = async (invite: Invite, identity: DeviceIdentity, party: string): Promise<Account> => {
  const pin = invite.pin === undefined ? {} : { pin: invite.pin };
  const channel = openChannel({ url: invite.server, ...pin });
  try {
    const answer = await enrol(
      { channel, signer: softwareSigner(identity.signingKey), now: unixSeconds },
      { code: invite.code, publicKey: identity.publicSigningKey, party },
    );
    return { ...answer, server: invite.server, party, ...pin };
  } finally {
    channel.close();
  }
};

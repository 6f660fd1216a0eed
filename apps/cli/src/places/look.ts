/** Looking at the places where copies were written, without a code and without altering anything. */
import { join } from 'node:path';
import { KeepsetError, bytesEqual, toKeepsetError, type ErrorCode } from '@keepset/bytes';
import {
  keyringPlace,
  lookAtFinderBackup,
  macKeychain,
  nodeFileSystem,
  openFilePlace,
  secretServiceKeyring,
  type FileSystem,
  type Reach,
  type SharePlace,
} from '@keepset/places';
import { damageOf, judge } from './usb/container.ts';
import { newestWritten, usualDomain, type LedgerCopy, type LedgerKit } from './ledger.ts';
import { isSameMedium, mediumOf } from './medium.ts';

/** What a look at the kit's place shows just now. Never throws for what is wrong with the place. */
export const lookAt = async (kit: LedgerKit, ledger: readonly LedgerKit[]): Promise<Reach> => {
  const copy = newestWritten(kit);
  if (kit.kind === 'kit' || copy === undefined) return { status: 'unseen' };
  try {
    if (kit.kind === 'usb') return await lookAtStick(kit, ledger);
    if (kit.kind === 'finder-backup') return await lookAtBackup(kit);
    return await lookInPlace(kit, copy);
  } catch (thrown) {
    const { code, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant') throw thrown;
    const isAway = away.includes(code) || (kit.kind === 'usb' && otherStick.includes(code));
    return { status: isAway ? 'unreachable' : 'damaged', reason: message };
  }
};

const away: readonly ErrorCode[] = ['place/unreachable', 'place/locked'];
/** An empty folder, or another stick, stands where this one was: it is not plugged in. */
const otherStick: readonly ErrorCode[] = ['place/not-found', 'place/foreign'];

const lookAtStick = async (kit: LedgerKit, ledger: readonly LedgerKit[]): Promise<Reach> => {
  if (kit.path === undefined) throw unknownPath();
  const damage = damageOf(await judge(kit.path, { kits: ledger, damaged: [] }, [], kit.kit));
  return damage.length === 0 ? { status: 'intact' } : { status: 'damaged', reason: damage.join('; ') };
};

const lookAtBackup = async ({ path, trace }: LedgerKit): Promise<Reach> => {
  if (path === undefined || trace === undefined) throw unknownPath();
  return lookAtFinderBackup(path, trace);
};

const lookInPlace = async (kit: LedgerKit, copy: LedgerCopy): Promise<Reach> => {
  const health = await (await placeOf(kit)).health({ keyId: kit.keyId, epoch: copy.epoch });
  if (health.status === 'missing') return { status: 'damaged', reason: 'it is gone' };
  if (health.status !== 'readable') return { status: health.status, reason: health.reason };
  return bytesEqual(health.sha256, copy.sha256)
    ? { status: 'intact' }
    : { status: 'damaged', reason: 'it is not what was written' };
};

/**
 * The place of a folder or keyring copy, as it is there already.
 * @throws KeepsetError `place/unreachable`, `place/damaged` if the copy's folder is gone.
 */
export const placeOf = async (kit: LedgerKit): Promise<SharePlace> => {
  if (kit.kind === 'keyring') return keyringPlace(systemKeyring());
  if (kit.path === undefined) throw unknownPath();
  if ((await nodeFileSystem.facts(kit.path)) === null)
    throw new KeepsetError('place/unreachable', `There is no folder ${kit.path}.`);
  const folder = copyFolder(kit.path, kit.kit);
  if (await isGone(kit)) throw new KeepsetError('place/damaged', `${folder} is gone.`);
  return openFilePlace(folder, sealedFiles);
};

/** Whether somebody removed the folder of a folder copy. */
export const isGone = async ({ kind, path, kit }: LedgerKit): Promise<boolean> =>
  kind === 'folder' && path !== undefined && (await nodeFileSystem.facts(copyFolder(path, kit))) === null;

/** Where a folder copy lies: in a folder of its own, so that nothing else is ever touched. */
export const copyFolder = (path: string, kit: string): string => join(path, `keepset-${kit}`);

/** A copy there is sealed to a code: who else may enter matters little, and many drives know no permissions. */
export const sealedFiles: FileSystem = {
  ...nodeFileSystem,
  facts: async (path) => {
    const facts = await nodeFileSystem.facts(path);
    return facts === null ? null : { ...facts, mode: facts.mode & 0o700 };
  },
};

/** The keyring of the desktop this runs on. */
export const systemKeyring = (): ReturnType<typeof macKeychain> =>
  process.platform === 'darwin' ? macKeychain() : secretServiceKeyring();

/** What a copy in this folder is lost together with: the device itself, if it lies on the same disk. */
export const domainOfFolder = async (
  path: string,
  home: string,
  party: string,
  elsewhere: string,
): Promise<string> =>
  isSameMedium(await mediumOf(path), await mediumOf(home)) ? `device:${party}` : elsewhere;

/**
 * What a kit's entry says of where it lies, once it was found at `path`. One that lies elsewhere now may be lost together
 * with other things than before, and so may one where another disk is mounted by now.
 */
export const placeAt = async (
  kit: LedgerKit,
  path: string | undefined,
  home: string,
  party: string,
): Promise<Pick<LedgerKit, 'path' | 'domain'>> => {
  const isAccount = kit.domain?.startsWith('account:') === true;
  if (path === undefined || (isAccount && path === kit.path)) return {};
  const domain = await domainOfFolder(path, home, party, usualDomain(kit));
  return { path, ...(isAccount && !isOnDevice({ domain }) ? {} : { domain }) };
};

/** Whether it is lost together with the device. */
export const isOnDevice = ({ domain }: Pick<LedgerKit, 'domain'>): boolean =>
  domain?.startsWith('device:') === true;

/**
 * Refuses a container on the disk of the device, which is no medium that could be unplugged.
 * @throws KeepsetError `place/foreign`
 */
export const refuseOwnDisk = async (path: string, home: string): Promise<void> => {
  if (!isOnDevice({ domain: await domainOfFolder(path, home, 'party', '') })) return;
  throw new KeepsetError(
    'place/foreign',
    `${path} lies on the disk of this device, and is lost with it: it is no stick that was plugged in again.`,
    {
      hint: 'Plug the stick in, and give the folder under which it appears. To write another one: keepset usb create FOLDER',
    },
  );
};

const unknownPath = (): KeepsetError =>
  new KeepsetError('place/unreachable', 'It was not noted where it lies.', {
    hint: 'Plug it in and run `keepset usb verify FOLDER`.',
  });

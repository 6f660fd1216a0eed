/** A copy of a share in a Finder backup of a phone: what it is in the ledger, and opening it where it lies. */
import { KeepsetError, hashValue, toBase32 } from '@keepset/bytes';
import type { BackupContent, BackupShare } from '@keepset/places';
import { recipientOf, type OpenedShare } from '@keepset/wire';
import type { HomePaths } from '../../home/paths.ts';
import { foundKit, type FoundKit, type KitAbout } from '../adopt.ts';
import { chooseCopy } from '../choose.ts';
import type { OpenFinderBackup } from './open.ts';

import { usualDomain, type LedgerKit } from '../ledger.ts';
import { domainOfFolder } from '../look.ts';
import { openEach } from '../open-each.ts';

/**
 * What the kit of a copy in a backup is; undefined where the backup is no place of its own: without encryption, or
 * without the name of its phone.
 */
export const aboutFinderCopy = (
  path: string,
  { encrypted, phone }: Pick<BackupContent, 'encrypted' | 'phone'>,
  { trace }: Pick<BackupShare, 'trace'>,
): KitAbout | undefined =>
  encrypted && phone !== undefined
    ? (recipient) => ({ kind: 'finder-backup', kit: kitIdOf(phone, recipient), path, trace })
    : undefined;

/**
 * The same for each run of the backup, wherever it lies, and on each device that knows the code. The recipient is no
 * secret, but only who has opened a copy knows it: the id tells the server nothing of the phone.
 * @spec spec/health.md §7
 */
const kitIdOf = (phone: string, recipient: string): string =>
  toBase32(hashValue('keepset/finder-backup-kit/v1', { phone, recipient }).subarray(0, 16));

/** What the ledger notes of where a copy lies. */
export type FinderPlace = Required<Pick<LedgerKit, 'path' | 'domain' | 'trace'>>;

/** A share file of a backup that was opened. */
export type OpenedInBackup = BackupShare & { readonly opened: OpenedShare };

/** The place of an opened copy: the disk it lies on, whichever phone the backup is of; and its kit, where it has one. */
export const placeInBackup = async (
  { root }: Pick<HomePaths, 'root'>,
  path: string,
  content: BackupContent,
  { bytes, trace, opened }: OpenedInBackup,
  codes: readonly string[],
): Promise<{ readonly seen: FinderPlace; readonly kit?: FoundKit }> => {
  const about = aboutFinderCopy(path, content, { trace });
  const kit = about === undefined ? undefined : await foundKit(about, bytes, codes);
  const elsewhere = usualDomain({ kind: 'finder-backup', kit: '' });
  const domain = await domainOfFolder(path, root, opened.share.party, elsewhere);
  return { seen: { path, domain, trace }, ...(kit === undefined ? {} : { kit }) };
};

/**
 * Opens the newest copy in a backup that the codes open.
 * @param wanted the kit it has to be
 * @throws KeepsetError as {@link OpenFinderBackup} and `openEach`; `place/not-found` (no share file),
 * `input/invalid-argument` (several shares); of a wanted kit `place/foreign` (another phone) and `input/unsupported`
 * (not encrypted any more).
 */
export const openInFinderBackup = async (
  home: Pick<HomePaths, 'root'>,
  path: string,
  wanted: LedgerKit | undefined,
  codes: readonly string[],
  open: OpenFinderBackup,
): Promise<{
  readonly bytes: Uint8Array;
  readonly opened: OpenedShare;
  readonly seen: FinderPlace;
  readonly kit?: string;
}> => {
  const content = await open(path);
  refuseEmpty(content);
  if (wanted !== undefined) refuseOther(content, wanted);
  const found = await openEach(content.shares, await codesOf(wanted, codes));
  const chosen = chooseCopy(found, { key: wanted?.keyId, party: undefined });
  const { opened, bytes } = chosen;
  const { seen, kit } = await placeInBackup(home, path, content, chosen, codes);
  return { bytes, opened, seen, ...(kit === undefined ? {} : { kit: kit.kit }) };
};

/** A backup may hold copies under several codes: only that of the kit opens the one that is meant. */
const codesOf = async (
  wanted: LedgerKit | undefined,
  codes: readonly string[],
): Promise<readonly string[]> => {
  if (wanted === undefined) return codes;
  const recipients = await Promise.all(codes.map(recipientOf));
  return codes.filter((_code, at) => recipients[at] === wanted.recipient);
};

const refuseOther = (content: BackupContent, { kit, recipient }: LedgerKit): void => {
  refuseUnencrypted(content);
  if (content.phone !== undefined && kitIdOf(content.phone, recipient) === kit) return;
  throw new KeepsetError('place/foreign', `This is the backup of another phone than that of kit ${kit}.`, {
    hint: '`keepset health` says where each copy was seen.',
  });
};

/** @throws KeepsetError `input/unsupported` */
export const refuseUnencrypted = ({ encrypted }: BackupContent): void => {
  if (encrypted) return;
  throw new KeepsetError('input/unsupported', 'A backup without encryption does not count as a place.', {
    hint: 'In Finder choose “Encrypt local backup”, back the phone up again, then run this again.',
  });
};

/** @throws KeepsetError `place/not-found` */
export const refuseEmpty = ({ shares }: BackupContent): void => {
  if (shares.length > 0) return;
  throw new KeepsetError('place/not-found', 'There is no share file in this backup that can be read.', {
    hint: 'Put the copy among the app’s files on the phone, and back the phone up. An older backup may hold one.',
  });
};

/** A stick, kit, folder, keyring or Finder backup with a copy of the old device becomes one of this device, which keeps it current. */
import { createHash } from 'node:crypto';
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import type { BackupTrace } from '@keepset/places';
import { openShareFile, recipientOf, type OpenedShare } from '@keepset/wire';
import type { HomePaths } from '../home/paths.ts';
import { readPasskey, withPasskeyOpened, withPasskeySeen, type FoundPasskey } from '../passkey/way.ts';
import type { AgainstServer } from './kits-at-server.ts';
import {
  newestWritten,
  readLedger,
  usualDomain,
  withObservation,
  type LedgerCopy,
  type LedgerKit,
} from './ledger.ts';
import { copyFolder, domainOfFolder } from './look.ts';
import { floorOf } from './numbers.ts';

/** A stick, printed kit, or copy in a folder, a keyring or a Finder backup that was opened. */
export interface FoundKit {
  readonly kind: LedgerKit['kind'];
  readonly kit: string;
  /** Of the share file as it lies there. */
  readonly sha256: Uint8Array;
  /** Public half of the recovery code that opens it. */
  readonly recipient: string;
  /** Absolute path of a stick or folder. */
  readonly path?: string;
  /** Of a Finder backup: how the copy lies in it. */
  readonly trace?: BackupTrace;
}

/** What a kit is, by the recipient of the code that opens it. */
export type KitAbout = (recipient: string) => Omit<FoundKit, 'sha256' | 'recipient'>;

/** What has to be known of a kit whose share file one of these codes opens. */
export const foundKit = async (
  about: KitAbout,
  file: Uint8Array,
  codes: readonly string[],
): Promise<FoundKit | undefined> => {
  for (const code of codes) {
    try {
      (await openShareFile(file, [code])).share.secret.wipe();
    } catch (thrown) {
      if (toKeepsetError(thrown).code === 'bug/invariant') throw thrown;
      continue;
    }
    const sha256 = new Uint8Array(createHash('sha256').update(file).digest());
    const recipient = await recipientOf(code);
    return { ...about(recipient), sha256, recipient };
  }
  return undefined;
};

/**
 * The entry of this device's ledger for the kit that its share comes back from: the one that is there with this copy
 * noted as opened, or a new one, also in place of one that cannot be read. A stick was `written` by that and no more: a new folder cannot tell whether another one
 * on this very computer wrote it a moment ago, and `usb verify --replugged` can.
 * @param opener the passkey that opened it, if it was not its code: of the other nothing is known.
 * @param server how it compares with what the server was told; of a copy that is not older, it is told next.
 * @throws KeepsetError `place/foreign` if the entry that is there is of another kit
 */
export const adoptedKit = async (
  paths: HomePaths,
  { sha256, trace, ...about }: FoundKit,
  { share, generation, createdAt }: OpenedShare,
  opener: FoundPasskey | undefined,
  server: AgainstServer | undefined,
): Promise<LedgerKit> => {
  const { keyId, epoch, parties } = share.group;
  const ledger = await readLedger(paths);
  const known = ledger.kits.find(({ kit }) => kit === about.kit);
  const found = { epoch, generation, sha256, createdAt, state: 'written' } as const;
  if (known !== undefined) refuseOtherKit(known, { ...about, keyId, copy: found });
  // Only an account stays what its owner said: where another disk is mounted by now, the path is the same.
  const domain =
    known?.domain?.startsWith('account:') === true && known.path === about.path
      ? known.domain
      : await domainOf(about, paths, share.party);
  const base: LedgerKit = {
    position: parties.indexOf(share.party) + 1,
    ...floorOf(ledger, about.kit),
    ...known,
    ...about,
    keyId,
    domain,
    // Another device wrote it since: it counted on from numbers of its own.
    copies: (known?.copies ?? []).filter((copy) => copy.epoch >= epoch || copy.generation < generation),
  };
  const seen: LedgerCopy = base.copies.find((each) => isSame(each, found)) ?? found;
  const { notedAt = new Date().toISOString(), ...untold } = seen;
  // What another device told goes when that is revoked: the newest copy is told once more, by this one.
  const copy = server === 'older' ? { ...untold, notedAt } : untold;
  const observed = withObservation(
    base,
    copy,
    opener === undefined ? { kind: 'opened' } : { kind: 'read', afresh: false },
  );
  // How the newest copy lay in the backup, and no other.
  const newest = newestWritten(observed);
  const isNewest = newest?.epoch === epoch && newest.generation === generation;
  const kit = trace !== undefined && isNewest ? { ...observed, trace } : observed;
  // What lies there by now may be another file than the one that was opened.
  if (opener?.kit === kit.kit) return withPasskeyOpened(kit, opener);
  const passkey = await passkeyOf(about);
  return passkey === undefined ? kit : withPasskeySeen(kit, passkey);
};

/**
 * The kit whose copy holds the same share as the device's own of this generation. Without it a repair, which changes what
 * a share holds beside its secret, would leave the copy current.
 */
export const withSource = (kit: LedgerKit, sha256: Uint8Array, source: number): LedgerKit => ({
  ...kit,
  copies: kit.copies.map((copy) => (bytesEqual(copy.sha256, sha256) ? { ...copy, source } : copy)),
});

type Numbered = Pick<LedgerCopy, 'epoch' | 'generation' | 'sha256'>;

const isSame = (a: Numbered, b: Numbered): boolean =>
  a.epoch === b.epoch && a.generation === b.generation && bytesEqual(a.sha256, b.sha256);

/** A folder's name says which kit it holds, and anybody may rename it. */
const refuseOtherKit = (
  known: LedgerKit,
  {
    kind,
    kit,
    recipient,
    keyId,
    copy,
  }: Pick<LedgerKit, 'kind' | 'kit' | 'recipient' | 'keyId'> & { readonly copy: Numbered },
): void => {
  const { epoch, generation } = copy;
  const namesake = known.copies.find((each) => each.epoch === epoch && each.generation === generation);
  const isOther = known.kind !== kind || known.recipient !== recipient || known.keyId !== keyId;
  if (!isOther && (namesake === undefined || isSame(namesake, copy))) return;
  throw new KeepsetError('place/foreign', `This is not the copy that this device knows as ${kit}.`, {
    hint: 'It was written by somebody else, or its folder was renamed. If it is yours, copy its file into another folder and use it there.',
  });
};

const domainOf = async (
  about: Pick<FoundKit, 'kind' | 'kit' | 'path'>,
  { root }: HomePaths,
  party: string,
): Promise<string> => {
  if (about.kind === 'keyring') return `device:${party}`;
  const usual = usualDomain(about);
  return about.path === undefined ? usual : domainOfFolder(about.path, root, party, usual);
};

/** One that cannot be read is none: the share is back, and that is what counts here. */
const passkeyOf = async ({
  kind,
  kit,
  path,
}: Pick<FoundKit, 'kind' | 'kit' | 'path'>): ReturnType<typeof readPasskey> =>
  kind === 'folder' && path !== undefined
    ? readPasskey(copyFolder(path, kit)).catch(() => undefined)
    : undefined;

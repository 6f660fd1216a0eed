/** A stick, kit, folder, keyring or Finder backup with a copy of the old device becomes one of this device, which keeps it current. */
import { createHash } from 'node:crypto';
import { toKeepsetError } from '@keepset/bytes';
import type { BackupTrace } from '@keepset/places';
import { openShareFile, recipientOf, type OpenedShare } from '@keepset/wire';
import type { HomePaths } from '../home/paths.ts';
import { readPasskey, withPasskeyOpened, withPasskeySeen, type FoundPasskey } from '../passkey/way.ts';
import { saveKit, usualDomain, type LedgerKit } from './ledger.ts';
import { copyFolder, domainOfFolder } from './look.ts';

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
 * Notes in this device's ledger the kit that its share was recovered from.
 * @param opener the passkey that opened it, if it was not its code: of the other nothing is known.
 */
export const adoptKit = async (
  paths: HomePaths,
  { sha256, ...about }: FoundKit,
  { share, generation, createdAt }: OpenedShare,
  opener: FoundPasskey | undefined,
): Promise<void> => {
  const { keyId, epoch, parties } = share.group;
  const now = new Date().toISOString();
  const opened = opener === undefined ? { openedAt: now } : {};
  const kit: LedgerKit = {
    ...about,
    keyId,
    position: parties.indexOf(share.party) + 1,
    domain: await domainOf(about, paths, share.party),
    // The server was asked about it before: what it knows is this copy, or a newer one.
    copies: [{ epoch, generation, sha256, createdAt, state: 'verified', ...opened, notedAt: now }],
  };
  // What lies there by now may be another file than the one that was opened.
  if (opener?.kit === kit.kit) return saveKit(paths, withPasskeyOpened(kit, opener));
  const passkey = await passkeyOf(about);
  await saveKit(paths, passkey === undefined ? kit : withPasskeySeen(kit, passkey));
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

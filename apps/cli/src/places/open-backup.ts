/** Opening a copy of a share where it lies, into memory and nowhere else. Alters nothing there. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { findContainers, nodeFileSystem, openNewest } from '@keepset/places';
import { maxShareFileBytes, openShareFile } from '@keepset/wire';
import type { HomePaths } from '../home/paths.ts';
import { findPasskey, noPasskey, type FoundPasskey } from '../passkey/way.ts';
import { containerAround } from './usb/around.ts';
import { judge } from './usb/container.ts';
import { openInFinderBackup } from './finder/copy.ts';
import { isFinderBackup, type OpenFinderBackup } from './finder/open.ts';
import { readSheets } from './kit/read.ts';
import { damagedEntryError, findKit, readLedger, type Ledger, type LedgerKit } from './ledger.ts';
import { copyFolder, placeOf } from './look.ts';
import type { NotedCopy } from './stale.ts';

/** Where the copy lies, as the user says it. */
export interface BackupTarget {
  /** A stick, a folder copy, a Finder backup, a share file, or pictures of share sheets. */
  readonly paths: readonly string[];
  /** A kit of the ledger, by its id or the beginning of it. */
  readonly kit: string | undefined;
  /** Whether an older copy than was written is wanted all the same. */
  readonly older: boolean;
  /** How a Finder backup is opened. */
  readonly openFinder: OpenFinderBackup;
}

/** An opened copy. The caller wipes `opened.share.secret`. `noted` is absent for a copy that is not in the ledger. */
export interface OpenedBackup extends NotedCopy {
  /** Of the sealed share file. */
  readonly sha256: Uint8Array;
  /** The kit it says it is; absent for a share file that lies alone. */
  readonly kit?: string;
  /** Absolute path of the stick, folder or Finder backup in which it was read. */
  readonly path?: string;
}

/**
 * Finds the copy and opens it; the share inside is checked against the public data of the key.
 * @param codes recovery codes; with pictures, one in them serves too.
 * @throws KeepsetError `place/locked` (wrong code), `place/unreachable`, `place/not-found`, `place/damaged`,
 * `place/stale` (the stick holds an older copy than was written to it), `input/invalid-argument`.
 */
export const openBackup = async (
  home: HomePaths,
  target: BackupTarget,
  codes: readonly string[],
): Promise<OpenedBackup> => {
  const ledger = await readLedger(home);
  const { kit, path } = await find(target, ledger);
  const { bytes, opened, ...of } = await read(home, ledger, kit, path, target, codes);
  const sha256 = new Uint8Array(createHash('sha256').update(bytes).digest());
  // The same file may lie in several places: what is seen in one of them is no evidence of another.
  const noted = ledger.kits
    .filter((each) => each.kit === of.kit)
    .flatMap((each) =>
      each.copies.flatMap((copy) => (bytesEqual(copy.sha256, sha256) ? [{ kit: each, copy }] : [])),
    )[0];
  return {
    opened,
    sha256,
    ...of,
    ...(noted === undefined ? {} : { noted }),
  };
};

/**
 * The passkey of the copy that is meant.
 * @throws KeepsetError as {@link openBackup} and `findPasskey`
 */
export const findPasskeyOf = async (home: HomePaths, target: BackupTarget): Promise<FoundPasskey> => {
  const { kit, path = target.paths[0] } = await find(target, await readLedger(home));
  if (path === undefined) throw noPasskey();
  return findPasskey(path, kit?.kit);
};

/** A kit of the ledger, or a path, or both. */
const find = async (
  { paths, kit: prefix }: BackupTarget,
  ledger: Ledger,
): Promise<{ readonly kit?: LedgerKit; readonly path?: string }> => {
  const [first, ...more] = paths;
  if (prefix !== undefined) {
    const kit = findKit(prefix, ledger);
    if (kit.kind === 'keyring' && first !== undefined)
      throw new KeepsetError('input/invalid-argument', 'This copy lies in the keyring, and in no folder.', {
        hint: `Without a path: keepset drill --copy ${kit.kit.slice(0, 6)}`,
      });
    const path = first === undefined ? kit.path : resolve(first);
    return { kit, ...(path === undefined || kit.kind === 'kit' ? {} : { path }) };
  }
  if (first === undefined)
    throw new KeepsetError(
      'input/invalid-argument',
      'Say which copy: its folder, its pictures, or --copy KIT.',
      {
        hint: '`keepset health` lists the copies.',
      },
    );
  const stick = await containerAround(first);
  if (stick?.isPiece === true) {
    const kit = ledger.kits.find((each) => each.kit === stick.kit && each.kind === 'usb');
    return { path: stick.root, ...(kit === undefined ? {} : { kit }) };
  }
  const path = resolve(first);
  if (more.length > 0 || !(await isFolder(path))) return {};
  await refuseDamagedEntry(path, ledger);
  const known = ledger.kits.filter((each) => each.path === path && each.kind === 'folder');
  if (known.length > 1)
    throw new KeepsetError('input/invalid-argument', 'There are several copies in this folder; say which.', {
      hint: `Use --copy with one of: ${known.map(({ kit }) => kit).join(', ')}`,
    });
  return { path, ...(known[0] === undefined ? {} : { kit: known[0] }) };
};

/** Only the entry says that a folder copy lies here, and which. A stick says it itself. */
const refuseDamagedEntry = async (path: string, { damaged }: Ledger): Promise<void> => {
  for (const entry of damaged)
    if (
      (await isFolder(copyFolder(path, entry.kit))) &&
      (await findContainers(nodeFileSystem, path)).every(({ kit }) => kit !== entry.kit)
    )
      throw damagedEntryError(entry);
};

interface Read extends Pick<OpenedBackup, 'opened' | 'kit' | 'seen' | 'path'> {
  readonly bytes: Uint8Array;
}

const read = async (
  home: HomePaths,
  ledger: Ledger,
  kit: LedgerKit | undefined,
  path: string | undefined,
  { paths, older, openFinder }: BackupTarget,
  codes: readonly string[],
): Promise<Read> => {
  if (kit?.kind === 'keyring') return readFromPlace(kit, codes);
  if (kit?.kind === 'folder') return readFromFolder(kit, path, codes);
  if (
    path !== undefined &&
    (kit?.kind === 'finder-backup' || (kit === undefined && (await isFinderBackup(path))))
  )
    return { ...(await openInFinderBackup(home, path, kit, codes, openFinder)), path };
  if (path !== undefined) return readFromStick(path, ledger, kit?.kit, codes, older);
  if (kit !== undefined && paths.length === 0)
    throw new KeepsetError(
      'input/invalid-argument',
      kit.kind === 'kit'
        ? 'Give the pictures of its share sheets.'
        : 'It was not noted where this copy lies.',
      { hint: `keepset drill PATH… --copy ${kit.kit.slice(0, 6)}` },
    );
  const pictures = paths.filter((each) => /\.png$/i.test(each));
  if (pictures.length === paths.length) {
    const { kit: printed, bytes, keys } = await readSheets(pictures, codes);
    return { kit: printed, bytes, opened: await openShareFile(bytes, keys) };
  }
  const bytes = await nodeFileSystem.read(resolve(paths[0] ?? ''), maxShareFileBytes);
  return { bytes, opened: await openShareFile(bytes, codes) };
};

/** @param path where the user says that it lies now, which is not where it lay before */
const readFromFolder = async (
  known: LedgerKit,
  path: string | undefined,
  codes: readonly string[],
): Promise<Read> => {
  if (path === undefined || path === known.path) return readFromPlace(known, codes);
  const kit = { ...known, path };
  if (!(await isFolder(copyFolder(path, kit.kit))))
    throw new KeepsetError('place/not-found', `There is no folder keepset-${kit.kit} in ${path}.`, {
      hint: 'Give the folder in which it lies. Without one the copy is read where it was last seen.',
    });
  return readFromPlace(kit, codes);
};

const readFromPlace = async (kit: LedgerKit, codes: readonly string[]): Promise<Read> => {
  const place = await placeOf(kit);
  const [newest] = (await place.list())
    .filter(({ keyId, state }) => keyId === kit.keyId && state === 'current')
    .toSorted((a, b) => b.epoch - a.epoch);
  const found = newest === undefined ? null : await place.get(newest);
  if (found === null)
    throw new KeepsetError('place/not-found', 'The copy is gone.', { hint: 'Make another one.' });
  const opened = await openShareFile(found.bytes, codes);
  return { kit: kit.kit, bytes: found.bytes, opened, ...(kit.path === undefined ? {} : { path: kit.path }) };
};

const readFromStick = async (
  root: string,
  ledger: Ledger,
  kit: string | undefined,
  codes: readonly string[],
  older: boolean,
): Promise<Read> => {
  const { report } = await judge(root, ledger, codes, kit, older);
  const { opened, candidate } = await openNewest(report, codes);
  return { kit: report.container.kit, bytes: candidate.bytes, opened, path: root };
};

const isFolder = async (path: string): Promise<boolean> =>
  (await nodeFileSystem.facts(path))?.kind === 'folder';

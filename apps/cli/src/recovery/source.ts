/**
 * A copy of a share from wherever it lies: a stick, printed sheets, a Finder backup, a folder, a single file.
 * Everything here only reads.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import {
  candidatesOf,
  findContainers,
  inspectContainer,
  type ContainerReport,
  type ContainerShare,
  nodeFileSystem,
  openNewest,
  scryptInThreadPool,
} from '@keepset/places';
import { maxShareFileBytes, openShareFile, type OpeningKey } from '@keepset/wire';
import { listIfThere } from '../home/files.ts';
import { isPasskeyFile, type FoundPasskey } from '../passkey/way.ts';
import { foundKit, type FoundKit, type KitAbout } from '../places/adopt.ts';
import { chooseCopy, type OpenedFile, type Wanted } from '../places/choose.ts';
import { containerAround, isContainer, type ContainerAround } from '../places/usb/around.ts';
import { selectContainer } from '../places/usb/container.ts';
import { aboutFinderCopy } from '../places/finder/copy.ts';
import { isFinderBackup, openFinderBackup } from '../places/finder/open.ts';
import { aboutKeyringCopy, copiesInKeyring } from '../places/keyring-copy.ts';
import { readSheets } from '../places/kit/read.ts';
import { copyFolder } from '../places/look.ts';
import { openEach } from '../places/open-each.ts';
import { withPassphrase } from '../terminal/attempts.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** What kind of place a copy came from. */
export type SourceKind = 'usb' | 'printed-kit' | 'finder-backup' | 'folder' | 'file' | 'keyring';

/** Where to look, and with what. */
export interface Source {
  /** One folder or file; for printed sheets any number of pictures; none for the keyring. */
  readonly paths: readonly string[];
  /** Whether the copy is in the keyring of this desktop. */
  readonly keyring?: boolean;
  /** age identities: recovery codes, or what a passkey opened. */
  readonly codes: readonly string[];
  /** The passkey that opened the code. */
  readonly passkey?: FoundPasskey | undefined;
  /** Passphrase of the copy, or password of the Finder backup, where nobody is to be asked. */
  readonly passphrase: string | undefined;
  /** Which container, where a stick has several. */
  readonly kit: string | undefined;
}

/** A copy that was opened. */
export interface CopyFound extends OpenedFile {
  /** The file it came from, as inside a sentence. */
  readonly where: string;
  /** Of a copy that the new device can keep up to date. */
  readonly kit?: FoundKit;
  /** Why the only copy of a share must not rest on it: what lies there was read, but is damaged, or has no protection. */
  readonly weakness?: 'repaired' | 'unencrypted';
}

/** All copies at a source that could be opened. The caller wipes each `opened.share.secret`. */
export interface OpenedSource {
  readonly kind: SourceKind;
  readonly found: readonly CopyFound[];
}

/** The one copy that is meant. The caller wipes `opened.share.secret`. */
export interface OpenedCopy extends CopyFound {
  readonly kind: SourceKind;
  /** The passkey that opened its code; absent where the user had the code. */
  readonly passkey: FoundPasskey | undefined;
  /** Older copies of the same share beside it. */
  readonly older: readonly CopyFound[];
}

/**
 * Opens the newest copy at a source.
 * @throws KeepsetError as {@link openAll}, and as {@link chooseCopy}.
 */
export const openSource = async (source: Source, wanted: Wanted, terminal: Terminal): Promise<OpenedCopy> => {
  const { kind, found } = await openAll(source, terminal);
  return { kind, passkey: source.passkey, ...chooseCopy(found, wanted) };
};

/**
 * Opens every copy at a source. Of a container whatever piece is given, all of it is meant; of two copies of one epoch that in
 * the slot that is named, for the other may be a wrong one. Another file among its files is no copy that a device keeps up to date.
 * @throws KeepsetError of family `place/` or `input/`, each with a next step.
 */
export const openAll = async (source: Source, terminal: Terminal): Promise<OpenedSource> => {
  const [first = '', ...more] = source.paths;
  const path = resolve(first);
  const stick = source.keyring === true ? undefined : await containerAround(path);
  const isStick = stick?.isPiece === true;
  const kind = source.keyring === true ? 'keyring' : isStick ? 'usb' : await kindOf(path);
  if (more.length > 0 && kind !== 'printed-kit')
    throw new KeepsetError(
      'input/invalid-argument',
      'Only pictures of printed sheets come in several files.',
      {
        hint: 'Recover from one copy at a time.',
      },
    );
  try {
    if (isStick) return await fromStick(stick.root, { ...source, kit: source.kit ?? stick.kit }, stick.slot);
    const opened = await openers[kind](path, source, terminal);
    return stick === undefined ? opened : { ...opened, kind: 'usb' };
  } catch (thrown) {
    throw withNextStep(toKeepsetError(thrown), kind);
  }
};

type Opener = (path: string, source: Source, terminal: Terminal) => Promise<OpenedSource>;

const fromStick = async (
  root: string,
  { codes, kit }: Source,
  slot?: ContainerAround['slot'],
): Promise<OpenedSource> => {
  if (codes.length === 0) throw needsCode();
  const container = await selectContainer(root, [], kit);
  const report = await inspectContainer(container);
  const { opened, candidate } = await openMeant(report, slot, codes);
  const where = `the stick ${root} (kit ${container.kit})`;
  const isWhole = candidatesOf(report).some(
    ({ source, sha256 }) => source === 'as-is' && bytesEqual(sha256, candidate.sha256),
  );
  const weak = isWhole ? {} : { weakness: 'repaired' as const };
  const about: KitAbout = () => ({ kind: 'usb', kit: container.kit, path: root });
  return {
    kind: 'usb',
    found: [{ where, opened, ...weak, ...(await kitOf(about, candidate.bytes, codes)) }],
  };
};

/** The newest copy, or of two of one epoch that in the slot that is named. */
const openMeant = async (
  report: ContainerReport,
  slot: ContainerAround['slot'],
  codes: readonly OpeningKey[],
): Promise<ContainerShare> => {
  const newest = await openNewest(report, codes);
  if (slot === undefined || newest.candidate.slot === slot) return newest;
  const other = slot === 'enc' ? 'bak' : 'enc';
  const slots = { ...report.slots, [other]: { ...report.slots[other], candidates: [] } };
  const named = await openNewest({ ...report, slots }, codes).catch(() => undefined);
  if (named === undefined) return newest;
  const isMeant = named.opened.share.group.epoch === newest.opened.share.group.epoch;
  (isMeant ? newest : named).opened.share.secret.wipe();
  return isMeant ? named : newest;
};

const fromSheets: Opener = async (_path, { paths, codes: given }) => {
  const { kit, bytes, keys } = await readSheets(paths, given);
  const opened = await openShareFile(bytes, keys);
  const known = await kitOf(() => ({ kind: 'kit', kit }), bytes, keys);
  return { kind: 'printed-kit', found: [{ where: `printed kit ${kit}`, opened, ...known }] };
};

const kitOf = async (...facts: Parameters<typeof foundKit>): Promise<Pick<CopyFound, 'kit'>> => {
  const kit = await foundKit(...facts);
  if (kit === undefined) return {};
  // Among the files of a container: written there by mistake, or to deceive.
  const isAstray =
    kit.kind === 'folder' && kit.path !== undefined && (await isContainer(copyFolder(kit.path, kit.kit)));
  return isAstray ? {} : { kit };
};

const fromFinderBackup: Opener = async (folder, source, terminal) => {
  const content = await openFinderBackup(folder, source.passphrase, terminal);
  const weak = content.encrypted ? {} : { weakness: 'unencrypted' as const };
  const files = content.shares.map(({ domain, path, bytes, trace }): ClosedCopy => {
    const about = aboutFinderCopy(folder, content, { trace });
    return { where: `${domain}: ${path}`, bytes, ...weak, ...(about === undefined ? {} : { about }) };
  });
  // The password was the backup's; copies inside are opened by their own code.
  return openFiles('finder-backup', files, { ...source, passphrase: undefined }, terminal);
};

const fromFolder: Opener = async (folder, source, terminal) => {
  const { files, pictures, waiting } = await filesIn(folder);
  if (files.length === 0 && pictures.length > 0)
    return fromSheets(folder, { ...source, paths: pictures }, terminal);
  if (files.length === 0 && waiting > 0)
    throw new KeepsetError(
      'place/unreachable',
      `${folder} holds ${waiting} files that are still in the cloud.`,
      {
        hint: 'Let them download first (in Finder: “Download Now”), then run this again.',
      },
    );
  return openFiles('folder', files, source, terminal);
};

const fromFile: Opener = async (path, source, terminal) =>
  openFiles(
    'file',
    [{ where: path, bytes: await readShareFile(path), ...kitAround(path) }],
    source,
    terminal,
  );

const fromKeyring: Opener = async (_path, source, terminal) => {
  const where = 'the keyring of this desktop';
  const files = (await copiesInKeyring()).map((bytes) => ({ where, bytes, about: aboutKeyringCopy }));
  return openFiles('keyring', files, source, terminal);
};

const openers: Readonly<Record<SourceKind, Opener>> = {
  usb: (root, source) => fromStick(root, source),
  'printed-kit': fromSheets,
  'finder-backup': fromFinderBackup,
  folder: fromFolder,
  file: fromFile,
  keyring: fromKeyring,
};

/** What lies at a path, by its content and not by its name. */
const kindOf = async (path: string): Promise<SourceKind> => {
  const facts = await nodeFileSystem.facts(path);
  if (facts === null)
    throw new KeepsetError('place/not-found', `There is nothing at ${path}.`, {
      hint: 'Plug the medium in, and give the folder or file under which it appears.',
    });
  // A link may lead anywhere: say where it leads, and it is clear what is read.
  if (facts.kind === 'other' && (await isFolder(path)))
    throw new KeepsetError('place/foreign', `${path} is a link.`, {
      hint: 'Give the folder it leads to.',
    });
  if (facts.kind !== 'folder') return kindOfFile(path);
  if ((await findContainers(nodeFileSystem, path)).length > 0) return 'usb';
  return (await isFinderBackup(path)) ? 'finder-backup' : 'folder';
};

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => null))?.isDirectory() === true;

const pictureBytes = 64 << 20;
const pngStart = [0x89, 0x50, 0x4e, 0x47];
const pdfStart = [0x25, 0x50, 0x44, 0x46];
const jpegStart = [0xff, 0xd8];

const kindOfFile = async (path: string): Promise<SourceKind> => {
  let file: Uint8Array;
  try {
    file = await nodeFileSystem.read(path, pictureBytes);
  } catch (thrown) {
    throw withNextStep(toKeepsetError(thrown), 'file');
  }
  const begins = (start: readonly number[]): boolean => start.every((byte, i) => file[i] === byte);
  if (begins(pngStart)) return 'printed-kit';
  if (begins(pdfStart) || begins(jpegStart))
    throw new KeepsetError('input/unsupported', `${path} has to be converted to PNG pictures first.`, {
      hint: 'A PDF: `pdftoppm -r 200 -png scan.pdf page`. A photo: `magick photo.jpg photo.png`.',
    });
  return 'file';
};

interface ClosedCopy extends Pick<CopyFound, 'weakness'> {
  readonly where: string;
  readonly bytes: Uint8Array;
  /** What its kit is, where it lies in one. */
  readonly about?: KitAbout;
}

const readShareFile = async (path: string): Promise<Uint8Array> => {
  const bytes = await nodeFileSystem.read(path, maxShareFileBytes);
  if (bytes.length === 0) throw new KeepsetError('place/damaged', `${path} is empty.`);
  return bytes;
};

/** A copy that `keepset backup` wrote lies in a folder of its own, `keepset-KIT`. */
const kitAround = (path: string): Pick<ClosedCopy, 'about'> => {
  const folder = dirname(path);
  const kit = /^keepset-([a-z2-7]{26})$/.exec(basename(folder))?.[1];
  return kit === undefined ? {} : { about: () => ({ kind: 'folder', kit, path: dirname(folder) }) };
};

/** Together, in a folder and those in it: far more than anybody keeps there, and little for a computer. */
const maxFiles = 1000;
const maxBytes = 64 << 20;

interface Listing {
  /** `*.age` files. */
  readonly files: ClosedCopy[];
  /** `*.png` files: sheets that were scanned. */
  readonly pictures: string[];
  /** How many share files are in the cloud only. */
  waiting: number;
  /** How much the files take that were read. */
  bytes: number;
}

/**
 * What lies in a folder and in the folders in it. Links are not followed.
 * @throws KeepsetError `input/invalid-argument` (too much)
 */
const filesIn = async (folder: string): Promise<Listing> => {
  const found: Listing = { files: [], pictures: [], waiting: 0, bytes: 0 };
  await addFilesIn(folder, found, true);
  return found;
};

const addFilesIn = async (folder: string, found: Listing, isOuter: boolean): Promise<void> => {
  for (const name of (await listIfThere(folder)).toSorted()) {
    const path = join(folder, name);
    const kind = (await nodeFileSystem.facts(path))?.kind;
    // What iCloud Drive leaves of a file that is not on this computer.
    if (/^\..+\.age\.icloud$/.test(name)) found.waiting += 1;
    else if (kind === 'folder' && isOuter) await addFilesIn(path, found, false);
    else if (kind !== 'file' || name.startsWith('.')) continue;
    else if (name.endsWith('.png')) found.pictures.push(path);
    else if (name.endsWith('.age') && !isPasskeyFile(name)) {
      const bytes = await readOrEmpty(path);
      found.bytes += bytes.length;
      found.files.push({ where: path, bytes, ...kitAround(path) });
    }
    if (found.files.length + found.pictures.length > maxFiles || found.bytes > maxBytes)
      throw new KeepsetError(
        'input/invalid-argument',
        `There are too many files in ${folder} to try them all.`,
        {
          hint: 'Give the file of the copy, or the folder in which it lies alone.',
        },
      );
  }
};

/** One file that cannot be read hides none of the others. */
const readOrEmpty = (path: string): Promise<Uint8Array> =>
  nodeFileSystem.read(path, maxShareFileBytes).catch(() => new Uint8Array(0));

/** Opens what can be opened. */
const openFiles = async (
  kind: SourceKind,
  files: readonly ClosedCopy[],
  { codes, passphrase }: Source,
  terminal: Terminal,
): Promise<OpenedSource> => {
  if (files.length === 0) throw new KeepsetError('place/not-found', 'There is no share file (*.age) here.');
  const byPassphrase = files.some(({ bytes }) => isPassphraseFile(bytes));
  if (codes.length === 0 && !byPassphrase) throw needsCode();
  const open = (keys: readonly OpeningKey[]): Promise<readonly CopyFound[]> => openFound(files, keys);
  const found =
    codes.length > 0
      ? await open(codes)
      : await withPassphrase(terminal, 'Passphrase of the copy', passphrase, (typed) =>
          open([{ passphrase: typed, scrypt: scryptInThreadPool }]),
        );
  return { kind, found };
};

/** The copies that open, each with what its kit is. */
const openFound = async (
  files: readonly ClosedCopy[],
  keys: readonly OpeningKey[],
): Promise<readonly CopyFound[]> => {
  const codes = keys.filter((key) => typeof key === 'string');
  const found: CopyFound[] = [];
  for (const { where, bytes, about, weakness, opened } of await openEach(files, keys))
    found.push({
      where,
      opened,
      ...(weakness === undefined ? {} : { weakness }),
      ...(about === undefined ? {} : await kitOf(about, bytes, codes)),
    });
  return found;
};

/** Whether an age file is sealed to a passphrase, by its header. @spec C2SP age.md, "scrypt recipient stanza" */
const isPassphraseFile = (file: Uint8Array): boolean =>
  String.fromCharCode(...file.subarray(0, 64)).includes('\n-> scrypt ');

const needsCode = (): KeepsetError =>
  new KeepsetError('input/invalid-argument', 'The recovery code of this copy is needed.', {
    hint: 'Give --code CODE (or --code - to be asked), or --identity FILE. `keepset recover` and `unpark` take --passkey, too.',
  });

const steps: Partial<Record<KeepsetError['code'], string>> = {
  'place/not-found':
    'Is it the right folder or medium? Another copy may lie elsewhere: see `keepset recover --help`.',
  'place/damaged':
    'Try another copy of this share. A stick: `keepset usb repair`, or `keepset usb rescue` on its image.',
  'place/locked': 'Is it the code of this copy? The kit number on the sheet must be that of the copy.',
  'place/foreign': 'Recovery reads plain files and folders only, and follows no links.',
  'place/unreachable': 'Plug the medium in, and give the folder under which it appears.',
  'place/read-only': 'Who owns the files? Run this as a user who may read them.',
  'wire/too-large': 'This is no share file. Is it the right one?',
  'input/wrong-passphrase': 'It is the passphrase this very copy was sealed with, not that of a device.',
};

const withNextStep = (error: KeepsetError, kind: SourceKind): KeepsetError => {
  const hint = error.hint ?? steps[error.code];
  if (hint === error.hint || hint === undefined) return error;
  const message =
    kind === 'file' && error.code === 'place/foreign' ? `${error.message} It is not opened.` : error.message;
  return new KeepsetError(error.code, message, { hint, cause: error });
};

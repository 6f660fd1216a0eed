/**
 * Reading share files out of an iTunes or Finder backup folder. Nothing in the folder is altered.
 * Known from public descriptions of the format, which Apple does not document.
 */
import { createDecipheriv, createHash } from 'node:crypto';
import { join } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { maxShareFileBytes } from '@keepset/wire';
import { looksLikeAge } from '../copy.ts';
import { nodeFileSystem } from '../fs/node.ts';
import type { FileSystem } from '../fs/port.ts';
import { queryFiles, type FileRow } from './database.ts';
import { parseKeyBag, unlockKeyBag, unwrapKey, type ClassKeys, type OnProgress } from './keybag.ts';
import { dataOf, dereference, isDict, parsePlist, type PlistDict } from './plist.ts';

/** What may be set on opening. */
export interface BackupOptions {
  readonly files?: FileSystem;
  /** Of the password derivation. */
  readonly onProgress?: OnProgress;
}

/** How a share file lies in a backup, as it can be seen again without the password. Hashes are SHA-256 of what lies there. */
export interface BackupTrace {
  /** Name of the encrypted file: SHA-1 of domain and path, in hex. */
  readonly file: string;
  readonly sealed: Uint8Array;
  /** Of Manifest.plist: it holds a date, and differs after each run of the backup. */
  readonly plist: Uint8Array;
  /** Of Manifest.db, which holds the file's key. */
  readonly database: Uint8Array;
}

/** A share file found in a backup. */
export interface BackupShare {
  /** Such as `AppDomain-org.example.keepset`. */
  readonly domain: string;
  /** Path inside the domain. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly trace: BackupTrace;
}

/** A backup and its share files. */
export interface BackupContent {
  /** False: the files lie in clear, and the backup does not count as a place. */
  readonly encrypted: boolean;
  /** Identifier of the phone (UDID), where the backup names it. */
  readonly phone?: string;
  readonly shares: readonly BackupShare[];
  /** Files that look like a share by name but could not be read: path and reason. */
  readonly unreadable: readonly {
    readonly domain: string;
    readonly path: string;
    readonly error: KeepsetError;
  }[];
}

const maxPlistBytes = 64 << 20;
const maxDatabaseBytes = 1 << 30;
/** Of all files together that are named as shares are. */
const maxFoundBytes = 256 << 20;
/** Of the archive of one file; a phone writes some twenty. */
const maxRecordObjects = 2000;

/**
 * Finds and decrypts every share file (`*.age`) of any app in the backup.
 * @param folder the folder that holds `Manifest.plist`.
 * @param password undefined for a backup without encryption.
 * @throws KeepsetError `place/not-found` (no backup here), `place/locked` (a password is needed),
 * `input/wrong-passphrase`, `place/damaged`, `input/unsupported` (older than iOS 10), `place/unreachable`.
 */
export const readFinderBackup = async (
  folder: string,
  password: string | undefined,
  options: BackupOptions = {},
): Promise<BackupContent> => {
  const files = options.files ?? nodeFileSystem;
  const { manifest, encrypted, sha256: plist } = await readManifest(files, folder);
  const phone = phoneOf(manifest);
  const keys = encrypted ? await unlock(manifest, password, options.onProgress) : undefined;
  let database: Uint8Array | undefined;
  try {
    const sealed = await readDatabase(files, folder);
    const traced = { plist, database: hashOf(sealed) };
    database = openDatabase(sealed, manifest, keys);
    const found = await readShares(files, folder, database, keys, traced);
    return { encrypted, ...(phone === undefined ? {} : { phone }), ...found };
  } finally {
    for (const key of keys?.values() ?? []) key.fill(0);
    database?.fill(0);
  }
};

/** Manifest.plist, whether the backup is encrypted by what it says, and its hash. @throws KeepsetError as {@link readFinderBackup} */
export const readManifest = async (
  files: FileSystem,
  folder: string,
): Promise<{ readonly manifest: PlistDict; readonly encrypted: boolean; readonly sha256: Uint8Array }> => {
  try {
    const bytes = await files.read(join(folder, 'Manifest.plist'), maxPlistBytes);
    const manifest = parsePlist(bytes, 'Manifest.plist');
    return { manifest, encrypted: manifest['IsEncrypted'] === true, sha256: hashOf(bytes) };
  } catch (error) {
    if (error instanceof KeepsetError && error.code === 'place/not-found')
      throw new KeepsetError(
        'place/not-found',
        'There is no Manifest.plist here: this is no backup folder.',
        {
          hint: 'On a Mac, backups lie in ~/Library/Application Support/MobileSync/Backup, one folder for each device.',
        },
      );
    if (error instanceof KeepsetError && error.code === 'place/read-only')
      throw new KeepsetError('place/read-only', 'The backup may not be read.', {
        hint: 'On a Mac, give the terminal Full Disk Access under Privacy & Security, or copy the backup elsewhere.',
        cause: error,
      });
    throw error;
  }
};

const unlock = (
  manifest: PlistDict,
  password: string | undefined,
  onProgress: OnProgress | undefined,
): Promise<ClassKeys> => {
  if (password === undefined)
    throw new KeepsetError('place/locked', 'The backup is encrypted.', {
      hint: 'Its password was set in Finder or iTunes.',
    });
  const bag = dataOf(manifest['BackupKeyBag']);
  if (bag === undefined) throw new KeepsetError('place/damaged', 'Manifest.plist has no key bag.');
  return unlockKeyBag(parseKeyBag(bag), password, onProgress);
};

const phoneOf = ({ Lockdown: device }: PlistDict): string | undefined => {
  const id = isDict(device) ? device['UniqueDeviceID'] : undefined;
  return typeof id === 'string' && /^[0-9A-Fa-f-]{24,40}$/.test(id) ? id : undefined;
};

/** Manifest.db as it lies there. @throws KeepsetError as {@link readFinderBackup} */
export const readDatabase = (files: FileSystem, folder: string): Promise<Uint8Array> =>
  files.read(join(folder, 'Manifest.db'), maxDatabaseBytes).catch((error: unknown) => {
    if (error instanceof KeepsetError && error.code === 'place/not-found')
      throw new KeepsetError('input/unsupported', 'The backup has no Manifest.db: it is older than iOS 10.', {
        hint: 'Back the phone up with a later system, or look for another copy.',
      });
    throw error;
  });

/** Manifest.db in clear. Since iOS 10.2 it is encrypted under the manifest key. */
const openDatabase = (bytes: Uint8Array, manifest: PlistDict, keys: ClassKeys | undefined): Uint8Array => {
  const wrapped = dataOf(manifest['ManifestKey']);
  if (keys === undefined || wrapped === undefined) return bytes;
  return decrypt(bytes, fileKeyOf(keys, wrapped), bytes.length);
};

/** A file key is its class (4 bytes, little-endian) and the key wrapped under that class's key (40 bytes). */
const fileKeyOf = (keys: ClassKeys, data: Uint8Array): Uint8Array => {
  if (data.length !== 44) throw new KeepsetError('place/damaged', 'A wrapped file key has the wrong length.');
  const protectionClass = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
  const classKey = keys.get(protectionClass);
  const key = classKey === undefined ? null : unwrapKey(classKey, data.subarray(4));
  if (key === null)
    throw new KeepsetError(
      'place/damaged',
      `A file key of protection class ${protectionClass} does not unwrap.`,
    );
  return key;
};

/** AES-256-CBC with a zero vector, cut to the file's size: padding is not uniform among writers. Wipes the key. */
const decrypt = (bytes: Uint8Array, key: Uint8Array, size: number): Uint8Array => {
  try {
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 16));
    const decipher = createDecipheriv('aes-256-cbc', key, Buffer.alloc(16)).setAutoPadding(false);
    const clear = Buffer.concat([decipher.update(whole), decipher.final()]);
    return Uint8Array.from(clear.subarray(0, size));
  } finally {
    key.fill(0);
  }
};

const readShares = async (
  files: FileSystem,
  folder: string,
  database: Uint8Array,
  keys: ClassKeys | undefined,
  traced: Pick<BackupTrace, 'plist' | 'database'>,
): Promise<Pick<BackupContent, 'shares' | 'unreadable'>> => {
  const shares: BackupShare[] = [];
  const unreadable: BackupContent['unreadable'][number][] = [];
  let total = 0;
  for (const row of await queryFiles(database)) {
    const { domain, relativePath: path } = row;
    try {
      if (total > maxFoundBytes)
        throw new KeepsetError('wire/too-large', 'The files before it are too large together.');
      const sealed = await readSealed(files, folder, row.fileID);
      total += sealed.length;
      const bytes = openRow(sealed, row, keys);
      const trace = { file: row.fileID, sealed: hashOf(sealed), ...traced };
      if (looksLikeAge(bytes)) shares.push({ domain, path, bytes, trace });
    } catch (error) {
      if (!(error instanceof KeepsetError)) throw error;
      unreadable.push({ domain, path, error });
    }
  }
  return { shares, unreadable };
};

/** A file of the backup as it lies there. @throws KeepsetError `place/not-found`, and of the file system */
export const readSealed = (files: FileSystem, folder: string, file: string): Promise<Uint8Array> =>
  files.read(join(folder, file.slice(0, 2), file), maxShareFileBytes + 16);

const openRow = (sealed: Uint8Array, row: FileRow, keys: ClassKeys | undefined): Uint8Array => {
  if (keys === undefined) return sealed;
  const { size, wrappedKey } = parseFileRecord(row.file);
  return decrypt(sealed, fileKeyOf(keys, wrappedKey), size);
};

/** SHA-256. */
export const hashOf = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());

/** Size and key of a file, out of the keyed archive `MBFile`. @throws KeepsetError `place/damaged` */
const parseFileRecord = (bytes: Uint8Array): { size: number; wrappedKey: Uint8Array } => {
  const archive = parsePlist(bytes, 'A file record of the backup', maxRecordObjects);
  const objects: readonly unknown[] = Array.isArray(archive['$objects']) ? archive['$objects'] : [];
  const top = archive['$top'];
  const root = isDict(top) ? dereference(objects, top['root']) : undefined;
  if (isDict(root)) {
    const size = dereference(objects, root['Size']);
    const key = dereference(objects, root['EncryptionKey']);
    // Either the bytes themselves or an NSData object, whose bytes may be a reference again.
    const wrappedKey = dataOf(isDict(key) ? dereference(objects, key['NS.data']) : key);
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && wrappedKey !== undefined)
      return { size, wrappedKey };
  }
  throw new KeepsetError('place/damaged', 'A file record of the backup is damaged.');
};

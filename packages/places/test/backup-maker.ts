/** Makes encrypted backups as a phone does, in several dialects. Shares no code with the reader. */
import { createCipheriv, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A reference of a keyed archive. */
export class Reference {
  readonly to: number;
  constructor(to: number) {
    this.to = to;
  }
}
export type Plist =
  boolean | number | string | Uint8Array | Reference | readonly Plist[] | { [key: string]: Plist };

/** @spec CFBinaryPList.c, Apple's open-source CoreFoundation */
export const writePlist = (root: Plist): Buffer => {
  const objects: Buffer[] = [];
  const sized = (type: number, count: number): Buffer =>
    count < 15
      ? Buffer.of((type << 4) | count)
      : Buffer.concat([Buffer.of((type << 4) | 15), integer(count)]);
  const integer = (value: number): Buffer => {
    const bytes = Buffer.alloc(9);
    bytes[0] = 0x13;
    bytes.writeBigInt64BE(BigInt(value), 1);
    return bytes;
  };
  const reference = (index: number): Buffer => Buffer.of(index >> 8, index & 255);
  const add = (value: Plist): number => {
    const index = objects.push(Buffer.alloc(0)) - 1;
    objects[index] = encode(value);
    return index;
  };
  const encode = (value: Plist): Buffer => {
    if (typeof value === 'boolean') return Buffer.of(value ? 9 : 8);
    if (typeof value === 'number') return integer(value);
    if (typeof value === 'string')
      return Buffer.concat([sized(5, value.length), Buffer.from(value, 'ascii')]);
    if (value instanceof Uint8Array) return Buffer.concat([sized(4, value.length), value]);
    if (value instanceof Reference) return Buffer.of(0x81, value.to >> 8, value.to & 255);
    if (Array.isArray(value)) {
      const items = value.map((item: Plist) => reference(add(item)));
      return Buffer.concat([sized(10, items.length), ...items]);
    }
    const entries = Object.entries(value);
    const keys = entries.map(([key]) => reference(add(key)));
    const values = entries.map(([, item]) => reference(add(item)));
    return Buffer.concat([sized(13, entries.length), ...keys, ...values]);
  };
  add(root);
  return writePlistObjects(objects);
};

/** Any objects, sane or not; references have two bytes, and the first object is the root. */
export const writePlistObjects = (objects: readonly Buffer[]): Buffer => {
  const offsets: Buffer[] = [];
  let at = 8;
  for (const object of objects) {
    const offset = Buffer.alloc(4);
    offset.writeUInt32BE(at);
    offsets.push(offset);
    at += object.length;
  }
  const trailer = Buffer.alloc(32);
  trailer[6] = 4;
  trailer[7] = 2;
  trailer.writeBigUInt64BE(BigInt(objects.length), 8);
  trailer.writeBigUInt64BE(BigInt(at), 24);
  return Buffer.concat([Buffer.from('bplist00'), ...objects, ...offsets, trailer]);
};

const item = (tag: string, value: number | Uint8Array): Buffer => {
  const number = Buffer.alloc(4);
  if (typeof value === 'number') number.writeUInt32BE(value);
  const bytes = typeof value === 'number' ? number : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([Buffer.from(tag), length, bytes]);
};

const wrap = (key: Uint8Array, secret: Uint8Array): Buffer => {
  const cipher = createCipheriv('id-aes256-wrap', key, Buffer.alloc(8, 0xa6));
  return Buffer.concat([cipher.update(secret), cipher.final()]);
};

const encrypt = (key: Uint8Array, clear: Uint8Array, padding: 'pkcs7' | 'zero'): Buffer => {
  const cipher = createCipheriv('aes-256-cbc', key, Buffer.alloc(16));
  if (padding === 'pkcs7') return Buffer.concat([cipher.update(clear), cipher.final()]);
  cipher.setAutoPadding(false);
  const padded = Buffer.concat([clear, Buffer.alloc((16 - (clear.length % 16)) % 16)]);
  return Buffer.concat([cipher.update(padded), cipher.final()]);
};

export interface Dialect {
  readonly encrypted: boolean;
  /** Identifier of the phone. */
  readonly phone?: string;
  /** Slow first derivation, since iOS 10.2. */
  readonly firstRounds?: number;
  readonly rounds: number;
  readonly manifestKey: boolean;
  readonly flags: number;
  /** How the archive holds the key's bytes. */
  readonly keyData: 'inline' | 'object' | 'object-with-reference';
  readonly padding: 'pkcs7' | 'zero';
}

export interface FileInBackup {
  readonly domain: string;
  readonly path: string;
  readonly content: Uint8Array;
  readonly protectionClass?: number;
  readonly flags?: number;
}

/** Class keys 1 to 11 wrapped under the password, one wrapped under the device alone, as real bags have. */
const makeKeyBag = (
  password: string,
  dialect: Dialect,
  classKeys: ReadonlyMap<number, Uint8Array>,
): Buffer => {
  const [salt, firstSalt] = [randomBytes(20), randomBytes(20)];
  const started =
    dialect.firstRounds === undefined
      ? Buffer.from(password)
      : pbkdf2Sync(password, firstSalt, dialect.firstRounds, 32, 'sha256');
  const key = pbkdf2Sync(started, salt, dialect.rounds, 32, 'sha1');
  return Buffer.concat([
    item('VERS', 4),
    item('TYPE', 1),
    item('UUID', randomBytes(16)),
    item('HMCK', randomBytes(40)),
    item('WRAP', 1),
    item('SALT', salt),
    item('ITER', dialect.rounds),
    ...(dialect.firstRounds === undefined
      ? []
      : [item('DPWT', 1), item('DPIC', dialect.firstRounds), item('DPSL', firstSalt)]),
    ...[...classKeys].flatMap(([protectionClass, secret]) => [
      item('UUID', randomBytes(16)),
      item('CLAS', protectionClass),
      item('WRAP', protectionClass === 11 ? 1 : 3),
      item('KTYP', 0),
      item('WPKY', protectionClass === 11 ? randomBytes(40) : wrap(key, secret)),
    ]),
  ]);
};

const classPrefix = (protectionClass: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(protectionClass);
  return bytes;
};

const makeRecord = (dialect: Dialect, file: FileInBackup, wrappedKey: Buffer): Buffer => {
  const objects: Plist[] = ['$null'];
  const root: Record<string, Plist> = {
    Size: file.content.length,
    ProtectionClass: file.protectionClass ?? 3,
    RelativePath: new Reference(2),
    $class: new Reference(3),
  };
  objects.push(root, file.path, { $classname: 'MBFile', $classes: ['MBFile', 'NSObject'] });
  if (dialect.encrypted) {
    root['EncryptionKey'] = new Reference(4);
    if (dialect.keyData === 'inline') objects.push(wrappedKey);
    else {
      const nsClass = { $classname: 'NSMutableData', $classes: ['NSMutableData', 'NSData', 'NSObject'] };
      const data = dialect.keyData === 'object' ? wrappedKey : new Reference(6);
      objects.push({ 'NS.data': data, $class: new Reference(5) }, nsClass, wrappedKey);
    }
  }
  return writePlist({
    $version: 100_000,
    $archiver: 'NSKeyedArchiver',
    $top: { root: new Reference(1) },
    $objects: objects,
  });
};

/** As iPhones of today do. */
export const modernDialect: Dialect = {
  encrypted: true,
  phone: '00008120-001A2B3C4D5E6F78',
  firstRounds: 1000,
  rounds: 100,
  manifestKey: true,
  flags: 1,
  keyData: 'object',
  padding: 'pkcs7',
};

/** Writes the backup folder. */
export const makeBackup = (
  folder: string,
  password: string,
  dialect: Dialect,
  contents: readonly FileInBackup[],
): void => {
  mkdirSync(folder, { recursive: true });
  const classKeys = new Map(
    [1, 2, 3, 4, 5, 6, 7, 11].map((protectionClass) => [protectionClass, randomBytes(32)]),
  );
  const databasePath = join(folder, 'clear.db');
  const database = new DatabaseSync(databasePath);
  database.exec(
    'CREATE TABLE Files (fileID TEXT PRIMARY KEY, domain TEXT, relativePath TEXT, flags INTEGER, file BLOB)',
  );
  const insert = database.prepare('INSERT INTO Files VALUES (?, ?, ?, ?, ?)');
  for (const file of contents) {
    const id = createHash('sha1').update(`${file.domain}-${file.path}`).digest('hex');
    const protectionClass = file.protectionClass ?? 3;
    const fileKey = randomBytes(32);
    const wrapped = Buffer.concat([
      classPrefix(protectionClass),
      wrap(classKeys.get(protectionClass)!, fileKey),
    ]);
    insert.run(id, file.domain, file.path, file.flags ?? dialect.flags, makeRecord(dialect, file, wrapped));
    mkdirSync(join(folder, id.slice(0, 2)), { recursive: true });
    writeFileSync(
      join(folder, id.slice(0, 2), id),
      dialect.encrypted ? encrypt(fileKey, file.content, dialect.padding) : file.content,
    );
  }
  database.close();
  const clear = readAndRemove(databasePath);
  const manifestKey = randomBytes(32);
  const hasKey = dialect.encrypted && dialect.manifestKey;
  writeFileSync(join(folder, 'Manifest.db'), hasKey ? encrypt(manifestKey, clear, 'zero') : clear);
  writeFileSync(
    join(folder, 'Manifest.plist'),
    writePlist({
      IsEncrypted: dialect.encrypted,
      Version: '10.0',
      WasPasscodeSet: true,
      ...(dialect.phone === undefined
        ? {}
        : { Lockdown: { DeviceName: 'iPhone', UniqueDeviceID: dialect.phone } }),
      BackupKeyBag: makeKeyBag(password, dialect, classKeys),
      ...(hasKey
        ? { ManifestKey: Buffer.concat([classPrefix(4), wrap(classKeys.get(4)!, manifestKey)]) }
        : {}),
    }),
  );
};

const readAndRemove = (path: string): Buffer => {
  const clear = readFileSync(path);
  rmSync(path);
  return clear;
};

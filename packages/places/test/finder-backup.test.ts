/** Reading Finder backups of every dialect, looking at them without the password, and what becomes of damaged ones. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { openShareFile } from '@keepset/wire';
import { lookAtFinderBackup, nodeFileSystem, readFinderBackup, type BackupTrace } from '../src/index.ts';
import { makeBackup, modernDialect as modern, type Dialect } from './backup-maker.ts';
import { codeOf } from './contract.ts';
import { contents, domain, fresh, password, path, root, share, standard, writer } from './finder-backups.ts';

// Before iOS 10.2: no slow first derivation.
const { firstRounds: _firstRounds, ...old } = modern;
const dialects: readonly (readonly [string, Dialect])[] = [
  ['of today', modern],
  ['with flags 0', { ...modern, flags: 0 }],
  ['with key data behind a reference', { ...modern, keyData: 'object-with-reference' }],
  ['with key data inline', { ...modern, keyData: 'inline' }],
  ['with zero padding', { ...modern, padding: 'zero' }],
  ['before iOS 10.2: no slow derivation, manifest in clear', { ...old, manifestKey: false }],
  ['with a key bag of the old form and a manifest key', old],
];

const fileOf = (folder: string, name: string): string => {
  const id = createHash('sha1').update(`${domain}-${name}`).digest('hex');
  return join(folder, id.slice(0, 2), id);
};
const listing = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) => `${file} ${readFileSync(file).toString('hex')}`);

describe.each(dialects)('a backup %s', (title, dialect) => {
  it('gives the share files, which open', async () => {
    const folder = join(root, title.replaceAll(/\W/g, '-'));
    makeBackup(folder, password, dialect, contents);
    const before = listing(folder);
    const content = await readFinderBackup(folder, password);
    expect(content.encrypted).toBe(true);
    expect(content.unreadable).toEqual([]);
    expect(content.shares.map((found) => `${found.domain} ${found.path}`)).toEqual([
      `${domain} Documents/shares/complete.age`,
      `${domain} ${path}`,
    ]);
    for (const { bytes } of content.shares) expect(bytesEqual(bytes, share)).toBe(true);
    const opened = await openShareFile(content.shares[0]!.bytes, [writer.key]);
    expect(opened.share.party).toBe('phone');
    expect(listing(folder)).toEqual(before);
  });
});

describe('a backup without encryption', () => {
  it('is read and called what it is', async () => {
    const folder = join(root, 'clear');
    makeBackup(folder, password, { ...modern, encrypted: false }, contents);
    const content = await readFinderBackup(folder, undefined);
    expect(content.encrypted).toBe(false);
    expect(content.shares).toHaveLength(2);
  });
});

describe('a look without the password', () => {
  let trace: BackupTrace;
  beforeAll(async () => {
    const { phone, shares } = await readFinderBackup(standard, password);
    expect(phone).toBe(modern.phone);
    trace = shares[1]!.trace;
  });
  /** What is seen of a backup after it was hurt; nothing is altered by the look. */
  const seen = async (hurt: (folder: string) => void): Promise<unknown> => {
    const folder = fresh();
    hurt(folder);
    const before = listing(folder);
    const reach = await lookAtFinderBackup(folder, trace);
    expect(listing(folder)).toEqual(before);
    return reach;
  };
  const again = (folder: string, dialect: Dialect, files = contents): void => {
    rmSync(folder, { recursive: true });
    makeBackup(folder, password, dialect, files);
  };

  it('knows the backup again, byte for byte', async () => {
    expect(await seen(() => undefined)).toEqual({ status: 'intact' });
    for (const name of ['Manifest.db', fileOf('', path)])
      expect(
        await seen((folder) => {
          const bytes = readFileSync(join(folder, name));
          bytes[16]! ^= 1;
          writeFileSync(join(folder, name), bytes);
        }),
      ).toEqual({ status: 'damaged', reason: 'it is not what was opened there' });
    expect(await seen((folder) => rmSync(fileOf(folder, path)))).toEqual({
      status: 'damaged',
      reason: 'it is gone',
    });
  });

  it('of one that was made anew tells whether the copy is gone, and no more', async () => {
    const without = contents.filter((file) => file.path !== path);
    expect(await seen((folder) => again(folder, modern))).toEqual({
      status: 'unseen',
      reason: 'the phone was backed up anew',
    });
    expect(await seen((folder) => again(folder, modern, without))).toMatchObject({ status: 'damaged' });
    const open = { ...modern, encrypted: false };
    expect(await seen((folder) => again(folder, open))).toMatchObject({
      status: 'damaged',
      reason: expect.stringContaining('without encryption') as string,
    });
  });

  it('tells a folder that is away from one without a backup', async () => {
    expect(await codeOf(lookAtFinderBackup(join(root, 'nowhere'), trace))).toBe('place/unreachable');
    expect(await codeOf(seen((folder) => rmSync(join(folder, 'Manifest.plist'))))).toBe('place/not-found');
    expect(await codeOf(seen((folder) => rmSync(join(folder, 'Manifest.db'))))).toBe('input/unsupported');
    // macOS lets only some programs see backups.
    const forbidden = {
      ...nodeFileSystem,
      read: () => Promise.reject(new KeepsetError('place/read-only', 'It may not be read.')),
    };
    expect(await codeOf(lookAtFinderBackup(standard, trace, forbidden))).toBe('place/unreachable');
    expect(await codeOf(readFinderBackup(standard, password, { files: forbidden }))).toBe('place/read-only');
  });
});

describe('the password', () => {
  it('that is wrong or missing is said', async () => {
    expect(await codeOf(readFinderBackup(standard, 'wrong'))).toBe('input/wrong-passphrase');
    expect(await codeOf(readFinderBackup(standard, ''))).toBe('input/wrong-passphrase');
    expect(await codeOf(readFinderBackup(standard, undefined))).toBe('place/locked');
  });

  it('is derived with a progress display that rises from 0 to 1', async () => {
    const seen: number[] = [];
    await readFinderBackup(standard, password, { onProgress: (fraction) => seen.push(fraction) });
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe('a damaged backup', () => {
  const read = (folder: string): Promise<string> => codeOf(readFinderBackup(folder, password));

  it('names what is missing', async () => {
    const noManifest = fresh();
    rmSync(join(noManifest, 'Manifest.plist'));
    expect(await read(noManifest)).toBe('place/not-found');
    const noDatabase = fresh();
    rmSync(join(noDatabase, 'Manifest.db'));
    expect(await read(noDatabase)).toBe('input/unsupported');
    expect(await read(join(root, 'nowhere'))).toBe('place/not-found');
  });

  it('is called damaged when its property list or database is garbage or cut', async () => {
    for (const file of ['Manifest.plist', 'Manifest.db'])
      for (const harm of [
        (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1),
        () => Buffer.from('garbage'),
        () => Buffer.alloc(0),
        (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0x55)),
      ]) {
        const folder = fresh();
        writeFileSync(join(folder, file), harm(readFileSync(join(folder, file))));
        expect(await read(folder), file).toBe('place/damaged');
      }
  });

  it('gives the shares that can be read and names the others', async () => {
    const folder = fresh();
    rmSync(fileOf(folder, path));
    const content = await readFinderBackup(folder, password);
    expect(content.shares).toHaveLength(1);
    expect(content.unreadable).toMatchObject([{ path, error: { code: 'place/not-found' } }]);
    writeFileSync(fileOf(folder, path), Buffer.alloc(2_000_000));
    const large = await readFinderBackup(folder, password);
    expect(large.unreadable).toMatchObject([{ error: { code: 'wire/too-large' } }]);
    rmSync(fileOf(folder, path));
    symlinkSync('/etc/passwd', fileOf(folder, path));
    const link = await readFinderBackup(folder, password);
    expect(link.unreadable).toMatchObject([{ error: { code: 'place/foreign' } }]);
  });

  it('never crashes the reader, whatever byte of the property list is changed', async () => {
    const folder = fresh();
    const original = readFileSync(join(folder, 'Manifest.plist'));
    const codes = new Set<string>();
    for (let at = 0; at < original.length; at += 11) {
      const changed = Buffer.from(original);
      changed[at]! ^= 0x41;
      writeFileSync(join(folder, 'Manifest.plist'), changed);
      codes.add(await read(folder));
    }
    for (const code of codes) expect(['no error', 'place/damaged', 'input/wrong-passphrase']).toContain(code);
  });
});

describe('the list of files in clear', () => {
  it('is nowhere on disk, or no longer than it is read where SQLite opens files only', async () => {
    const temporary = join(root, 'temporary');
    vi.stubEnv('TMPDIR', temporary);
    const inMemory = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'deserialize');
    try {
      if (inMemory !== undefined) expect((await readFinderBackup(standard, password)).shares).toHaveLength(2);
      // As before Node 24.16.
      Reflect.deleteProperty(DatabaseSync.prototype, 'deserialize');
      mkdirSync(temporary);
      expect((await readFinderBackup(standard, password)).shares).toHaveLength(2);
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      if (inMemory !== undefined) Object.defineProperty(DatabaseSync.prototype, 'deserialize', inMemory);
    }
  });

  it('may be in WAL mode', async () => {
    const folder = join(root, 'log');
    makeBackup(folder, password, { ...modern, encrypted: false }, contents);
    const db = new DatabaseSync(join(folder, 'Manifest.db'));
    db.exec('PRAGMA journal_mode = WAL');
    db.close();
    expect(readFileSync(join(folder, 'Manifest.db'))[18]).toBe(2);
    expect((await readFinderBackup(folder, undefined)).shares).toHaveLength(2);
  });
});

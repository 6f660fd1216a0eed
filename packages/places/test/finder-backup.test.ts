import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { openShareFile } from '@keepset/wire';
import { lookAtFinderBackup, nodeFileSystem, readFinderBackup, type BackupTrace } from '../src/index.ts';
import {
  makeBackup,
  modernDialect as modern,
  writePlistObjects,
  type Dialect,
  type FileInBackup,
} from './backup-maker.ts';
import { codeOf } from './contract.ts';
import { makeWriter, type Writer } from './shares.ts';

const root = mkdtempSync(join(tmpdir(), 'keepset-finder-'));
afterAll(() => rmSync(root, { recursive: true }));
const password = 'finder pässword';
const domain = 'AppDomain-org.example.keepset';
const path = 'Documents/shares/copy.age';
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

let writer: Writer;
let share: Uint8Array;
let standard: string;
let contents: FileInBackup[];
beforeAll(async () => {
  writer = await makeWriter();
  share = await writer.write(1);
  contents = [
    { domain, path, content: share },
    { domain, path: 'Documents/shares/complete.age', content: share, protectionClass: 1 },
    { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    { domain, path: 'Documents/other.age', content: Buffer.from('not an age file at all') },
    { domain, path: 'Documents/folder.age', content: Buffer.alloc(0), flags: 2 },
    { domain: 'HomeDomain', path: 'Library/x.plist', content: Buffer.alloc(100) },
  ];
  standard = join(root, 'standard');
  makeBackup(standard, password, modern, contents);
});

let copied = 0;
/** A copy of the standard backup that a test may hurt. */
const fresh = (): string => {
  const folder = join(root, `copy${(copied += 1)}`);
  cpSync(standard, folder, { recursive: true });
  return folder;
};
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
          writeFileSync(join(folder, name), bytes.fill(0, 16, 17));
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

describe('a backup made to harm its reader', () => {
  const list = (...to: number[]): Buffer =>
    Buffer.of(0xa0 | to.length, ...to.flatMap((i) => [i >> 8, i & 255]));
  /** A dictionary with one key and object 2 as its value. */
  const plistOf = (objects: readonly Buffer[]): Buffer =>
    writePlistObjects([Buffer.of(0xd1, 0, 1, 0, 2), Buffer.from('Qa'), ...objects]);
  const levels = (count: number, width: number, leaf: Buffer): Buffer[] => [
    ...Array.from({ length: count }, (_, i) => list(...Array<number>(width).fill(i + 3))),
    leaf,
  ];
  const text = Buffer.alloc(1_000_000, 'x');
  const longText = Buffer.concat([Buffer.of(0x5f, 0x12, 0, 0x0f, 0x42, 0x40), text]);
  const plists: readonly (readonly [string, readonly Buffer[]])[] = [
    ['of 420 bytes that become 2^40 objects', levels(40, 2, Buffer.of(8))],
    ['that holds itself', [list(2)]],
    ['that is nested a thousand times', levels(1000, 1, Buffer.of(8))],
    ['with one long text ten thousand times', levels(4, 10, longText)],
    ['with a reference that leads out of it', [list(0xffff)]],
    ['with a list of 2^63 entries', [Buffer.of(0xaf, 0x13, 0x7f, 255, 255, 255, 255, 255, 255, 255)]],
  ];

  it.each(plists)('has a property list %s', async (_title, objects) => {
    const folder = fresh();
    const { trace } = (await readFinderBackup(folder, password)).shares[0]!;
    writeFileSync(join(folder, 'Manifest.plist'), plistOf(objects));
    expect(await codeOf(lookAtFinderBackup(folder, trace))).toBe('place/damaged');
    expect(await codeOf(readFinderBackup(folder, password))).toBe('place/damaged');
  });

  let made = 0;
  /** A backup whose database is in clear and was altered. */
  const withDatabase = (dialect: Dialect, ...statements: readonly string[]): string => {
    const folder = join(root, `made${(made += 1)}`);
    makeBackup(folder, password, { ...dialect, manifestKey: false }, contents);
    const db = new DatabaseSync(join(folder, 'Manifest.db'), { defensive: false });
    for (const statement of statements) db.exec(statement);
    db.close();
    return folder;
  };
  const clear = { ...modern, encrypted: false };
  const found = async (folder: string): Promise<number> =>
    (await readFinderBackup(folder, password)).shares.length;

  it('has a file record that becomes 2^40 objects: that file alone is unreadable', async () => {
    const bomb = plistOf(levels(40, 2, Buffer.of(8))).toString('hex');
    const folder = withDatabase(modern, `UPDATE Files SET file = x'${bomb}' WHERE relativePath = '${path}'`);
    const content = await readFinderBackup(folder, password);
    expect(content.shares).toHaveLength(1);
    expect(content.unreadable).toMatchObject([{ path, error: { code: 'place/damaged' } }]);
  });

  const endless = `CREATE VIEW Files AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT '' AS fileID, '' AS domain, 'x' AS relativePath, 1 AS flags, x'' AS file FROM n`;
  const databases: readonly (readonly [string, readonly string[]])[] = [
    ['an endless view', ['DROP TABLE Files', endless]],
    [
      'an endless view called a table',
      [
        'DROP TABLE Files',
        endless,
        'PRAGMA writable_schema = ON',
        "UPDATE sqlite_schema SET type = 'table' WHERE name = 'Files'",
      ],
    ],
    [
      'a virtual table',
      [
        'DROP TABLE Files',
        'CREATE VIRTUAL TABLE Files USING fts5(fileID, domain, relativePath, flags, file)',
      ],
    ],
    ['a computed column', ['ALTER TABLE Files ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))']],
    [
      'ten thousand and one shares',
      [
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10001)
         INSERT INTO Files SELECT printf('%040x', i), 'A', 'x.age', 1, x'' FROM n`,
      ],
    ],
  ];
  it.each(databases)('has a database with %s', async (_title, statements) => {
    expect(await codeOf(found(withDatabase(clear, ...statements)))).toBe('place/damaged');
  });

  it('has a database whose schema becomes 10^20 pages', async () => {
    const folder = withDatabase(clear);
    const file = join(folder, 'Manifest.db');
    const database = readFileSync(file);
    const [size, count] = [database.readUInt16BE(16), database.length / database.readUInt16BE(16)];
    const first = Buffer.from(database.subarray(0, size));
    /** A page that refers to one child ten times, below the file's header where it is the first. */
    const tangle = (page: Buffer, header: number, child: number): Buffer => {
      page.fill(0, header);
      Buffer.of(5, 0, 0, 0, 9).copy(page, header);
      page.writeUInt32BE(child, header + 8);
      for (let i = 0; i < 9; i += 1) {
        page.writeUInt16BE(size - 5 * (i + 1), header + 12 + 2 * i);
        page.writeUInt32BE(child, size - 5 * (i + 1));
      }
      return page;
    };
    // The old first page is the leaf below them.
    const leaf = Buffer.from(first);
    leaf.copyWithin(0, 100, 100 + 8 + 2 * leaf.readUInt16BE(103));
    const pages = Array.from({ length: 19 }, (_, i) => tangle(Buffer.alloc(size), 0, count + 2 + i));
    const rest = database.subarray(size);
    writeFileSync(file, Buffer.concat([tangle(first, 100, count + 1), rest, ...pages, leaf]));
    expect(await codeOf(found(folder))).toBe('place/damaged');
  });

  it('is none for having a schema of many pages', async () => {
    const tables = Array.from({ length: 200 }, (_, i) => `CREATE TABLE Other${i} (${'c'.repeat(200)} TEXT)`);
    expect(await found(withDatabase(clear, 'BEGIN', ...tables, 'COMMIT'))).toBe(2);
  });

  it('names one file again and again: it is read once', async () => {
    const folder = withDatabase(
      clear,
      'CREATE TABLE Again AS SELECT * FROM Files',
      'DROP TABLE Files',
      'ALTER TABLE Again RENAME TO Files',
      'BEGIN',
      ...Array<string>(9).fill('INSERT INTO Files SELECT * FROM Files'),
      'COMMIT',
    );
    const read: string[] = [];
    const files = {
      ...nodeFileSystem,
      read: (...args: Parameters<typeof nodeFileSystem.read>) => {
        read.push(args[0]);
        return nodeFileSystem.read(...args);
      },
    };
    expect((await readFinderBackup(folder, undefined, { files })).shares).toHaveLength(2);
    expect(read).toHaveLength(5);
  });

  it('asks for no rounds of derivation, or for more than anybody waits for', async () => {
    for (const tag of ['ITER', 'DPIC'])
      for (const rounds of [0, 0xffff_ffff]) {
        const folder = fresh();
        const plist = readFileSync(join(folder, 'Manifest.plist'));
        plist.writeUInt32BE(rounds, plist.indexOf(tag) + 8);
        writeFileSync(join(folder, 'Manifest.plist'), plist);
        expect(await codeOf(readFinderBackup(folder, password)), tag).toBe('place/damaged');
      }
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

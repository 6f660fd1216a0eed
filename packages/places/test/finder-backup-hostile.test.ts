/** Finder backups made to harm their reader: what grows without bound, holds itself, or is read again and again. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { lookAtFinderBackup, nodeFileSystem, readFinderBackup } from '../src/index.ts';
import { makeBackup, modernDialect as modern, writePlistObjects, type Dialect } from './backup-maker.ts';
import { codeOf } from './contract.ts';
import { contents, fresh, password, path, root } from './finder-backups.ts';

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

/** What is read of a Manifest.db, and what is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { queryFiles } from '../src/finder-backup/database.ts';
import { codeOf } from './contract.ts';

type Row = readonly [fileID: string, domain: string, path: string, flags: number, file: Uint8Array];

const databaseOf = (...rows: readonly Row[]): Uint8Array => {
  const path = join(temporaryFolder(), 'Manifest.db');
  const db = new DatabaseSync(path);
  db.exec(
    'CREATE TABLE Files (fileID TEXT PRIMARY KEY, domain TEXT, relativePath TEXT, flags INTEGER, file BLOB)',
  );
  const insert = db.prepare('INSERT INTO Files VALUES (?, ?, ?, ?, ?)');
  for (const row of rows) insert.run(...row);
  db.close();
  return new Uint8Array(readFileSync(path));
};

const id = (digit: string): string => digit.repeat(40);
const plist = Uint8Array.of(1, 2, 3);
const share: Row = [id('a'), 'AppDomain-keepset', 'Documents/share.age', 1, plist];
const large = (bytes: number): Uint8Array => new Uint8Array(bytes);

it('reads nothing of the files that are no shares: they may be larger than any share’s record', async () => {
  const database = databaseOf(share, [id('b'), 'CameraRollDomain', 'Media/film.mov', 1, large(5 << 20)]);
  expect(await queryFiles(database)).toEqual([
    expect.objectContaining({ fileID: id('a'), relativePath: 'Documents/share.age' }),
  ]);
});

it('takes no name for one of a share that is longer than any', async () => {
  const long = `${'x'.repeat(4096)}.age`;
  const database = databaseOf(share, [id('b'), 'AppDomain-keepset', long, 1, plist]);
  expect(await queryFiles(database)).toHaveLength(1);
});

it('refuses records that are together larger than any phone’s', async () => {
  const rows = Array.from({ length: 17 }, (_, at): Row => {
    const name = at.toString(16).padStart(40, '0');
    return [name, 'AppDomain-keepset', `${at}.age`, 1, large((4 << 20) - 1024)];
  });
  expect(await queryFiles(databaseOf(...rows.slice(0, 16)))).toHaveLength(16);
  expect(await codeOf(queryFiles(databaseOf(...rows)))).toBe('place/damaged');
});

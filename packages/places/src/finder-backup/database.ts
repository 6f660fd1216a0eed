/** Reading `Manifest.db`, the file list of a backup, as if whoever made it meant harm. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { KeepsetError } from '@keepset/bytes';

/** A file of the backup that is a share by its name. */
export interface FileRow {
  /** SHA-1 of domain and path, in hex. */
  readonly fileID: string;
  readonly domain: string;
  readonly relativePath: string;
  /** The keyed archive that holds size and key. */
  readonly file: Uint8Array;
}

/** First byte of a page that refers to others, in the tree of a table. */
const interiorPage = 5;
/** Far more than anybody keeps on a phone. */
const maxRows = 10_000;
const maxRowBytes = 64 << 20;
/** Of one field or row. */
const maxLength = 4 << 20;
/** Of a name or path: four times what iOS allows. */
const maxTextLength = 4096;
/** Less than any row takes: pages that point at each other in circles give no more rows than the file could hold. */
const minRowBytes = 32;

/**
 * Files named `*.age`, by domain and path, each file ID once.
 * @param database Manifest.db in clear; its bytes are not altered.
 * @throws KeepsetError `place/damaged`
 */
export const queryFiles = async (database: Uint8Array): Promise<readonly FileRow[]> => {
  try {
    refuseTangledSchema(database);
    return await withDatabase(withoutLog(database), (db) => {
      db.exec('PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON');
      refuseCode(db);
      return readRows(db, Math.ceil(database.length / minRowBytes));
    });
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('place/damaged', 'Manifest.db is damaged.', { cause });
  }
};

/**
 * SQLite reads the whole schema on opening, and follows pages that are referred to many times as often as that: ten pages may
 * become a billion. So each page of the schema's tree is looked at once before.
 * @spec SQLite, "Database File Format" §1.6
 */
const refuseTangledSchema = (database: Uint8Array): void => {
  const view = new DataView(database.buffer, database.byteOffset, database.length);
  const size = view.getUint16(16) === 1 ? 65_536 : view.getUint16(16);
  const known = new Set([1]);
  // A set is walked to its end, whatever is added on the way.
  for (const page of known) {
    const start = (page - 1) * size;
    const header = page === 1 ? 100 : start;
    if (view.getUint8(header) !== interiorPage) continue;
    const cells = view.getUint16(header + 3);
    for (let i = 0; i <= cells; i += 1) {
      // The last child is named in the header, the others in cells.
      const at = i === cells ? header + 8 : start + (view.getUint16(header + 12 + i * 2) & (size - 1));
      const child = view.getUint32(at);
      if (known.has(child)) throw new KeepsetError('place/damaged', 'The pages of Manifest.db are tangled.');
      known.add(child);
    }
  }
};

/** A copy that is not in WAL mode, which SQLite opens only beside a log. @spec SQLite, "Database File Format" §1.3.3 */
const withoutLog = (database: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(database);
  if (copy[18] === 2 && copy[19] === 2) copy.fill(1, 18, 20);
  return copy;
};

/** In memory: a file would outlive a process that is killed, and it lists in clear what is on the phone. */
const withDatabase = async <T>(bytes: Uint8Array, use: (db: DatabaseSync) => T): Promise<T> => {
  const { DatabaseSync } = await import('node:sqlite');
  const options = { allowExtension: false, limits: { length: maxLength } };
  const db = new DatabaseSync(':memory:', options);
  try {
    if (!('deserialize' in db))
      return await withFile(bytes, (path) => new DatabaseSync(path, { ...options, readOnly: true }), use);
    db.deserialize(bytes);
    return use(db);
  } finally {
    db.close();
    bytes.fill(0);
  }
};

/** Before Node 24.16 SQLite opens files only: a private one, whose name goes as soon as it is open, if the system can. */
const withFile = async <T>(
  bytes: Uint8Array,
  open: (path: string) => DatabaseSync,
  use: (db: DatabaseSync) => T,
): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'keepset-backup-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'Manifest.db');
    await writeFile(path, bytes, { mode: 0o600 });
    const db = open(path);
    try {
      // Windows removes nothing that is open.
      await remove().catch(() => undefined);
      return use(db);
    } finally {
      db.close();
    }
  } finally {
    await remove();
  }
};

/**
 * A view, a virtual table or a computed column named as a plain one is would run what its maker wrote. What SQLite makes of
 * a definition counts: the column `type` of the schema is only what somebody wrote there.
 */
const refuseCode = (db: DatabaseSync): void => {
  const isVirtual = "SELECT 1 FROM sqlite_schema WHERE sql LIKE '%virtual%' LIMIT 1";
  const isTable = "SELECT 1 FROM pragma_table_list('Files') WHERE schema = 'main' AND type = 'table'";
  const isComputed = "SELECT 1 FROM pragma_table_xinfo('Files') WHERE hidden <> 0";
  const has = (query: string): boolean => db.prepare(query).get() !== undefined;
  if (has(isVirtual) || !has(isTable) || has(isComputed))
    throw new KeepsetError('place/damaged', 'Manifest.db is not as a phone writes it.');
};

const readRows = (db: DatabaseSync, scanned: number): readonly FileRow[] => {
  const rows = new Map<string, FileRow>();
  let bytes = 0;
  // Flags (1 file, 2 folder, 4 link) may be 0 for a file: only what is surely none is left out. Lengths stand in the head of
  // a row: of the others no more is read, however long they are.
  const named = db.prepare(
    `SELECT id
     FROM (
       SELECT rowid AS id, CASE
         WHEN octet_length(fileID) <= ? AND octet_length(domain) <= ? AND octet_length(relativePath) <= ?
         THEN relativePath LIKE '%.age' AND flags NOT IN (2, 4)
       END AS isNamed
       FROM Files NOT INDEXED LIMIT ?
     )
     WHERE isNamed LIMIT ?`,
  );
  named.setReadBigInts(true);
  const find = db.prepare('SELECT fileID, domain, relativePath, file FROM Files WHERE rowid = ?');
  let seen = 0;
  for (const { id } of named.iterate(maxTextLength, maxTextLength, maxTextLength, scanned, maxRows + 1)) {
    if ((seen += 1) > maxRows) throw tooMany();
    const row = find.get(id ?? null);
    if (row === undefined || !isRow(row)) continue;
    bytes += row.domain.length + row.relativePath.length + row.file.length;
    if (bytes > maxRowBytes) throw tooMany();
    if (!rows.has(row.fileID)) rows.set(row.fileID, row);
  }
  return [...rows.values()].toSorted(
    (a, b) => compare(a.domain, b.domain) || compare(a.relativePath, b.relativePath),
  );
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const tooMany = (): KeepsetError =>
  new KeepsetError('place/damaged', 'Manifest.db lists more share files than anybody has.');

const isRow = (row: object): row is FileRow =>
  'fileID' in row &&
  typeof row.fileID === 'string' &&
  /^[0-9a-f]{40}$/.test(row.fileID) &&
  'domain' in row &&
  typeof row.domain === 'string' &&
  'relativePath' in row &&
  typeof row.relativePath === 'string' &&
  'file' in row &&
  row.file instanceof Uint8Array;

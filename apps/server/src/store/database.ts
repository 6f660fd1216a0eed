import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { KeepsetError } from '@keepset/bytes';
import { migrations } from './schema.ts';

/** The embedded database. All access is synchronous and happens on one thread. */
export type Database = DatabaseSync;

/**
 * Opens or creates the database file.
 * WAL with synchronous=FULL: a commit that was acknowledged survives a power cut.
 * @throws KeepsetError `store/unavailable` or `store/damaged`
 */
export const openDatabase = (file: string): Database => {
  let database: Database;
  try {
    // SQLite gives its side files the mode of the database file.
    closeSync(openSync(file, 'a', 0o600));
    database = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: true });
  } catch (cause) {
    throw new KeepsetError('store/unavailable', `The database ${file} cannot be opened.`, { cause });
  }
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    migrate(database);
    return database;
  } catch (cause) {
    database.close();
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('store/damaged', `${file} is not a Keepset database.`, { cause });
  }
};

const migrate = (database: Database): void => {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > migrations.length)
    throw new KeepsetError(
      'store/damaged',
      `The database was written by a newer Keepset (schema ${version}).`,
      { hint: 'Update Keepset on the server, and delete nothing.' },
    );
  migrations.slice(version).forEach((sql, i) => {
    inTransaction(database, () => {
      database.exec(sql);
      database.exec(`PRAGMA user_version = ${version + i + 1}`);
    });
  });
};

/**
 * Runs `work` in one write transaction: all of it is durable when this returns, none of it when it throws.
 * @throws KeepsetError `store/unavailable` when the database is locked, full or unwritable.
 */
export const inTransaction = <T>(database: Database, work: () => T): T => {
  asStoreError(() => database.exec('BEGIN IMMEDIATE'));
  try {
    const result = work();
    asStoreError(() => database.exec('COMMIT'));
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some failures; then this one is refused, which is fine.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error instanceof KeepsetError ? error : toStoreError(error);
  }
};

const asStoreError = (work: () => void): void => {
  try {
    work();
  } catch (error) {
    throw toStoreError(error);
  }
};

const toStoreError = (cause: unknown): unknown => {
  if (!(cause instanceof Error) || !('errcode' in cause)) return cause;
  return new KeepsetError(
    'store/unavailable',
    'The database could not complete the write. Nothing was changed.',
    {
      hint: 'Check free disk space and permissions of the data folder, then try again.',
      cause,
    },
  );
};

/** A column that must be bytes. */
export const bytesColumn = (row: Record<string, unknown>, name: string): Uint8Array => {
  const value = row[name];
  if (!(value instanceof Uint8Array)) throw damaged(name);
  return value;
};

/** A column that must be text. */
export const textColumn = (row: Record<string, unknown>, name: string): string => {
  const value = row[name];
  if (typeof value !== 'string') throw damaged(name);
  return value;
};

/** A column that must be an integer. */
export const integerColumn = (row: Record<string, unknown>, name: string): number => {
  const value = row[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw damaged(name);
  return value;
};

const damaged = (column: string): KeepsetError =>
  new KeepsetError('store/damaged', `The database holds an unexpected value in ${column}.`);

import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { KeepsetError } from '@keepset/bytes';

/** Runs work while nobody else who has the same lock runs any. */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>;

const patienceMs = 60_000;
const pauseMs = 15;

/**
 * A lock between processes, on a file that stays empty. It is the operating system's own, taken by SQLite, so it goes
 * with the process that holds it, however that ends: there is no stale lock to be removed.
 * @throws KeepsetError `place/unreachable` where the file cannot be locked, or stays locked for a minute.
 */
export const fileLock =
  (path: string): Lock =>
  async (work) => {
    const held = await acquire(path);
    try {
      return await work();
    } finally {
      held.close();
    }
  };

const acquire = async (path: string): Promise<DatabaseSync> => {
  for (let waited = 0; ; waited += pauseMs) {
    const held = tryAcquire(path);
    if (held !== undefined) return held;
    if (waited >= patienceMs)
      throw new KeepsetError(
        'place/unreachable',
        `Another process keeps this device's folder locked: ${path}.`,
        { hint: 'Wait until the other command has ended, then run it again.' },
      );
    // Not SQLite's own waiting: it would hold up whoever has the lock in this very process.
    await delay(pauseMs);
  }
};

const busy = 5;

/** The lock, or undefined while somebody else has it. */
const tryAcquire = (path: string): DatabaseSync | undefined => {
  let database: DatabaseSync | undefined;
  try {
    makePrivate(path);
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === busy) return undefined;
    throw new KeepsetError('place/unreachable', `${path} cannot be locked.`, { cause });
  }
};

/** A file that is there must not be opened here: closing it again would free a lock that this process holds. */
const makePrivate = (path: string): void => {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
};

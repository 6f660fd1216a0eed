/** The database below everything: transactions, versions, and what its rows promise. */
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { enrolmentStore } from '../src/enrolment/store.ts';
import { createCode, enrolDevice } from '../src/enrolment/service.ts';
import { inTransaction, openDatabase } from '../src/store/database.ts';
import { migrations } from '../src/store/schema.ts';

const newFile = (): string => join(temporaryFolder(), 'keepset.db');
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('the database', () => {
  it('is in WAL mode and synced fully: an acknowledged commit survives a power cut', () => {
    const database = openDatabase(newFile());
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(database.prepare('PRAGMA foreign_keys').get()).toEqual({ foreign_keys: 1 });
    database.close();
  });

  it('is brought to the newest version once, and a newer one is refused untouched', () => {
    const file = newFile();
    openDatabase(file).close();
    openDatabase(file).close();
    const plain = new DatabaseSync(file);
    expect(plain.prepare('PRAGMA user_version').get()).toEqual({ user_version: migrations.length });
    plain.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    plain.close();
    expect(codeOf(() => openDatabase(file))).toBe('store/damaged');
  });

  it('that is no database is damaged; that cannot be opened is unavailable', () => {
    const file = newFile();
    writeFileSync(file, 'this is no database, however long it may be'.repeat(100));
    expect(codeOf(() => openDatabase(file))).toBe('store/damaged');
    expect(codeOf(() => openDatabase(temporaryFolder()))).toBe('store/unavailable');
    expect(codeOf(() => openDatabase(join(temporaryFolder(), 'nowhere', 'keepset.db')))).toBe(
      'store/unavailable',
    );
  });

  it('a transaction that throws leaves nothing, and the next one works', () => {
    const database = openDatabase(newFile());
    const count = () => database.prepare('SELECT count(*) AS n FROM tenants').get();
    const add = (name: string) => database.prepare('INSERT INTO tenants VALUES (?, 0)').run(name);
    expect(() =>
      inTransaction(database, () => {
        add('a');
        throw new RangeError('in the middle');
      }),
    ).toThrow(RangeError);
    expect(count()).toEqual({ n: 0 });
    inTransaction(database, () => add('b'));
    // A constraint fails inside: the same.
    expect(
      codeOf(() =>
        inTransaction(database, () => {
          add('c');
          add('b');
        }),
      ),
    ).toBe('store/unavailable');
    expect(count()).toEqual({ n: 1 });
    database.close();
  });

  it('locked by another process for long is unavailable, and may be tried again', () => {
    const file = newFile();
    const database = openDatabase(file);
    database.exec('PRAGMA busy_timeout = 10');
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    try {
      inTransaction(database, () => undefined);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'store/unavailable', retry: 'same' });
    }
    other.exec('ROLLBACK');
    expect(codeOf(() => inTransaction(database, () => undefined))).toBe('accepted');
    other.close();
    database.close();
  });
});

describe('enrolment', () => {
  const announcement = { serverParty: 'server', serverKey: new Uint8Array(33), logKey: 'k' };
  const device = (n: number, party = 'phone') => ({
    publicKey: new Uint8Array(33).fill(n),
    party,
  });
  const open = () => enrolmentStore(openDatabase(newFile()));

  it('a code works once, for a day, and only as it was given', () => {
    const store = open();
    const code = createCode(store, 1000);
    const at = (now: number, given: string, n: number) =>
      codeOf(() => enrolDevice(store, announcement, { code: given, ...device(n) }, now));
    expect(at(1000 + 86_400, code, 1)).toBe('transport/enrolment-refused');
    expect(at(1000, `${code}x`, 1)).toBe('transport/enrolment-refused');
    expect(at(1000, code.toUpperCase(), 1)).toBe('transport/enrolment-refused');
    expect(at(1000 + 86_399, code, 1)).toBe('accepted');
    expect(at(1001, code, 2)).toBe('transport/enrolment-refused');
  });

  it('a device that never got its answer asks again with its code, and is the same device', () => {
    const store = open();
    const [code, other] = [createCode(store, 0), createCode(store, 0)];
    const first = enrolDevice(store, announcement, { code, ...device(1) }, 0);
    // Also when the code would have expired: it is spent, for this key.
    expect(enrolDevice(store, announcement, { code, ...device(1) }, 100_000)).toEqual(first);
    const again = (given: string, n: number, party?: string) =>
      codeOf(() => enrolDevice(store, announcement, { code: given, ...device(n, party) }, 1));
    expect(again(code, 2)).toBe('transport/enrolment-refused');
    expect(again(code, 1, 'laptop')).toBe('input/invalid-argument');
    // Another code is not spent by a key that is enrolled.
    expect(again(other, 1)).toBe('transport/enrolment-refused');
    expect(again(other, 2)).toBe('accepted');
    expect(store.countDevices()).toBe(2);
  });

  it('a device that is revoked while it asks for a code gets none', () => {
    const database = openDatabase(newFile());
    const store = enrolmentStore(database);
    const { tenant, device: id } = enrolDevice(
      store,
      announcement,
      { code: createCode(store, 0), ...device(1) },
      0,
    );
    expect(createCode(store, 0, tenant, id)).toHaveLength(16);
    // Its request was authenticated before this.
    database.prepare('UPDATE devices SET revoked_at = 1 WHERE device = ?').run(id);
    expect(codeOf(() => createCode(store, 0, tenant, id))).toBe('policy/revoked');
    expect(createCode(store, 0, tenant)).toHaveLength(16);
  });

  it('a code makes a new user, unless it was made for one', () => {
    const store = open();
    const first = enrolDevice(store, announcement, { code: createCode(store, 0), ...device(1) }, 0);
    const other = enrolDevice(store, announcement, { code: createCode(store, 0), ...device(2) }, 0);
    expect(other.tenant).not.toBe(first.tenant);
    const own = createCode(store, 0, first.tenant);
    expect(enrolDevice(store, announcement, { code: own, ...device(3, 'laptop') }, 0).tenant).toBe(
      first.tenant,
    );
    expect(store.countDevices()).toBe(3);
  });

  it('codes are not in the database, only their hashes', () => {
    const file = newFile();
    const database = openDatabase(file);
    const code = createCode(enrolmentStore(database), 0);
    const rows = database.prepare('SELECT * FROM enrolment_codes').all();
    expect(JSON.stringify(rows)).not.toContain(code);
    expect(rows).toHaveLength(1);
    database.close();
  });

  it('a nonce is new once per key, and forgotten when it can no longer be replayed', () => {
    const store = open();
    expect(store.useNonce('a', 'n', 100, 0)).toBe(true);
    expect(store.useNonce('a', 'n', 100, 99)).toBe(false);
    expect(store.useNonce('b', 'n', 100, 0)).toBe(true);
    expect(store.useNonce('a', 'm', 100, 0)).toBe(true);
    expect(store.useNonce('a', 'n', 300, 100)).toBe(true);
  });
});

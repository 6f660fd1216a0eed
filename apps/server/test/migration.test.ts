/** A database of an earlier version is brought up to date with everything that is in it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { kitStore } from '../src/kits/store.ts';
import { openDatabase } from '../src/store/database.ts';
import { freezeStore } from '../src/store/freezing.ts';
import type { LogStore } from '../src/store/log.ts';
import { migrations } from '../src/store/schema.ts';

it('from version 1: keys keep their shares, devices stay enrolled', () => {
  const file = join(temporaryFolder(), 'keepset.db');
  const old = new DatabaseSync(file);
  old.exec(migrations[0] ?? '');
  old.exec(`
    PRAGMA user_version = 1;
    INSERT INTO tenants VALUES ('t', 1);
    INSERT INTO devices VALUES ('d', 't', 'auth', x'02', 'phone', 1);
    INSERT INTO keys VALUES ('t', 'k', 'ed25519', 3, 'and(server,phone)', x'04', 'active', x'0506', 7);
    INSERT INTO approvals VALUES (x'08', 'k', 9, NULL);
  `);
  old.close();
  const database = openDatabase(file);
  expect(database.prepare('SELECT * FROM keys').all()).toMatchObject([
    {
      tenant: 't',
      key_id: 'k',
      epoch: 3,
      policy: 'and(server,phone)',
      state: 'active',
      frozen_by: null,
      sealed_share: Uint8Array.of(5, 6),
      group_hash: null,
      created_at: 7,
    },
  ]);
  expect(database.prepare('SELECT device, revoked_at FROM devices').all()).toMatchObject([
    { device: 'd', revoked_at: null },
  ]);
  expect(database.prepare('SELECT adopts, tenant FROM approvals').all()).toMatchObject([
    { adopts: 0, tenant: null },
  ]);
  database.close();
});

it('from version 4: what is known of kits stays, unless a device of the user was revoked, which may have told it', () => {
  const file = join(temporaryFolder(), 'keepset.db');
  const old = new DatabaseSync(file);
  for (const sql of migrations.slice(0, 4)) old.exec(sql);
  old.exec(`
    PRAGMA user_version = 4;
    INSERT INTO tenants VALUES ('t', 1), ('robbed', 1);
    INSERT INTO devices VALUES
      ('d', 't', 'auth', x'02', 'phone', 1, NULL, NULL), ('stolen', 'robbed', 'auth 2', x'02', 'phone', 1, 2, 3);
    INSERT INTO kits VALUES ('t', 'k', 3, 4, x'05'), ('robbed', 'k', 9007199254740991, 1, x'06');
  `);
  old.close();
  const database = openDatabase(file);
  expect(database.prepare('SELECT * FROM kits').all()).toEqual([
    { tenant: 't', kit: 'k', device: '', epoch: 3, generation: 4, sha256: Uint8Array.of(5) },
  ]);
  const store = kitStore(database);
  expect(store.find('t', 'k').newest).toMatchObject({ epoch: 3, generation: 4 });
  // Nobody knows whose the note was: it may be this device's.
  const log = { append: () => undefined } as unknown as LogStore;
  freezeStore(database, log, () => 9).revoke('d');
  expect(store.find('t', 'k')).toEqual({ kit: 'k' });
  database.close();
});

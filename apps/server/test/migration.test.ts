/** A database of an earlier version is brought up to date with everything that is in it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { openDatabase } from '../src/store/database.ts';
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

/** What stops a key or a device, or ends a key's life here. Each act and its log entry come to be in one transaction. */
import { KeepsetError } from '@keepset/bytes';
import { operatorName, unknownKey, type Caller } from '@keepset/ceremony';
import type { LogEvidence, LogHead } from '@keepset/wire';
import { inTransaction, integerColumn, textColumn, type Database } from './database.ts';
import type { LogStore } from './log.ts';

/** Freezes keys and revokes devices. */
export interface FreezeStore {
  /** See `Party1Store.freeze`. */
  freeze(
    by: Pick<Caller, 'tenant' | 'device'>,
    keyId: string,
    head: LogHead | undefined,
  ): { readonly epoch: number; readonly evidence: LogEvidence };
  /** See `Party1Store.logExport`. */
  logExport(
    by: Pick<Caller, 'tenant' | 'device'>,
    keyId: string,
    head: LogHead | undefined,
  ): { readonly epoch: number; readonly evidence: LogEvidence };
  /** Lets a key go on as it is. Does nothing to a key that is not frozen. @throws KeepsetError `input/unknown-key` */
  unfreeze(tenant: string, keyId: string): void;
  /**
   * Refuses a device from now on, and voids the invitations that are open for its user: it may have made them. What it
   * noted of kits counts no more, nor does a note of which nobody knows whose it is.
   * @returns false if it was revoked before.
   * @throws KeepsetError `input/invalid-argument` when there is no such device
   */
  revoke(device: string): boolean;
}

/** @param now Unix seconds. */
export const freezeStore = (database: Database, log: LogStore, now: () => number): FreezeStore => {
  const readKey = database.prepare(
    'SELECT epoch, frozen_by, state FROM keys WHERE tenant = ? AND key_id = ?',
  );
  const writeState = database.prepare(
    'UPDATE keys SET state = ?, frozen_by = ? WHERE tenant = ? AND key_id = ?',
  );
  const voidApprovals = database.prepare(
    `UPDATE approvals SET spent_at = ?
     WHERE key_id = ? AND (tenant IS NULL OR tenant = ?) AND spent_at IS NULL`,
  );
  const readDevice = database.prepare('SELECT tenant, revoked_at FROM devices WHERE device = ?');
  const writeRevoked = database.prepare('UPDATE devices SET revoked_at = ? WHERE device = ?');
  const voidCodes = database.prepare('DELETE FROM enrolment_codes WHERE tenant = ? AND used_by IS NULL');
  const dropNotes = database.prepare("DELETE FROM kits WHERE tenant = ? AND device IN (?, '')");
  const keyOf = (tenant: string, keyId: string): Record<string, unknown> => {
    const row = readKey.get(tenant, keyId);
    if (row === undefined) throw unknownKey(keyId);
    return row;
  };
  return {
    freeze: ({ tenant, device }, keyId, head) =>
      inTransaction(database, () => {
        const key = keyOf(tenant, keyId);
        const epoch = integerColumn(key, 'epoch');
        if (key['frozen_by'] !== null)
          return { epoch, evidence: log.prove(integerColumn(key, 'frozen_by'), head) };
        const evidence = log.append({ kind: 'freeze', tenant, device, keyId, epoch }, head, now());
        writeState.run('frozen', evidence.index, tenant, keyId);
        // Only what the operator approves from now on may touch the key.
        voidApprovals.run(now(), keyId, tenant);
        return { epoch, evidence };
      }),
    logExport: ({ tenant, device }, keyId, head) =>
      inTransaction(database, () => {
        const epoch = integerColumn(keyOf(tenant, keyId), 'epoch');
        const evidence = log.append({ kind: 'export', tenant, device, keyId, epoch }, head, now());
        return { epoch, evidence };
      }),
    unfreeze: (tenant, keyId) => {
      inTransaction(database, () => {
        const key = keyOf(tenant, keyId);
        if (textColumn(key, 'state') === 'active') return;
        const epoch = integerColumn(key, 'epoch');
        log.append({ kind: 'unfreeze', tenant, device: operatorName, keyId, epoch }, undefined, now());
        writeState.run('active', null, tenant, keyId);
      });
    },
    revoke: (device) =>
      inTransaction(database, () => {
        const row = readDevice.get(device);
        if (row === undefined) throw unknownDevice(device);
        if (row['revoked_at'] !== null) return false;
        const tenant = textColumn(row, 'tenant');
        log.append({ kind: 'revoke', tenant, device }, undefined, now());
        writeRevoked.run(now(), device);
        voidCodes.run(tenant);
        dropNotes.run(tenant, device);
        return true;
      }),
  };
};

export const unknownDevice = (device: string): KeepsetError =>
  new KeepsetError('input/invalid-argument', `No device ${device} is enrolled here.`, {
    hint: 'See `keepset devices`.',
  });

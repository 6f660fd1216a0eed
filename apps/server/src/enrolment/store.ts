import { integerColumn, textColumn, bytesColumn, inTransaction, type Database } from '../store/database.ts';

/** A device that may call this server. */
export interface DeviceRow {
  readonly device: string;
  readonly tenant: string;
  /** Compressed P-256 point, 33 bytes. */
  readonly publicKey: Uint8Array;
  readonly party: string;
  /** Whether the operator has revoked it. */
  readonly revoked: boolean;
}

/** A device as the operator sees it. Times are Unix seconds. */
export interface EnrolledDevice extends Pick<DeviceRow, 'device' | 'tenant' | 'party'> {
  readonly enrolledAt: number;
  /** Of its last request. */
  readonly seenAt: number | undefined;
  readonly revokedAt: number | undefined;
}

/** A device to be enrolled. */
export interface NewDevice {
  readonly device: string;
  readonly authKey: string;
  readonly publicKey: Uint8Array;
  readonly party: string;
}

/** Tenants, devices, one-time codes and request nonces. Times are Unix seconds. */
export interface EnrolmentStore {
  /**
   * @param tenant the tenant the code adds a device to; undefined makes a new one.
   * @param by the device that asks for it. One that was revoked meanwhile gets none.
   * @returns whether the code counts.
   */
  addCode(codeHash: Uint8Array, tenant: string | undefined, expiresAt: number, by?: string): boolean;
  /**
   * Spends a code and adds the device, in one transaction. To the key that spent it the code gives the same device again.
   * @returns undefined when the code is unknown, expired or spent by another key, or the key came with another code.
   */
  enrol(codeHash: Uint8Array, device: NewDevice, newTenant: string, now: number): DeviceRow | undefined;
  findDevice(authKey: string): DeviceRow | undefined;
  countDevices(): number;
  listDevices(): readonly EnrolledDevice[];
  /** True if this nonce was not seen before from this key, whose device is noted as seen then. */
  useNonce(authKey: string, nonce: string, expiresAt: number, now: number): boolean;
}

export const enrolmentStore = (database: Database): EnrolmentStore => {
  // One statement, so that no revocation comes between the question and the code.
  const addCode = database.prepare(
    `INSERT INTO enrolment_codes (code_hash, tenant, expires_at)
     SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM devices WHERE device = ? AND revoked_at IS NOT NULL)`,
  );
  const readCode = database.prepare(
    'SELECT tenant FROM enrolment_codes WHERE code_hash = ? AND used_by IS NULL AND expires_at > ?',
  );
  const readSpender = database.prepare(
    'SELECT d.auth_key FROM enrolment_codes c JOIN devices d ON d.device = c.used_by WHERE c.code_hash = ?',
  );
  const spendCode = database.prepare('UPDATE enrolment_codes SET used_by = ? WHERE code_hash = ?');
  const addTenant = database.prepare('INSERT INTO tenants (tenant, created_at) VALUES (?, ?)');
  const addDevice = database.prepare(
    'INSERT INTO devices (device, tenant, auth_key, public_key, party, created_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const readDevice = database.prepare(
    'SELECT device, tenant, public_key, party, revoked_at FROM devices WHERE auth_key = ?',
  );
  const readDevices = database.prepare(
    'SELECT device, tenant, party, created_at, seen_at, revoked_at FROM devices ORDER BY tenant, created_at, device',
  );
  const noteSeen = database.prepare('UPDATE devices SET seen_at = ? WHERE auth_key = ?');
  const countDevices = database.prepare('SELECT count(*) AS n FROM devices');
  const useNonce = database.prepare(
    'INSERT INTO request_nonces (auth_key, nonce, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const dropNonces = database.prepare('DELETE FROM request_nonces WHERE expires_at <= ?');

  const findDevice = (authKey: string): DeviceRow | undefined => {
    const row = readDevice.get(authKey);
    if (row === undefined) return undefined;
    return {
      device: textColumn(row, 'device'),
      tenant: textColumn(row, 'tenant'),
      publicKey: bytesColumn(row, 'public_key'),
      party: textColumn(row, 'party'),
      revoked: row['revoked_at'] !== null,
    };
  };
  return {
    findDevice,
    addCode: (codeHash, tenant, expiresAt, by) =>
      addCode.run(codeHash, tenant ?? null, expiresAt, by ?? null).changes === 1,
    listDevices: () => readDevices.all().map(toEnrolledDevice),
    countDevices: () => integerColumn(countDevices.get() ?? {}, 'n'),
    enrol: (codeHash, { device, authKey, publicKey, party }, newTenant, now) =>
      inTransaction(database, () => {
        const known = findDevice(authKey);
        if (known !== undefined)
          return readSpender.get(codeHash)?.['auth_key'] === authKey ? known : undefined;
        const code = readCode.get(codeHash, now);
        if (code === undefined) return undefined;
        const tenant = code['tenant'] === null ? newTenant : textColumn(code, 'tenant');
        if (code['tenant'] === null) addTenant.run(tenant, now);
        addDevice.run(device, tenant, authKey, publicKey, party, now);
        spendCode.run(device, codeHash);
        return { device, tenant, publicKey, party, revoked: false };
      }),
    useNonce: (authKey, nonce, expiresAt, now) =>
      inTransaction(database, () => {
        dropNonces.run(now);
        noteSeen.run(now, authKey);
        return useNonce.run(authKey, nonce, expiresAt).changes === 1;
      }),
  };
};

const toEnrolledDevice = (row: Record<string, unknown>): EnrolledDevice => ({
  device: textColumn(row, 'device'),
  tenant: textColumn(row, 'tenant'),
  party: textColumn(row, 'party'),
  enrolledAt: integerColumn(row, 'created_at'),
  seenAt: row['seen_at'] === null ? undefined : integerColumn(row, 'seen_at'),
  revokedAt: row['revoked_at'] === null ? undefined : integerColumn(row, 'revoked_at'),
});

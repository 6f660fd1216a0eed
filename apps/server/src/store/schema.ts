/** The database's schema, one entry per version. Entries are added, never changed. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE devices (
    device TEXT PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    auth_key TEXT NOT NULL UNIQUE,
    public_key BLOB NOT NULL,
    party TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;

  -- Codes are kept as hashes: whoever reads the database cannot enrol.
  CREATE TABLE enrolment_codes (
    code_hash BLOB PRIMARY KEY,
    tenant TEXT REFERENCES tenants (tenant),
    expires_at INTEGER NOT NULL,
    used_by TEXT REFERENCES devices (device)
  ) STRICT;

  CREATE TABLE request_nonces (
    auth_key TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (auth_key, nonce)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX request_nonces_by_expiry ON request_nonces (expires_at);

  -- A row here is the end of a session: there is at most one, and it is written before anything is released.
  CREATE TABLE sessions (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    session BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('consumed', 'committed', 'void')),
    step INTEGER NOT NULL,
    request_hash BLOB NOT NULL,
    answer BLOB,
    key_id TEXT,
    log_seq INTEGER,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, session)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE keys (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    key_id TEXT NOT NULL,
    scheme TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    policy TEXT NOT NULL,
    public_key BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen')),
    sealed_share BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_id)
  ) STRICT;

  -- What the operator allowed for one key, once. Codes are kept as hashes.
  CREATE TABLE approvals (
    code_hash BLOB PRIMARY KEY,
    key_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER
  ) STRICT;

  -- Parties that failed a consistency check. A refresh leads to another epoch, and so to a fresh start.
  CREATE TABLE bans (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    key_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    party TEXT NOT NULL,
    banned_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_id, epoch, party)
  ) STRICT;

  -- The log everyone may read, and, apart from it, whose entry is whose.
  CREATE TABLE log_entries (seq INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
  CREATE TABLE log_hashes (
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE log_head (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    size INTEGER NOT NULL,
    checkpoint TEXT NOT NULL
  ) STRICT;
  CREATE TABLE log_owners (
    seq INTEGER PRIMARY KEY REFERENCES log_entries (seq),
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    device TEXT NOT NULL,
    salt BLOB NOT NULL
  ) STRICT;

  CREATE TABLE server_secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
  `,
  `
  -- A key of which this server holds no share has none to seal, but a hash of its public data. frozen_by is a log entry.
  CREATE TABLE keys_v2 (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    key_id TEXT NOT NULL,
    scheme TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    policy TEXT NOT NULL,
    public_key BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen')),
    frozen_by INTEGER,
    sealed_share BLOB,
    group_hash BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key_id),
    CHECK ((sealed_share IS NULL) <> (group_hash IS NULL))
  ) STRICT;
  INSERT INTO keys_v2 (tenant, key_id, scheme, epoch, policy, public_key, state, sealed_share, created_at)
    SELECT tenant, key_id, scheme, epoch, policy, public_key, state, sealed_share, created_at FROM keys;
  DROP TABLE keys;
  ALTER TABLE keys_v2 RENAME TO keys;

  ALTER TABLE devices ADD COLUMN seen_at INTEGER;
  ALTER TABLE devices ADD COLUMN revoked_at INTEGER;
  -- Approvals of the other kind let the server take on a key that it does not know.
  ALTER TABLE approvals ADD COLUMN adopts INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The newest copy on each stick, printed kit or folder. Of which key is not said.
  CREATE TABLE kits (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    kit TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (tenant, kit)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whom the operator meant. Absent where a key is to be adopted and no device was named: any user may bring it.
  ALTER TABLE approvals ADD COLUMN tenant TEXT REFERENCES tenants (tenant);
  `,
  `
  -- A device that is revoked takes its notes with it. Whose the notes of before were is not known: they have no device, and
  -- are gone where one of the user's devices was revoked.
  CREATE TABLE kits_v5 (
    tenant TEXT NOT NULL REFERENCES tenants (tenant),
    kit TEXT NOT NULL,
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (tenant, kit, device)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO kits_v5 (tenant, kit, device, epoch, generation, sha256)
    SELECT tenant, kit, '', epoch, generation, sha256 FROM kits
    WHERE tenant NOT IN (SELECT tenant FROM devices WHERE revoked_at IS NOT NULL);
  DROP TABLE kits;
  ALTER TABLE kits_v5 RENAME TO kits;
  `,
];

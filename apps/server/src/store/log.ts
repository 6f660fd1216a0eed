import { randomBytes } from 'node:crypto';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { entryFieldsOf, type LoggedAct } from '@keepset/ceremony';
import {
  appendLeaf,
  leafHash,
  proveConsistency,
  proveInclusion,
  rootAt,
  sealEntry,
  signCheckpoint,
  type HashReader,
  type NoteSigner,
} from '@keepset/log';
import type { LogEvidence, LogHead } from '@keepset/wire';
import { bytesColumn, integerColumn, textColumn, type Database } from './database.ts';

/** The audit log in the database. */
export interface LogStore {
  /**
   * Writes an act, signs the new checkpoint and proves both. Call it inside the transaction that makes the act
   * durable, so that neither exists without the other.
   * @throws KeepsetError `store/rollback` when the device has seen more, or something else, than this log holds.
   */
  append(act: LoggedAct, head: LogHead | undefined, at: number): LogEvidence;
  /** Proves an entry again, under the newest checkpoint and for another head. Throws as {@link LogStore.append}. */
  prove(seq: number, head: LogHead | undefined): LogEvidence;
  /** The newest signed checkpoint. */
  checkpoint(): string;
  size(): number;
  record(seq: number): Uint8Array | undefined;
  readonly hashes: HashReader;
}

export const logStore = (database: Database, signer: NoteSigner): LogStore => {
  const readHash = database.prepare('SELECT hash FROM log_hashes WHERE level = ? AND position = ?');
  const writeHash = database.prepare('INSERT INTO log_hashes (level, position, hash) VALUES (?, ?, ?)');
  const readHead = database.prepare('SELECT size, checkpoint FROM log_head WHERE only = 0');
  const writeHead = database.prepare(
    `INSERT INTO log_head (only, size, checkpoint) VALUES (0, ?, ?)
     ON CONFLICT (only) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint`,
  );
  const writeEntry = database.prepare('INSERT INTO log_entries (seq, record) VALUES (?, ?)');
  const readRecord = database.prepare('SELECT record FROM log_entries WHERE seq = ?');
  const readOwner = database.prepare('SELECT salt FROM log_owners WHERE seq = ?');
  const writeOwner = database.prepare(
    'INSERT INTO log_owners (seq, tenant, device, salt) VALUES (?, ?, ?, ?)',
  );

  const hashes: HashReader = {
    hashAt: (level, index) => {
      const row = readHash.get(level, index);
      if (row === undefined) throw new KeepsetError('store/damaged', 'The log lacks a hash it must have.');
      return bytesColumn(row, 'hash');
    },
  };
  const size = (): number => {
    const row = readHead.get();
    return row === undefined ? 0 : integerColumn(row, 'size');
  };
  const checkpoint = (): string => {
    const row = readHead.get();
    return row === undefined
      ? signCheckpoint({ size: 0, root: rootAt(hashes, 0) }, signer)
      : textColumn(row, 'checkpoint');
  };
  const evidenceOf = (index: number, head: LogHead | undefined): LogEvidence => {
    const now = size();
    const owner = readOwner.get(index);
    const entry = readRecord.get(index);
    if (owner === undefined || entry === undefined)
      throw new KeepsetError('store/damaged', 'The log lacks an entry it must have.');
    return {
      record: bytesColumn(entry, 'record'),
      salt: bytesColumn(owner, 'salt'),
      index,
      checkpoint: checkpoint(),
      inclusion: proveInclusion(hashes, index, now),
      consistency: head === undefined ? [] : proveConsistency(hashes, head.size, now),
    };
  };
  return {
    hashes,
    size,
    checkpoint,
    prove: (seq, head) => {
      checkHead(hashes, size(), head);
      return evidenceOf(seq, head);
    },
    record: (seq) => {
      const row = readRecord.get(seq);
      return row === undefined ? undefined : bytesColumn(row, 'record');
    },
    append: (act, head, at) => {
      const index = size();
      checkHead(hashes, index, head);
      const salt = new Uint8Array(randomBytes(32));
      const record = sealEntry({ kind: act.kind, seq: index, at }, entryFieldsOf(act), salt);
      writeEntry.run(index, record);
      writeOwner.run(index, act.tenant, act.device, salt);
      for (const { level, index: position, hash } of appendLeaf(hashes, index, leafHash(record)))
        writeHash.run(level, position, hash);
      const grown = index + 1;
      writeHead.run(grown, signCheckpoint({ size: grown, root: rootAt(hashes, grown) }, signer));
      return evidenceOf(index, head);
    },
  };
};

/**
 * A device that has seen a longer or another log than this one proves that this server was rolled back (or that
 * someone else answered under its name). Going on would let spent sessions be spent again.
 */
const checkHead = (hashes: HashReader, size: number, head: LogHead | undefined): void => {
  if (head === undefined) return;
  if (head.size > size || !bytesEqual(rootAt(hashes, head.size), head.root))
    throw new KeepsetError(
      'store/rollback',
      `This server's log (${size} entries) does not contain what the device has seen (${head.size} entries).`,
      { hint: 'The server was probably restored from an old backup. Its operator must resolve this first.' },
    );
};

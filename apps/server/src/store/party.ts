import {
  unknownKey,
  type KeyChange,
  type KeyRow,
  type Party1Store,
  type SessionRow,
  type SessionWrite,
} from '@keepset/ceremony';
import { KeepsetError } from '@keepset/bytes';
import { hashOfCode } from '../secrets/codes.ts';
import { bytesColumn, inTransaction, integerColumn, textColumn, type Database } from './database.ts';
import { freezeStore } from './freezing.ts';
import type { LogStore } from './log.ts';

/** How a session ends. */
interface Ending {
  readonly state: 'consumed' | 'committed';
  readonly answer: Uint8Array | null;
  /** Number of its log entry. */
  readonly seq: number;
}

/** Party 1's durable state in SQLite. @param now Unix seconds. */
export const partyStore = (database: Database, log: LogStore, now: () => number): Party1Store => {
  const readSession = database.prepare(
    'SELECT state, step, request_hash, answer, key_id FROM sessions WHERE tenant = ? AND session = ?',
  );
  const endSession = database.prepare(
    `INSERT INTO sessions (tenant, session, state, step, request_hash, answer, key_id, log_seq, ended_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const keepAnswer = database.prepare(
    `UPDATE sessions SET answer = ?, step = ?, request_hash = ?, state = 'committed'
     WHERE tenant = ? AND session = ? AND state = 'consumed'`,
  );
  const readLogSeq = database.prepare(
    'SELECT log_seq FROM sessions WHERE tenant = ? AND session = ? AND log_seq IS NOT NULL',
  );
  const keyColumns =
    'key_id, scheme, epoch, policy, public_key, state, frozen_by, sealed_share, group_hash, created_at';
  const readKey = database.prepare(`SELECT ${keyColumns} FROM keys WHERE tenant = ? AND key_id = ?`);
  const readKeys = database.prepare(
    `SELECT ${keyColumns} FROM keys WHERE tenant = ? ORDER BY created_at, key_id`,
  );
  const writeKey = database.prepare(
    `INSERT INTO keys (tenant, key_id, scheme, epoch, policy, public_key, state, sealed_share, group_hash, created_at)
     VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?, ?)`,
  );
  // A new epoch ends a freeze; what leaves the shares as they are does not.
  const replaceKey = database.prepare(
    `UPDATE keys SET epoch = :epoch, policy = :policy, sealed_share = :sealedShare, group_hash = :groupHash,
       state = iif(:epoch > epoch, 'active', state), frozen_by = iif(:epoch > epoch, NULL, frozen_by)
     WHERE tenant = :tenant AND key_id = :keyId AND epoch = :from AND (state = 'active' OR frozen_by = :thaws)`,
  );
  const spendApproval = database.prepare(
    `UPDATE approvals SET spent_at = ?
     WHERE code_hash = ? AND key_id = ? AND adopts = ? AND (tenant IS NULL OR tenant = ?)
       AND spent_at IS NULL AND expires_at > ?`,
  );
  const writeBan = database.prepare(
    'INSERT INTO bans (tenant, key_id, epoch, party, banned_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const readBans = database.prepare('SELECT party FROM bans WHERE tenant = ? AND key_id = ? AND epoch = ?');

  const readRevoked = database.prepare('SELECT revoked_at FROM devices WHERE tenant = ? AND device = ?');
  const freezing = freezeStore(database, log, now);

  const findSession = (tenant: string, session: Uint8Array): SessionRow | undefined => {
    const row = readSession.get(tenant, session);
    return row === undefined ? undefined : toSessionRow(row);
  };
  const mustFindSession = (tenant: string, session: Uint8Array): SessionRow => {
    const row = findSession(tenant, session);
    if (row === undefined) throw new KeepsetError('bug/invariant', 'A session that exists was not found.');
    return row;
  };
  const findKey = (tenant: string, keyId: string): KeyRow | undefined => {
    const row = readKey.get(tenant, keyId);
    return row === undefined ? undefined : toKeyRow(row);
  };
  /** Re-read inside the transaction: the operator may have revoked the device since it was asked for. */
  const refuseRevoked = ({ tenant, device }: SessionWrite['caller']): void => {
    const row = readRevoked.get(tenant, device);
    if (row !== undefined && row['revoked_at'] !== null)
      throw new KeepsetError('policy/revoked', 'The operator of the server has revoked this device.');
  };
  /** Call it in a transaction that has found no end of the session yet. */
  const end = (write: SessionWrite, ending: Ending): void => {
    const { caller, session, step, requestHash, act } = write;
    const { state, answer, seq } = ending;
    endSession.run(caller.tenant, session, state, step, requestHash, answer, act.keyId, seq, now());
  };

  const changeKey = (tenant: string, change: KeyChange): void => {
    if (change.kind === 'keep') return;
    const { group, sealedShare = null, groupHash = null } = change.key;
    const { keyId, scheme, epoch, policy, publicKey } = group;
    const known = findKey(tenant, keyId);
    if (change.kind === 'create') {
      if (known !== undefined)
        throw new KeepsetError('store/conflict', `Key ${keyId} is known here already.`);
      writeKey.run(tenant, keyId, scheme, epoch, policy, publicKey, sealedShare, groupHash, now());
      return;
    }
    const { epoch: from, thaws = null } = change;
    const row = { tenant, keyId, from, thaws, epoch, policy, sealedShare, groupHash };
    if (replaceKey.run(row).changes === 1) return;
    if (known?.group.epoch === from) throw new KeepsetError('policy/frozen', `Key ${keyId} was frozen.`);
    throw new KeepsetError('abort/wrong-epoch', `Epoch ${from} of the key is no longer current.`);
  };

  return {
    freeze: (by, keyId, head) => settled(() => freezing.freeze(by, keyId, head)),
    logExport: (by, keyId, head) => settled(() => freezing.logExport(by, keyId, head)),
    revoked: (tenant, devices) =>
      settled(() =>
        devices.filter((device) => {
          const row = readRevoked.get(tenant, device);
          return row !== undefined && row['revoked_at'] !== null;
        }),
      ),
    findSession: (tenant, session) => settled(() => findSession(tenant, session)),
    findKey: (tenant, keyId) => settled(() => findKey(tenant, keyId)),
    listKeys: (tenant) => settled(() => readKeys.all(tenant).map(toKeyRow)),
    voidSession: (tenant, session) =>
      settled(() =>
        inTransaction(database, () => {
          endSession.run(tenant, session, 'void', 0, new Uint8Array(0), null, null, null, now());
          return mustFindSession(tenant, session);
        }),
      ),
    commit: (write, change, answer) =>
      settled(() =>
        inTransaction(database, () => {
          const { tenant } = write.caller;
          const row = findSession(tenant, write.session);
          if (row !== undefined) return { written: false, row };
          refuseRevoked(write.caller);
          changeKey(tenant, change);
          const evidence = log.append(write.act, write.head, now());
          const value = answer(evidence);
          end(write, { state: 'committed', answer: value, seq: evidence.index });
          return { written: true, value };
        }),
      ),
    spendApproval: (tenant, keyId, code, what) =>
      settled(() =>
        inTransaction(
          database,
          () =>
            (what === 'adopt' || findKey(tenant, keyId) !== undefined) &&
            spendApproval.run(now(), hashOfCode(code), keyId, what === 'adopt' ? 1 : 0, tenant, now())
              .changes === 1,
        ),
      ),
    ban: (tenant, keyId, epoch, party) =>
      settled(() => {
        inTransaction(database, () => writeBan.run(tenant, keyId, epoch, party, now()));
      }),
    banned: (tenant, keyId, epoch) =>
      settled(() => readBans.all(tenant, keyId, epoch).map((row) => textColumn(row, 'party'))),
    consume: (write) =>
      settled(() =>
        inTransaction(database, () => {
          const { caller, act } = write;
          const row = findSession(caller.tenant, write.session);
          if (row !== undefined) return { written: false, row };
          refuseRevoked(caller);
          const key = findKey(caller.tenant, act.keyId);
          // Re-read inside the transaction: a freeze or refresh may have come in between.
          if (key === undefined) throw unknownKey(act.keyId);
          if (key.state !== 'active') throw new KeepsetError('policy/frozen', `Key ${act.keyId} was frozen.`);
          if (key.group.epoch !== act.epoch)
            throw new KeepsetError(
              'abort/wrong-epoch',
              `Epoch ${act.epoch} of the key is no longer current.`,
            );
          const { index } = log.append(act, write.head, now());
          end(write, { state: 'consumed', answer: null, seq: index });
          return { written: true, value: undefined };
        }),
      ),
    prove: (tenant, session, head) =>
      settled(() => {
        const row = readLogSeq.get(tenant, session);
        if (row === undefined) throw new KeepsetError('bug/invariant', 'This session is not in the log.');
        return log.prove(integerColumn(row, 'log_seq'), head);
      }),
    keepAnswer: (tenant, session, { answer, step, requestHash }) =>
      settled(() => {
        inTransaction(database, () => keepAnswer.run(answer, step, requestHash, tenant, session));
      }),
  };
};

/** Runs synchronous database work in the form of the asynchronous port: a throw becomes a rejection. */
const settled = <T>(work: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(work());
  });

const toSessionRow = (row: Record<string, unknown>): SessionRow => ({
  state: textColumn(row, 'state') as SessionRow['state'],
  step: integerColumn(row, 'step'),
  requestHash: bytesColumn(row, 'request_hash'),
  ...(row['answer'] === null ? {} : { answer: bytesColumn(row, 'answer') }),
  ...(row['key_id'] === null ? {} : { keyId: textColumn(row, 'key_id') }),
});

const toKeyRow = (row: Record<string, unknown>): KeyRow => ({
  group: {
    keyId: textColumn(row, 'key_id'),
    scheme: textColumn(row, 'scheme') as KeyRow['group']['scheme'],
    epoch: integerColumn(row, 'epoch'),
    policy: textColumn(row, 'policy'),
    publicKey: bytesColumn(row, 'public_key'),
  },
  state: textColumn(row, 'state') as KeyRow['state'],
  ...(row['frozen_by'] === null ? {} : { frozenBy: integerColumn(row, 'frozen_by') }),
  ...(row['sealed_share'] === null ? {} : { sealedShare: bytesColumn(row, 'sealed_share') }),
  ...(row['group_hash'] === null ? {} : { groupHash: bytesColumn(row, 'group_hash') }),
  createdAt: integerColumn(row, 'created_at'),
});

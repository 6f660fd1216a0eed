/** A recovery that has begun on this device and is not finished: one small file per key. */
import { basename, join } from 'node:path';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesEqual,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { groupHashOf, type GroupKey } from '@keepset/ceremony';
import { keyIdText } from '@keepset/wire';
import { listIfThere, readIfThere, removeDurably, writeDurably } from './files.ts';
import type { HomePaths } from './paths.ts';

/** Why a share had to be recovered. */
export type Cause = 'lost' | 'stolen';

/** What is known of an unfinished recovery. */
export interface RecoveryRecord {
  readonly keyId: string;
  readonly cause: Cause;
  /** The epoch of the share that came back. Done only when the key is at a later one. */
  readonly epoch: number;
  /** Where the share came from, for people. */
  readonly from: string;
  /**
   * Hashes of the public data of shares that it brought from copies, each of which another copy may replace. Absent where
   * it brought none: a repair is checked by the other parties, and the first version of this record did not say.
   */
  readonly brought?: readonly Uint8Array[];
}

const schema: Schema<RecoveryRecord> = v.strictObject({
  keyId: keyIdText,
  cause: v.picklist(['lost', 'stolen']),
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  from: v.pipe(v.string(), v.maxLength(4096)),
  brought: v.exactOptional(v.pipe(v.array(bytesOfLength(32)), v.maxLength(2))),
});

const folderOf = (paths: HomePaths): string => join(paths.root, 'recovery');
const pathOf = (paths: HomePaths, keyId: string): string => join(folderOf(paths), `${keyId}.cbor`);

/** Durable before it returns. */
export const saveRecord = (paths: HomePaths, { brought, ...record }: RecoveryRecord): Promise<void> =>
  writeDurably(
    pathOf(paths, record.keyId),
    encodeCbor({ ...record, ...(brought === undefined ? {} : { brought: [...brought] }) }),
  );

/** Whether the unfinished recovery, if there is one, brought the very share that the device holds now from a copy. */
export const hasBrought = (begun: RecoveryRecord | undefined, own: GroupKey): boolean =>
  begun?.epoch === own.epoch && begun.brought?.some((hash) => bytesEqual(hash, groupHashOf(own))) === true;

/**
 * What a record says of shares from copies, once the next share is about to be put in the place of the device's own: until
 * it is, the one before may be there still.
 * @param next what a copy brings; undefined where it is no copy
 * @throws KeepsetError `place/damaged`
 */
export const broughtBy = async (
  paths: HomePaths,
  own: GroupKey | undefined,
  next: GroupKey | undefined,
): Promise<Pick<RecoveryRecord, 'brought'>> => {
  const isReplaced = own !== undefined && hasBrought(await loadRecord(paths, own.keyId), own);
  const groups = [...(isReplaced ? [own] : []), ...(next === undefined ? [] : [next])];
  return groups.length === 0 ? {} : { brought: groups.map(groupHashOf) };
};

/** Ends a recovery. */
export const removeRecord = (paths: HomePaths, keyId: string): Promise<void> =>
  removeDurably(pathOf(paths, keyId));

/** All unfinished recoveries. @throws KeepsetError `place/damaged` */
export const loadRecords = async (paths: HomePaths): Promise<readonly RecoveryRecord[]> => {
  const names = (await listIfThere(folderOf(paths))).filter((name) => /^[a-z2-7]{26}\.cbor$/.test(name));
  const records: RecoveryRecord[] = [];
  for (const name of names.toSorted()) {
    const record = await loadRecord(paths, basename(name, '.cbor'));
    if (record !== undefined) records.push(record);
  }
  return records;
};

/** The unfinished recovery of a key, if there is one. @throws KeepsetError `place/damaged` */
export const loadRecord = async (paths: HomePaths, keyId: string): Promise<RecoveryRecord | undefined> => {
  const path = pathOf(paths, keyId);
  const bytes = await readIfThere(path);
  return bytes === undefined ? undefined : decode(bytes, path);
};

/**
 * Refuses to make a copy of a share that a recovery brought, until the other parties have made new shares with it: a copy
 * may be forged, and only they show it. Until then the right one is not written over.
 * @throws KeepsetError `store/conflict`, `place/damaged`
 */
export const refuseUnproven = async (
  paths: HomePaths,
  { keyId, epoch }: Pick<RecoveryRecord, 'keyId' | 'epoch'>,
): Promise<void> => {
  const begun = await loadRecord(paths, keyId);
  if (begun === undefined || begun.epoch < epoch) return;
  throw new KeepsetError(
    'store/conflict',
    `Nothing is written: the recovery of key ${keyId} from ${begun.from} is not finished (\`keepset recover\`), and its share may be a wrong one.`,
    {
      hint: 'Run `keepset recover`: it ends with new shares, and rewrites the copies. Where it fails, another copy takes the place of this one: keepset recover --from COPY',
    },
  );
};

const decode = (bytes: Uint8Array, path: string): RecoveryRecord => {
  try {
    return decodeAs(schema, bytes, 'recovery');
  } catch (cause) {
    throw new KeepsetError('place/damaged', `The record of a recovery ${path} is damaged.`, {
      hint: 'Delete it. If this device has its share (`keepset keys`), end the recovery with `keepset refresh`, before any copy is written; after a theft first `keepset freeze KEY`, and the operator approves. If not, run `keepset recover` again from the copy.',
      cause,
    });
  }
};

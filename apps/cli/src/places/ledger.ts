/** What this device remembers of the copies it handed out, one small file per kit. */
import { join } from 'node:path';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  integerBetween,
  toKeepsetError,
  type Schema,
} from '@keepset/bytes';
import { keyIdText } from '@keepset/wire';
import { listIfThere, readIfThere, writeDurably } from '../home/files.ts';
import type { HomePaths } from '../home/paths.ts';

/** A copy. `intended`: about to be written; `written`: read back; `verified`: read back after it was plugged in again. */
export interface LedgerCopy {
  readonly epoch: number;
  readonly generation: number;
  readonly sha256: Uint8Array;
  readonly createdAt: string;
  readonly state: 'intended' | 'written' | 'verified';
}

/** A stick or a printed kit. */
export interface LedgerKit {
  readonly kind: 'usb' | 'kit';
  /** 26 base32 characters. */
  readonly kit: string;
  readonly keyId: string;
  /** Position of this device's party in the policy when the kit was made, from 1. */
  readonly position: number;
  /** age recipient of the kit's recovery code. The code itself is kept nowhere. */
  readonly recipient: string;
  readonly copies: readonly LedgerCopy[];
}

const count = integerBetween(0, Number.MAX_SAFE_INTEGER);
const schema: Schema<LedgerKit> = v.strictObject({
  kind: v.picklist(['usb', 'kit']),
  kit: keyIdText,
  keyId: keyIdText,
  position: integerBetween(1, 99),
  recipient: v.pipe(v.string(), v.regex(/^age1[a-z0-9]{1,100}$/)),
  copies: v.array(
    v.strictObject({
      epoch: count,
      generation: count,
      sha256: bytesOfLength(32),
      createdAt: v.pipe(v.string(), v.maxLength(32)),
      state: v.picklist(['intended', 'written', 'verified']),
    }),
  ),
});

const folderOf = (paths: HomePaths): string => join(paths.root, 'usb-ledger');

/** All kits, in the order of their ids. @throws KeepsetError `place/damaged` */
export const loadLedger = async (paths: HomePaths): Promise<readonly LedgerKit[]> => {
  const names = (await listIfThere(folderOf(paths))).filter((name) => /^[a-z2-7]{26}\.cbor$/.test(name));
  const kits: LedgerKit[] = [];
  for (const name of names.toSorted()) {
    const path = join(folderOf(paths), name);
    const bytes = await readIfThere(path);
    if (bytes !== undefined) kits.push(decode(bytes, path));
  }
  return kits;
};

const decode = (bytes: Uint8Array, path: string): LedgerKit => {
  try {
    return decodeAs(schema, bytes, 'ledger');
  } catch (cause) {
    if (toKeepsetError(cause).code === 'bug/invariant') throw cause;
    throw new KeepsetError('place/damaged', `The ledger file ${path} is damaged.`, {
      hint: 'Move it away; the stick can then be verified with its recovery code.',
      cause,
    });
  }
};

/** Writes one kit's file durably. */
export const saveKit = (paths: HomePaths, kit: LedgerKit): Promise<void> =>
  writeDurably(
    join(folderOf(paths), `${kit.kit}.cbor`),
    encodeCbor({ ...kit, copies: kit.copies.map((copy) => ({ ...copy })) }),
  );

/** The number of a key's next copy, counted over all its sticks and kits. */
export const nextGeneration = (ledger: readonly LedgerKit[], keyId: string): number =>
  1 +
  Math.max(
    0,
    ...ledger.flatMap((kit) => (kit.keyId === keyId ? kit.copies.map(({ generation }) => generation) : [])),
  );

/** The newest copy that was certainly on the medium once. */
export const newestWritten = ({ copies }: LedgerKit): LedgerCopy | undefined =>
  copies
    .filter(({ state }) => state !== 'intended')
    .reduce<LedgerCopy | undefined>(
      (best, copy) => (best === undefined || copy.generation > best.generation ? copy : best),
      undefined,
    );

/** The kit with a copy put in, or brought to another state. */
export const withCopy = (kit: LedgerKit, copy: LedgerCopy): LedgerKit => ({
  ...kit,
  copies: [...kit.copies.filter(({ generation }) => generation !== copy.generation), copy],
});

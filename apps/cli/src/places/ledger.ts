/**
 * What this device remembers of the copies it handed out, one small file for each stick, kit, folder, keyring or
 * Finder backup.
 * @spec spec/health.md §5
 */
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
import {
  observe,
  type BackupTrace,
  type CopyEvidence,
  type CopyKind,
  type Observation,
} from '@keepset/places';
import { keyIdText } from '@keepset/wire';
import { listIfThere, readIfThere, writeDurably } from '../home/files.ts';
import { fileLock } from '../home/lock.ts';
import type { HomePaths } from '../home/paths.ts';

/** A copy. `intended`: about to be written; `written`: read back; `verified`: read back after it was plugged in again. */
export interface LedgerCopy {
  readonly epoch: number;
  readonly generation: number;
  readonly sha256: Uint8Array;
  readonly createdAt: string;
  readonly state: 'intended' | 'written' | 'verified';
  /** Generation of the device's own copy that it was made from. */
  readonly source?: number;
  /** UTC instants; see `CopyEvidence`. */
  readonly readBackAt?: string;
  readonly openedAt?: string;
  readonly provenAt?: string;
  /** UTC instant at which the server was told of it. */
  readonly notedAt?: string;
}

/** The passkey of a folder copy: a second way to its code, and no copy. */
export interface LedgerPasskey {
  /** Of the file that the passkey opens. */
  readonly sha256: Uint8Array;
  /** Of the file that says which passkey it is, if there was one. */
  readonly nameSha256?: Uint8Array;
  /** UTC instants: when that file was last read back or found, and when the passkey last opened the copy. */
  readonly readBackAt: string;
  readonly openedAt?: string;
}

/** A stick, a printed kit, a folder, the keyring of the desktop, or a copy in a Finder backup of a phone. */
export interface LedgerKit {
  readonly kind: 'usb' | 'kit' | 'folder' | 'keyring' | 'finder-backup';
  /** 26 base32 characters. */
  readonly kit: string;
  readonly keyId: string;
  /** Position of this device's party in the policy when the kit was made, from 1. */
  readonly position: number;
  /** age recipient of the kit's recovery code. The code itself is kept nowhere. */
  readonly recipient: string;
  /** Absolute path of the stick or folder when it was last seen. */
  readonly path?: string;
  /** What it is lost together with, as the analyser names it; see `CopyRecord`. */
  readonly domain?: string;
  /** Of a Finder backup: how the newest copy lay in it when it was opened there. */
  readonly trace?: BackupTrace;
  /** UTC instant at which its owner said that it is lost. */
  readonly lostAt?: string;
  readonly passkey?: LedgerPasskey;
  /** Generations up to this one may have been given to copies that an entry knew which could not be read any more. */
  readonly floor?: number;
  readonly copies: readonly LedgerCopy[];
}

/** An entry that cannot be read: of its copies, and even of which key they are, nothing is known. */
export interface DamagedEntry {
  /** As the name of the file says, and the folder on the stick, and the sheets. */
  readonly kit: string;
  readonly file: string;
  readonly reason: string;
  /** Whether it may only be out of reach just now, by its mode or its disk: then nothing is written in its place. */
  readonly isOutOfReach: boolean;
}

/** Everything this device remembers of its copies, and what it cannot remember: that counts for nothing. */
export interface Ledger {
  readonly kits: readonly LedgerKit[];
  readonly damaged: readonly DamagedEntry[];
}

const count = integerBetween(0, Number.MAX_SAFE_INTEGER);
const instant = v.pipe(v.string(), v.maxLength(32));
const schema: Schema<LedgerKit> = v.strictObject({
  kind: v.picklist(['usb', 'kit', 'folder', 'keyring', 'finder-backup']),
  kit: keyIdText,
  keyId: keyIdText,
  position: integerBetween(1, 99),
  recipient: v.pipe(v.string(), v.regex(/^age1[a-z0-9]{1,100}$/)),
  path: v.exactOptional(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))),
  domain: v.exactOptional(v.pipe(v.string(), v.regex(/^(device|location|account):./), v.maxLength(128))),
  trace: v.exactOptional(
    v.strictObject({
      file: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
      sealed: bytesOfLength(32),
      plist: bytesOfLength(32),
      database: bytesOfLength(32),
    }),
  ),
  lostAt: v.exactOptional(instant),
  passkey: v.exactOptional(
    v.strictObject({
      sha256: bytesOfLength(32),
      nameSha256: v.exactOptional(bytesOfLength(32)),
      readBackAt: instant,
      openedAt: v.exactOptional(instant),
    }),
  ),
  floor: v.exactOptional(count),
  copies: v.array(
    v.strictObject({
      epoch: count,
      generation: count,
      sha256: bytesOfLength(32),
      createdAt: instant,
      state: v.picklist(['intended', 'written', 'verified']),
      source: v.exactOptional(count),
      readBackAt: v.exactOptional(instant),
      openedAt: v.exactOptional(instant),
      provenAt: v.exactOptional(instant),
      notedAt: v.exactOptional(instant),
    }),
  ),
});

const folderOf = (paths: HomePaths): string => join(paths.root, 'usb-ledger');

/**
 * Every entry, in the order of their ids. One that is damaged takes no other with it.
 * @throws KeepsetError of family `place/` if the folder cannot be listed
 */
export const readLedger = async (paths: HomePaths): Promise<Ledger> => {
  const names = (await listIfThere(folderOf(paths))).filter((name) => /^[a-z2-7]{26}\.cbor$/.test(name));
  const kits: LedgerKit[] = [];
  const damaged: DamagedEntry[] = [];
  for (const name of names.toSorted()) {
    const entry = await readEntry(join(folderOf(paths), name), name.slice(0, 26));
    if (entry === undefined) continue;
    if ('reason' in entry) damaged.push(entry);
    else kits.push(entry);
  }
  return { kits, damaged };
};

/**
 * The entries that can be read: for what is said or done of each by itself. Whoever concludes anything from what is not
 * among them takes {@link readLedger}.
 */
export const loadLedger = async (paths: HomePaths): Promise<readonly LedgerKit[]> =>
  (await readLedger(paths)).kits;

const readEntry = async (file: string, kit: string): Promise<LedgerKit | DamagedEntry | undefined> => {
  try {
    const bytes = await readIfThere(file);
    const entry = bytes === undefined ? undefined : decodeAs(schema, bytes, 'ledger');
    if (entry === undefined || entry.kit === kit) return entry;
    return { kit, file, reason: `It is the entry of ${entry.kit}.`, isOutOfReach: false };
  } catch (thrown) {
    const { code, family, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant') throw thrown;
    return { kit, file, reason: message, isOutOfReach: family !== 'wire' };
  }
};

/** Writes one kit's file durably. */
export const saveKit = (paths: HomePaths, { copies, trace, passkey, ...kit }: LedgerKit): Promise<void> =>
  writeDurably(
    join(folderOf(paths), `${kit.kit}.cbor`),
    encodeCbor({
      ...kit,
      ...(trace === undefined ? {} : { trace: { ...trace } }),
      ...(passkey === undefined ? {} : { passkey: { ...passkey } }),
      copies: copies.map((copy) => ({ ...copy })),
    }),
  );

/**
 * The kit whose id begins with `prefix`.
 * @throws KeepsetError `place/not-found` unless there is exactly one, `place/damaged` if its entry cannot be read.
 */
export const findKit = (prefix: string, { kits, damaged }: Ledger): LedgerKit => {
  const isMeant = ({ kit }: { readonly kit: string }): boolean => kit.startsWith(prefix.toLowerCase());
  const [unreadable, ...unreadables] = damaged.filter(isMeant);
  const [kit, ...others] = kits.filter(isMeant);
  if (unreadable !== undefined && kit === undefined && unreadables.length === 0)
    throw damagedEntryError(unreadable);
  if (kit !== undefined && unreadable === undefined && others.length === 0) return kit;
  throw new KeepsetError(
    'place/not-found',
    kit === undefined && unreadable === undefined
      ? `This device wrote no copy ${prefix}.`
      : `Several copies begin with ${prefix}.`,
    { hint: '`keepset health` lists the copies.' },
  );
};

/** The entry that cannot be read is the one that is needed. */
export const damagedEntryError = ({ kit, file }: DamagedEntry, more = ''): KeepsetError =>
  new KeepsetError('place/damaged', `The ledger's entry of kit ${kit} is damaged: ${file}.${more}`, {
    hint: rememberHint,
  });

/** Said where a copy was opened, and its entry could not be told. */
export const unnotedLine = ({ file }: DamagedEntry): string =>
  `  Its entry in the ledger is damaged, so this was noted nowhere: ${file}`;

/** The way back for a copy of which the device remembers nothing. */
export const rememberHint =
  'Open the copy with its code, which writes the entry anew: keepset remember COPY --code -';

/**
 * Changes a kit as it stands in the ledger by now, while no other process of this device does: what was loaded before a
 * long wait may be old. Does nothing where the kit is gone, or `change` gives nothing.
 */
export const changeKit = (
  paths: HomePaths,
  { kit: id }: Pick<LedgerKit, 'kit'>,
  change: (kit: LedgerKit) => LedgerKit | undefined,
): Promise<void> =>
  fileLock(paths.lock)(async () => {
    const kit = (await loadLedger(paths)).find((each) => each.kit === id);
    const changed = kit === undefined ? undefined : change(kit);
    if (changed !== undefined) await saveKit(paths, changed);
  });

/** Notes that the owner has lost a kit, or has it again; what was seen of its copies stays. */
export const noteLost = (paths: HomePaths, kit: LedgerKit, isLost: boolean): Promise<void> =>
  changeKit(paths, kit, ({ lostAt = new Date().toISOString(), ...known }) =>
    isLost ? { ...known, lostAt } : known,
  );

/** Whether one copy is newer: of a later epoch, or of a later generation of the same. */
export const isLater = (
  one: Pick<LedgerCopy, 'epoch' | 'generation'>,
  other: Pick<LedgerCopy, 'epoch' | 'generation'>,
): boolean => (one.epoch - other.epoch || one.generation - other.generation) > 0;

/** The newest copy that was certainly on the medium once. */
export const newestWritten = ({ copies }: LedgerKit): LedgerCopy | undefined =>
  copies
    .filter(({ state }) => state !== 'intended')
    .reduce<LedgerCopy | undefined>(
      (best, copy) => (best === undefined || isLater(copy, best) ? copy : best),
      undefined,
    );

/** The kit with a copy put in, or brought to another state. */
export const withCopy = (kit: LedgerKit, copy: LedgerCopy): LedgerKit => ({
  ...kit,
  copies: [
    ...kit.copies.filter(({ epoch, generation }) => epoch !== copy.epoch || generation !== copy.generation),
    copy,
  ],
});

/** The kind of place, as health and properties name it. */
export const kindOf = ({ kind }: LedgerKit): CopyKind => (kind === 'kit' ? 'printed-kit' : kind);

/** A stick is a place of its own, and so is a sheet of paper; folders on other disks of the computer are one. */
export const usualDomain = ({ kind, kit }: Pick<LedgerKit, 'kind' | 'kit'>): string =>
  kind === 'folder' || kind === 'finder-backup'
    ? 'location:other-disk'
    : `location:${kind === 'kit' ? 'paper' : 'medium'}-${kit}`;

/** What was ever seen of a copy. Of one whose reading back was noted without a date, the date of its making is taken. */
export const evidenceOf = ({
  state,
  createdAt,
  readBackAt = state === 'verified' ? createdAt : undefined,
  openedAt,
  provenAt,
}: LedgerCopy): CopyEvidence => ({
  ...(state === 'intended' ? {} : { writtenAt: createdAt }),
  ...(readBackAt === undefined ? {} : { readBackAt }),
  ...(openedAt === undefined ? {} : { openedAt }),
  ...(provenAt === undefined ? {} : { provenAt }),
});

/** The kit with an observation of one of its copies noted. */
export const withObservation = (kit: LedgerKit, copy: LedgerCopy, observation: Observation): LedgerKit => {
  const { writtenAt, ...evidence } = observe(
    kindOf(kit),
    evidenceOf(copy),
    observation,
    new Date().toISOString(),
  );
  const isMedium = observation.kind === 'read' && observation.afresh;
  const isWritten = copy.state === 'intended' && writtenAt !== undefined;
  const state = isMedium ? 'verified' : isWritten ? 'written' : copy.state;
  return withCopy(kit, { ...copy, ...evidence, state });
};

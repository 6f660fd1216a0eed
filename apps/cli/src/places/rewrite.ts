/**
 * Copies follow the share: after a refresh, reshare or repair every copy that can be reached is rewritten, and only then
 * does the device part with its share of the old epoch.
 * @spec spec/health.md §4
 */
import { toKeepsetError } from '@keepset/bytes';
import { copyState, type CopyKind } from '@keepset/places';
import type { KeyShare } from '@keepset/ceremony';
import { currentShare, unretiredKeys } from '../home/own-shares.ts';
import { shellWord } from '../terminal/shell.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { judge } from './usb/container.ts';
import { renewCopy } from './folder-copy.ts';
import { recordOf } from './health/health.ts';
import { damagedKitLine } from './health/lines.ts';
import {
  kindOf,
  newestWritten,
  readLedger,
  type DamagedEntry,
  type Ledger,
  type LedgerKit,
} from './ledger.ts';
import { isGone, lookAt } from './look.ts';
import type { Unlocked } from './unlock.ts';
import { saveOver } from './usb/create.ts';

/**
 * What became of a copy. `rewritten`: read back as written. `print`: paper, which must be printed anew. `back-up`: in a
 * Finder backup, which only the phone makes anew. `unreachable`: its medium is not there. `gone`: somebody removed it. `failed`: it is there and could not be written. `destroy`: this
 * device has no share any more.
 */
export type Outcome = 'rewritten' | 'print' | 'back-up' | 'unreachable' | 'gone' | 'failed' | 'destroy';

/** One copy that was not current. */
export interface Rewritten {
  readonly kit: string;
  readonly kind: CopyKind;
  readonly path?: string;
  readonly outcome: Outcome;
  /** Why it could not be written. */
  readonly reason?: string;
}

/** What became of all copies of a key. */
export interface Renewal {
  readonly copies: readonly Rewritten[];
  /** Whether the device has no share of an older epoch any more; as long as it has, the next command goes on. */
  readonly retired: boolean;
  /** Copies of which nothing is known, not even of which key they are: they were left as they are. */
  readonly damagedEntries: readonly DamagedEntry[];
}

/**
 * Rewrites every copy of the key that is stale and can be reached, verifies each, and then destroys the device's own
 * shares of older epochs. They stay while a copy that can be reached could not be written. May be cut off anywhere and
 * called again.
 */
export const renewCopies = async (
  unlocked: Pick<Unlocked, 'paths' | 'signer' | 'vault' | 'server'>,
  keyId: string,
): Promise<Renewal> => {
  const { paths, vault } = unlocked;
  const ledger = await readLedger(paths);
  const damagedEntries = ledger.damaged;
  if (!(await vault.list()).includes(keyId)) {
    const kits = ledger.kits.filter((kit) => kit.keyId === keyId && kit.lostAt === undefined);
    const copies = kits.map((kit) => ({ ...naming(kit), outcome: 'destroy' as const }));
    return { copies, retired: true, damagedEntries };
  }
  const share = await vault.open(keyId);
  try {
    const copies: Rewritten[] = [];
    for (const kit of await staleKits(unlocked, ledger, share))
      copies.push(await rewrite(unlocked, kit, share));
    const hasFailed = copies.some(({ outcome }) => outcome === 'failed');
    // A repair leaves no share of an older epoch behind: there is none to be kept.
    const retired = !hasFailed || !(await unretiredKeys(paths)).includes(keyId);
    if (retired) await vault.retire(keyId, share.group.epoch);
    return { copies, retired, damagedEntries };
  } finally {
    share.secret.wipe();
  }
};

/** Goes on with what an earlier command was cut off in. */
export const continueRenewals = async (
  unlocked: Pick<Unlocked, 'paths' | 'signer' | 'vault' | 'server'>,
  terminal: Terminal,
): Promise<void> => {
  for (const keyId of await unretiredKeys(unlocked.paths))
    try {
      for (const line of renewalLines(await renewCopies(unlocked, keyId), keyId)) terminal.note(line);
    } catch (thrown) {
      // What the command is for does not depend on it, and the next one tries again.
      const { code, message } = toKeepsetError(thrown);
      if (code === 'bug/invariant') throw thrown;
      terminal.note(`Copies of key ${keyId} could not be rewritten: ${message}`);
    }
};

/** What to say of copies, a line or two for each. @param keyId where it is not clear which key is meant */
export const renewalLines = (
  { copies, retired, damagedEntries: damaged }: Renewal,
  keyId?: string,
): readonly string[] => [
  ...(copies.length === 0 ? [] : [keyId === undefined ? 'Copies:' : `Copies of key ${keyId}:`]),
  ...copies.flatMap((copy) => [`  ${copy.kind} ${copy.kit.slice(0, 6)}: ${saidOf(copy)}`]),
  ...(retired
    ? []
    : ['This device keeps its old share until those copies are written; the next command tries again.']),
  ...(retired && copies.some(({ outcome }) => outcome === 'failed')
    ? ['Try those again: `keepset usb create FOLDER --again`, `keepset backup --again`.']
    : []),
  ...(damaged.length === 0 ? [] : ['NOT rewritten, for their entries in the ledger are damaged:']),
  ...damaged.map(damagedKitLine),
  ...(damaged.length === 0
    ? []
    : ['  If one is of this key, open it with its code: keepset remember COPY --code -']),
];

const saidOf = ({ outcome, kind, path: at = 'FOLDER', reason = '' }: Rewritten): string => {
  const path = shellWord(at);
  switch (outcome) {
    case 'rewritten':
      return kind === 'usb'
        ? `rewritten. Unplug it, plug it in again, then\n    keepset usb verify ${path} --replugged`
        : 'rewritten and read back.';
    case 'print':
      return 'worth nothing any more. Print a new one and destroy this one:\n    keepset kit --out DIR';
    case 'back-up':
      return `worth nothing any more. Put the current share on the phone, back it up, then\n    keepset finder-backup add ${path} --code -`;
    case 'unreachable':
      return `NOT rewritten, it cannot be reached. When it is there:\n    ${
        kind === 'usb' ? `keepset usb create ${path} --again` : 'keepset backup --again'
      }`;
    case 'gone':
      return 'gone. Make another copy if you miss it.';
    case 'destroy':
      return 'worth nothing any more. Destroy it.';
    case 'failed':
    default:
      return `NOT rewritten: ${reason}`;
  }
};

/** Kits whose newest copy is not of the share as it is now, but for lost ones: nobody can write those. */
const staleKits = async (
  { paths }: Pick<Unlocked, 'paths'>,
  { kits }: Ledger,
  { group }: KeyShare,
): Promise<readonly LedgerKit[]> => {
  const own = await currentShare(paths, group.keyId);
  const current = { epoch: group.epoch, source: own?.generation ?? 0 };
  const now = new Date().toISOString();
  return kits.filter(
    (kit) =>
      kit.keyId === group.keyId &&
      kit.lostAt === undefined &&
      newestWritten(kit) !== undefined &&
      copyState(recordOf(kit), current, { status: 'unseen' }, now).stale !== undefined,
  );
};

const naming = (kit: LedgerKit): Pick<Rewritten, 'kit' | 'kind' | 'path'> => ({
  kit: kit.kit,
  kind: kindOf(kit),
  ...(kit.path === undefined ? {} : { path: kit.path }),
});

const rewrite = async (
  unlocked: Pick<Unlocked, 'paths' | 'signer' | 'server'>,
  kit: LedgerKit,
  share: KeyShare,
): Promise<Rewritten> => {
  if (kit.kind === 'kit') return { ...naming(kit), outcome: 'print' };
  if (kit.kind === 'finder-backup') return { ...naming(kit), outcome: 'back-up' };
  const ledger = await readLedger(unlocked.paths);
  const reach = await lookAt(kit, ledger.kits);
  if (reach.status === 'unreachable') return { ...naming(kit), outcome: 'unreachable', reason: reach.reason };
  if (await isGone(kit)) return { ...naming(kit), outcome: 'gone' };
  try {
    if (kit.kind === 'usb')
      await saveOver(unlocked, kit, await judge(kit.path ?? '', ledger, [], kit.kit), share);
    else await renewCopy(unlocked, kit, share);
    return { ...naming(kit), outcome: 'rewritten' };
  } catch (thrown) {
    const { code, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant') throw thrown;
    return { ...naming(kit), outcome: 'failed', reason: message };
  }
};

/**
 * The server remembers the newest copy of each kit, so that a device that has lost its memory knows an older one.
 * @spec spec/usb-container.md, "Rollback"
 */
import { KeepsetError, bytesEqual, toHex, toKeepsetError } from '@keepset/bytes';
import type { KitNotes } from '@keepset/transport';
import type { KitNote } from '@keepset/wire';
import type { HomePaths } from '../home/paths.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { askForKit, type ServerKnowledge } from './behind.ts';
import { changeKit, loadLedger, newestWritten, withCopy, type LedgerCopy, type LedgerKit } from './ledger.ts';

/** Tells the server of every copy that it was not told of. Whatever stops this is said, and stops nothing else. */
export const noteCopies = async (
  paths: HomePaths,
  server: () => Promise<KitNotes | undefined>,
  terminal: Terminal,
): Promise<void> => {
  try {
    const untold = (await loadLedger(paths)).flatMap((kit) => {
      const copy = newestWritten(kit);
      return copy === undefined || copy.notedAt !== undefined ? [] : [{ kit, copy }];
    });
    const notes = untold.length === 0 ? undefined : await server();
    if (notes === undefined) return;
    for (const { kit, copy } of untold) {
      const refusal = await refusalOf(notes.noteKit(noteOf(kit, copy)));
      if (refusal === undefined) await changeKit(paths, kit, (now) => withNoted(now, copy));
      else
        terminal.note(`note: the server took no note of the copy on kit ${kit.kit.slice(0, 6)}: ${refusal}`);
    }
  } catch (thrown) {
    const { code, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant') throw thrown;
    terminal.note(`note: the server was not told of the newest copies: ${message}`);
    terminal.note('The next command that reaches it tells it.');
  }
};

/** The kit with a copy that the server was told of; a copy that is gone meanwhile stays gone. */
const withNoted = (kit: LedgerKit, { sha256 }: LedgerCopy): LedgerKit | undefined => {
  const copy = kit.copies.find((each) => bytesEqual(each.sha256, sha256));
  return copy === undefined ? undefined : withCopy(kit, { ...copy, notedAt: new Date().toISOString() });
};

/** What the server has against one note; the others may be good. */
const refusalOf = async (answer: Promise<unknown>): Promise<string | undefined> => {
  try {
    await answer;
    return undefined;
  } catch (thrown) {
    const { family, message, hint } = toKeepsetError(thrown);
    if (family === 'place' || family === 'store') return hint === undefined ? message : `${message} ${hint}`;
    throw thrown;
  }
};

const noteOf = ({ kit }: LedgerKit, { epoch, generation, sha256 }: LedgerCopy): KitNote => ({
  kit,
  epoch,
  generation,
  sha256,
});

/** A copy, and the key that the share in it is of. */
export interface CopyOfKey extends KitNote {
  readonly keyId: string;
}

/** How a copy compares with what the server was told of last; `unknown`: it was told of none. */
export type AgainstServer = 'newest' | 'newer' | 'older' | 'unknown';

/**
 * Compares a copy with the newest one the server was told of, of an epoch that the key has reached.
 * @param older whether the user wants an older copy all the same
 * @throws KeepsetError `place/stale` for an older copy unless it is wanted, `place/foreign` for another of the same
 * generation, and of family `transport/`.
 */
export const compareWithServer = async (
  server: ServerKnowledge,
  found: CopyOfKey,
  older: boolean,
): Promise<AgainstServer> => {
  const { newest } = await askForKit(server, found.keyId, found.kit);
  if (newest === undefined) return 'unknown';
  const later = found.epoch - newest.epoch || found.generation - newest.generation;
  if (later > 0) return 'newer';
  if (later === 0) {
    if (bytesEqual(found.sha256, newest.sha256)) return 'newest';
    throw new KeepsetError(
      'place/foreign',
      `This copy is ${nameOf(found)}, as the newest one the server knows of kit ${found.kit}, but is not that copy.`,
      { hint: 'Somebody else wrote it, or it was changed. Look for another copy.' },
    );
  }
  if (older) return 'older';
  throw new KeepsetError(
    'place/stale',
    `This copy of kit ${found.kit} is ${nameOf(found)}; ${nameOf(newest)} was written later, as the server knows.`,
    {
      hint: 'Look for the newer copy. If this may be the last one there is, use it all the same with --older.',
    },
  );
};

const nameOf = ({ epoch, generation, sha256 }: Omit<KitNote, 'kit'>): string =>
  `epoch ${epoch}, generation ${generation} (SHA-256 ${toHex(sha256.subarray(0, 4))}…)`;

/** What `--older` means, on each command that has it. */
export const olderOption = {
  older: {
    type: 'boolean',
    help: 'Take a copy although a newer one was written: it may be the last',
  },
} as const;

/** Said where a share comes back from a copy of which the server knows nothing. */
export const unknownLine =
  'note: the server was never told of this copy: nobody can tell whether a newer one was written.';

/** Said whenever an older copy is used. */
export const olderLine =
  'This is an OLDER copy: a newer one was written to this kit. Use it only if none is left, then write new ones.';

/** Which container on a stick is meant, and what can be said of it. Nothing here writes. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import {
  candidatesOf,
  checkRollback,
  findContainer,
  findContainers,
  inspectContainer,
  newestOf,
  nodeFileSystem,
  openNewest,
  slots,
  type Candidate,
  type ContainerRef,
  type ContainerReport,
} from '@keepset/places';
import { fromOption } from '../behind.ts';
import {
  damagedEntryError,
  isLater,
  newestWritten,
  type DamagedEntry,
  type Ledger,
  type LedgerCopy,
  type LedgerKit,
} from '../ledger.ts';

/** A container that was looked at, and the newest copy in it. */
export interface Judged {
  readonly report: ContainerReport;
  readonly candidate: Candidate;
  /** What this device remembers of the stick. */
  readonly known: LedgerKit | undefined;
  /** Its entry, where that cannot be read. */
  readonly damaged: DamagedEntry | undefined;
  /** Where the facts come from; `hashes`: the copy is as it was written, by whomever. */
  readonly by: 'code' | 'ledger' | 'hashes';
  readonly facts: CopyFacts | undefined;
  /** Whether both slots hold the copy. */
  readonly mirrored: boolean;
}

/** What is known of the copy itself. */
export interface CopyFacts {
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
}

/**
 * Finds the container, and its newest copy: with a code by opening, else by what this device remembers, else by what
 * lies beside it. Where its entry in the ledger is damaged, only a code tells what it holds.
 * @param older whether an older generation than was written is taken all the same
 * @throws KeepsetError `place/not-found`, `place/foreign` (wrong stick, foreign share), `place/stale` (an older
 * generation than was written; without a code, a newer copy that this device did not write), `place/damaged`, `place/locked` (wrong code), `input/invalid-argument` (several).
 */
export const judge = async (
  root: string,
  { kits, damaged: unreadable }: Ledger,
  codes: readonly string[],
  kit?: string,
  older = false,
): Promise<Judged> => {
  const sticks = kits.filter(({ kind }) => kind === 'usb');
  const container = await selectContainer(root, sticks, kit);
  const known = sticks.find((stick) => stick.kit === container.kit);
  const damaged = unreadable.find((entry) => entry.kit === container.kit);
  if (damaged !== undefined && codes.length === 0) throw damagedEntryError(damaged);
  if (known === undefined && codes.length === 0 && sticks.length > 0)
    throw new KeepsetError('place/foreign', `This device did not write this stick (kit ${container.kit}).`, {
      hint: `It wrote ${sticks.map((stick) => stick.kit).join(', ')}. Plug in that stick, or open this one with its recovery code.`,
    });
  const report = await inspectContainer(container);
  const judged = await newestBy(report, known, codes, older);
  const mirrored = slots.every((slot) =>
    report.slots[slot].candidates.some(
      ({ source, sha256 }) => source === 'as-is' && bytesEqual(sha256, judged.candidate.sha256),
    ),
  );
  return { report, known, damaged, mirrored, ...judged };
};

/** The one container on a stick that is meant. @throws KeepsetError as {@link judge} */
export const selectContainer = async (
  root: string,
  sticks: readonly LedgerKit[],
  kit: string | undefined,
): Promise<ContainerRef> => {
  const wanted = (await findContainers(nodeFileSystem, root)).filter(
    (container) => kit === undefined || container.kit === kit,
  );
  const [first] = wanted;
  if (first === undefined || new Set(wanted.map((container) => container.kit)).size > 1)
    // Says what is there instead, and what to do.
    return findContainer(nodeFileSystem, root, kit);
  if (wanted.length === 1) return first;
  const position = sticks.find((stick) => stick.kit === first.kit)?.position;
  const own = wanted.find((container) => container.party === position);
  if (own !== undefined) return own;
  const names = wanted.map(({ party }) => `share_party${party}`).join(', ');
  throw new KeepsetError('place/damaged', `Files of kit ${first.kit} were renamed: ${names}.`, {
    hint: 'One kit holds the share of one party. Give the files of the other number back their old name.',
  });
};

const newestBy = (
  report: ContainerReport,
  known: LedgerKit | undefined,
  codes: readonly string[],
  older: boolean,
): Promise<Pick<Judged, 'candidate' | 'by' | 'facts'>> => {
  if (codes.length > 0) return byCode(report, known, codes, older);
  return Promise.resolve(known === undefined ? byHashes(report) : byLedger(report, known, older));
};

const byCode = async (
  report: ContainerReport,
  known: LedgerKit | undefined,
  codes: readonly string[],
  older: boolean,
): Promise<Pick<Judged, 'candidate' | 'by' | 'facts'>> => {
  const { opened, candidate, rollback } = await openNewest(report, codes);
  opened.share.secret.wipe();
  const { keyId, epoch } = opened.share.group;
  const last = known === undefined ? undefined : newestWritten(known);
  if (known !== undefined && known.keyId !== keyId)
    throw new KeepsetError('place/foreign', `This stick holds a share of key ${keyId}, not ${known.keyId}.`, {
      hint: 'Somebody else’s copy lies where yours was. Keep it apart and use another stick.',
    });
  const isWanted = older && last !== undefined && rollback.generation < last.generation;
  // The generations of another device may be lower; the epoch counts first.
  const isLaterEpoch = last !== undefined && epoch > last.epoch;
  if (
    known !== undefined &&
    last !== undefined &&
    !isWanted &&
    !isLaterEpoch &&
    !isIntended(known, candidate)
  )
    checkRollback({ kit: known.kit, generation: last.generation, sha256: last.sha256 }, rollback);
  return { candidate, by: 'code', facts: { keyId, epoch, generation: opened.generation } };
};

const isIntended = ({ copies }: LedgerKit, { sha256 }: Candidate): boolean =>
  copies.some((copy) => copy.state === 'intended' && bytesEqual(copy.sha256, sha256));

const byLedger = (
  report: ContainerReport,
  known: LedgerKit,
  older: boolean,
): Pick<Judged, 'candidate' | 'by' | 'facts'> => {
  const candidates = candidatesOf(report);
  if (candidates.length === 0) throw nothingWhole();
  const [best, ...others] = candidates.flatMap((candidate) => {
    const copy = known.copies.find(({ sha256 }) => bytesEqual(sha256, candidate.sha256));
    return copy === undefined ? [] : [{ candidate, copy }];
  });
  if (best === undefined)
    throw new KeepsetError('place/foreign', 'This stick holds nothing that this device wrote to it.', {
      hint: nextWithCode(report),
    });
  const { candidate, copy } = others.reduce(
    (one, other) => (isLater(other.copy, one.copy) ? other : one),
    best,
  );
  refuseUnfinished(known);
  if (!older) refuseNewerUnknown(report, known, candidate);
  if (!older) refuseOlder(copy, newestWritten(known));
  return {
    candidate,
    by: 'ledger',
    facts: { keyId: known.keyId, epoch: copy.epoch, generation: copy.generation },
  };
};

/**
 * After a recovery elsewhere, the newest copy is one that this device does not know. Older ones it need not know: they
 * stay in the other slot when a recovery takes the stick over.
 */
const refuseNewerUnknown = (report: ContainerReport, { copies }: LedgerKit, chosen: Candidate): void => {
  const isKnown = (found: Pick<Candidate, 'sha256'>): boolean =>
    copies.some(({ sha256 }) => bytesEqual(sha256, found.sha256));
  const turnOf = ({ turn = -1 }: Candidate): number => turn;
  const candidates = candidatesOf(report);
  const last = Math.max(...candidates.filter(({ sha256 }) => bytesEqual(sha256, chosen.sha256)).map(turnOf));
  // What nothing vouches for is no more than damage where parity gives the slot back, or intact metadata name another.
  const isUnplaced = ({ turn, slot }: Candidate): boolean =>
    turn === undefined &&
    report.metadata === null &&
    report.slots[slot].content === 'unchecked' &&
    !report.slots[slot].candidates.some(isKnown);
  // What cannot be read just now may be whole all the same.
  const named = slots.flatMap((slot) =>
    report.slots[slot].candidates.some(isKnown) ? [] : report.slots[slot].named,
  );
  const isNewer =
    candidates.some((each) => !isKnown(each) && (turnOf(each) > last || isUnplaced(each))) ||
    named.some((each) => !isKnown(each) && each.turn > last);
  if (!isNewer) return;
  throw new KeepsetError('place/stale', 'The stick holds a newer copy that this device did not write.', {
    hint: nextWithCode(report),
  });
};

const nextWithCode = ({ container: { root } }: ContainerReport): string =>
  `Another device may have recovered from it since. Open it with its code: keepset usb verify FOLDER --code -. Is its epoch later than that of this device, then this device is behind: keepset recover --lost ${fromOption(root)} --code -. Otherwise keepset usb create FOLDER --again --code - writes the present share.`;

/** Where making the stick was cut off, its code may never have been shown or printed: only the code itself proves it. */
const refuseUnfinished = (known: LedgerKit): void => {
  if (newestWritten(known) !== undefined) return;
  throw new KeepsetError('place/damaged', 'Making this stick was cut off; perhaps nobody has its code.', {
    hint: `If you have the code, verify with it. Otherwise delete the folder keepset-${known.kit} and make the stick again.`,
  });
};

const refuseOlder = (found: LedgerCopy, last: LedgerCopy | undefined): void => {
  if (last === undefined || !isLater(last, found)) return;
  throw new KeepsetError(
    'place/stale',
    `The stick holds generation ${found.generation}; generation ${last.generation} was written to it.`,
    {
      hint: 'An old copy of the stick? Where no newer one is left, take it with --older; `keepset usb create FOLDER --again` writes the current share.',
    },
  );
};

const byHashes = (report: ContainerReport): Pick<Judged, 'candidate' | 'by' | 'facts'> => {
  const candidate = newestOf(report);
  if (candidate === undefined) throw nothingWhole();
  return { candidate, by: 'hashes', facts: undefined };
};

const nothingWhole = (): KeepsetError =>
  new KeepsetError('place/damaged', 'Neither slot holds a whole copy, and parity cannot mend them.', {
    hint: 'Write a new stick with `keepset usb create`. `keepset usb rescue` scans an image of this one.',
  });

/** What is damaged, in words; none if all is as it should be. A second slot that was never written is no damage. */
export const damageOf = ({ report }: Judged): readonly string[] => {
  const found: string[] = [];
  for (const slot of slots) {
    const { content, parity } = report.slots[slot];
    const neverWritten =
      content === 'missing' && parity === 'missing' && (report.metadata?.slots[slot] ?? null) === null;
    if (neverWritten) continue;
    if (content !== 'intact') found.push(`slot .${slot} is ${content}`);
    if (parity !== 'intact') found.push(`the parity of slot .${slot} is ${parity}`);
  }
  if (report.metadataFile !== 'intact') found.push(`metadata.json is ${report.metadataFile}`);
  return found;
};

/** Looking at a container without any key, and without altering it. */
import { basename } from 'node:path';
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import { maxShareFileBytes } from '@keepset/wire';
import { looksLikeAge } from '../copy.ts';
import type { FileSystem } from '../fs/port.ts';
import {
  folderOf,
  goneMedium,
  metadataPath,
  parityPath,
  refuseGoneMedium,
  slotPath,
  slots,
  type ContainerRef,
  type Slot,
} from './layout.ts';
import { decodeMetadata, maxMetadataBytes, type Metadata, type SlotFacts } from './metadata.ts';
import { decodeSidecar, maxParityBytes, repairWith, type Parity } from './parity.ts';

/** Bytes that a slot holds or held. */
export interface Candidate {
  readonly slot: Slot;
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
  /** `repaired` in memory with the parity sidecar. */
  readonly source: 'as-is' | 'repaired';
  /** Known if sidecar or metadata vouch for these very bytes. */
  readonly turn?: number;
  /** Whether the copy was certainly complete once: it lies there whole, or the metadata, written last, name it. */
  readonly settled: boolean;
}

/** How a file of the container is. `unsupported`: of a later version, or its version number is damaged. */
export type FileVerdict = 'intact' | 'damaged' | 'missing' | 'unsupported';

/** A slot as found. */
export interface SlotReport {
  readonly slot: Slot;
  /**
   * `intact`: sidecar or metadata vouch for it. `unchecked`: it looks right, but neither does. `repairable`: damaged,
   * and the sidecar repairs it.
   */
  readonly content: 'intact' | 'damaged' | 'missing' | 'unchecked' | 'repairable';
  readonly parity: FileVerdict;
  readonly candidates: readonly Candidate[];
  /** What intact parity and intact metadata say that it holds, whether it can be read or not. */
  readonly named: readonly SlotFacts[];
}

/** A container as found. */
export interface ContainerReport {
  readonly container: ContainerRef;
  readonly metadata: Metadata | null;
  readonly metadataFile: FileVerdict;
  readonly slots: Readonly<Record<Slot, SlotReport>>;
}

/** A file's content; null with its verdict if there is none to use. */
interface Read {
  readonly bytes: Uint8Array | null;
  readonly verdict: FileVerdict;
  readonly error?: KeepsetError;
}

/**
 * Reads every file of the container and says how each is. One that cannot be read (a bad sector, a link, 100 MB) is
 * damaged; the others are read all the same.
 * @throws KeepsetError `place/unreachable` if nothing at all can be read any more.
 */
export const inspectContainer = async (container: ContainerRef): Promise<ContainerReport> => {
  const { files } = container;
  const present = new Set(await files.names(folderOf(container)));
  const reads: Read[] = [];
  const read = async (path: string, limit: number): Promise<Read> => {
    const result = present.has(basename(path))
      ? await readOrVerdict(files, path, limit)
      : { bytes: null, verdict: 'missing' as const };
    reads.push(result);
    return result;
  };
  const metadataRead = await read(metadataPath(container), maxMetadataBytes);
  const decoded = decodeWith(metadataRead, decodeMetadata);
  const metadata = decoded.value?.kit === container.kit ? decoded.value : null;
  const inspect = async (slot: Slot): Promise<SlotReport> => {
    const content = await read(slotPath(container, slot), maxShareFileBytes);
    const sidecar = await read(parityPath(container, slot), maxParityBytes);
    const parity = decodeWith(sidecar, decodeSidecar);
    return { ...inspectSlot(slot, content, parity.value, metadata), parity: parity.verdict };
  };
  const report: ContainerReport = {
    container,
    metadata,
    metadataFile: decoded.value !== null && metadata === null ? 'damaged' : decoded.verdict,
    slots: { enc: await inspect('enc'), bak: await inspect('bak') },
  };
  if (reads.every(({ verdict }) => verdict === 'missing')) await refuseGoneMedium(files, folderOf(container));
  const gone = reads.find(({ error }) => error !== undefined && goneCodes.has(error.code))?.error;
  if (gone !== undefined && reads.every(({ bytes }) => bytes === null)) throw goneMedium(gone);
  return report;
};

/** What reading a name that was listed a moment ago gives when the medium was pulled out. */
const goneCodes: ReadonlySet<string> = new Set(['place/unreachable', 'place/not-found']);

const readOrVerdict = async (files: FileSystem, path: string, limit: number): Promise<Read> => {
  try {
    return { bytes: await files.read(path, limit), verdict: 'intact' };
  } catch (error) {
    const typed = toKeepsetError(error);
    if (typed.code === 'bug/invariant') throw error;
    return { bytes: null, verdict: 'damaged', error: typed };
  }
};

const decodeWith = <T>(
  { bytes, verdict }: Read,
  decode: (bytes: Uint8Array) => T,
): { readonly value: T | null; readonly verdict: FileVerdict } => {
  if (bytes === null) return { value: null, verdict };
  try {
    return { value: decode(bytes), verdict };
  } catch (error) {
    if (!(error instanceof KeepsetError)) throw error;
    return { value: null, verdict: error.code === 'wire/unsupported-version' ? 'unsupported' : 'damaged' };
  }
};

const inspectSlot = (
  slot: Slot,
  { bytes, verdict }: Read,
  parity: Parity | null,
  metadata: Metadata | null,
): Omit<SlotReport, 'parity'> => {
  const named = metadata?.slots[slot] ?? null;
  const candidates: Candidate[] = [];
  let vouched = false;
  if (bytes !== null) {
    const hash = sha256(bytes);
    const voucher = [parity, named].find((facts) => facts !== null && bytesEqual(facts.sha256, hash)) ?? null;
    vouched = voucher !== null;
    if (vouched || looksLikeAge(bytes))
      candidates.push({
        slot,
        bytes,
        sha256: hash,
        source: 'as-is',
        ...(voucher === null ? {} : { turn: voucher.turn }),
        settled: vouched,
      });
  }
  // Not needed where the slot holds what the sidecar describes.
  const isNews = parity !== null && candidates.every((known) => !bytesEqual(known.sha256, parity.sha256));
  const repaired = isNews ? repairWith(parity, bytes ?? new Uint8Array(0)) : null;
  if (isNews && repaired !== null)
    candidates.push({
      slot,
      bytes: repaired,
      sha256: parity.sha256,
      source: 'repaired',
      turn: parity.turn,
      settled: named !== null && bytesEqual(named.sha256, parity.sha256),
    });
  const content = (): SlotReport['content'] => {
    if (vouched) return 'intact';
    if (repaired !== null) return 'repairable';
    if (bytes === null) return verdict === 'missing' ? 'missing' : 'damaged';
    return looksLikeAge(bytes) && parity === null && named === null ? 'unchecked' : 'damaged';
  };
  const claims = [parity, named].flatMap((facts) =>
    facts === null ? [] : [{ sha256: facts.sha256, turn: facts.turn }],
  );
  return { slot, content: content(), candidates, named: claims };
};

/** All candidates: settled ones first, then by turn, the highest first. */
export const candidatesOf = (report: ContainerReport): Candidate[] =>
  slots
    .flatMap((slot) => report.slots[slot].candidates)
    .sort((a, b) => Number(b.settled) - Number(a.settled) || (b.turn ?? 0) - (a.turn ?? 0));

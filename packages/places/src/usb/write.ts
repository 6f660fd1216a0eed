/**
 * Writing to a container on a file system that keeps no journal. The rule that makes it safe: only the slot that
 * does not hold the newest copy is ever written, and nothing is renamed.
 * @spec spec/usb-container.md, "Saving"
 */
import { basename } from 'node:path';
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import { maxShareFileBytes, type FileSigner } from '@keepset/wire';
import { looksLikeAge } from '../copy.ts';
import type { FileSystem, OpenFile } from '../fs/port.ts';
import { candidatesOf, inspectContainer, type Candidate, type ContainerReport } from './inspect.ts';
import {
  folderOf,
  goneMedium,
  metadataPath,
  otherSlot,
  parityPath,
  slotPath,
  slots,
  type ContainerRef,
  type Slot,
} from './layout.ts';
import { encodeMetadata, type SlotFacts } from './metadata.ts';
import { encodeSidecar } from './parity.ts';

/** Names that hold recovery codes: such a file beside the share is the key under the mat. */
const codeFiles = ['recovery_codes.txt', 'recovery-codes.txt', 'identity.txt'];

/**
 * Makes a container and saves the first copy.
 * @throws KeepsetError `place/foreign` if recovery codes lie on the medium, `place/exists`, and as {@link saveCopy}.
 */
export const createContainer = async (
  container: ContainerRef,
  copy: Uint8Array,
  signer: FileSigner,
): Promise<ContainerReport> => {
  const { files, root } = container;
  checkCopyBytes(copy);
  await refuseCodes(files, root);
  if ((await files.facts(folderOf(container))) === null) {
    await files.makeFolder(folderOf(container));
    await files.syncFolder(root);
  }
  const report = await inspectContainer(container);
  if (
    slots.some((slot) => report.slots[slot].content !== 'missing' || report.slots[slot].parity !== 'missing')
  )
    throw new KeepsetError('place/exists', 'This container exists already.');
  return saveCopy(report, copy, signer);
};

/** @throws KeepsetError `place/foreign` */
const refuseCodes = async (files: FileSystem, root: string): Promise<void> => {
  const found = (await files.names(root)).find((name) => codeFiles.includes(name.toLowerCase()));
  if (found !== undefined)
    throw new KeepsetError('place/foreign', `${found} lies on this medium.`, {
      hint: 'Codes and share never lie together: print the codes, delete the file, and use another medium.',
    });
};

/**
 * Saves a copy into the slot that does not hold the newest one, and reads it back. A cached read proves little: verify
 * again after the medium was unplugged, then {@link mirrorCopy}.
 * @param newest which candidate is the newest, where the caller could open them and knows better.
 * @returns the container as it is then.
 * @throws KeepsetError `place/damaged` if it cannot be told which slot is newer, and the common codes.
 */
export const saveCopy = async (
  report: ContainerReport,
  copy: Uint8Array,
  signer: FileSigner,
  newest: Candidate | undefined = newestOf(report),
): Promise<ContainerReport> => {
  checkCopyBytes(copy);
  refuseLaterVersion(report);
  const target = newest === undefined ? 'enc' : otherSlot(newest.slot);
  await writeSlot(report, target, copy, signer, newest);
  return confirmed(report.container, target, copy);
};

/**
 * Copies the newest copy over the older one, so that both slots hold it. Also how an old copy is got rid of. Does
 * nothing if both are alike already.
 * @throws as {@link saveCopy}; `place/not-found` if there is nothing to copy.
 */
export const mirrorCopy = async (
  report: ContainerReport,
  signer: FileSigner,
  newest: Candidate | undefined = newestOf(report),
): Promise<ContainerReport> => {
  if (newest === undefined) throw new KeepsetError('place/not-found', 'The container holds no copy.');
  refuseLaterVersion(report);
  const target = otherSlot(newest.slot);
  const other = report.slots[target];
  if (
    other.content === 'intact' &&
    other.parity === 'intact' &&
    other.candidates[0] !== undefined &&
    bytesEqual(other.candidates[0].sha256, newest.sha256)
  )
    return report;
  await writeSlot(report, target, newest.bytes, signer, newest);
  return confirmed(report.container, target, newest.bytes);
};

/**
 * Rebuilds what is damaged: slots from their parity, parity and metadata from intact slots. Leaves a slot that cannot
 * be repaired alone, and writes the newest copy's slot last and only if its content itself is damaged.
 * @throws as {@link saveCopy}.
 */
export const repairContainer = async (
  report: ContainerReport,
  signer: FileSigner,
  newest: Candidate | undefined = newestOf(report),
): Promise<ContainerReport> => {
  if (newest === undefined) throw new KeepsetError('place/damaged', 'Neither slot can be repaired.');
  const { container } = report;
  // First a second whole copy, in the other slot; only then is the damaged slot itself touched.
  let current = await mirrorCopy(report, signer, newest);
  if (current.slots[newest.slot].content !== 'intact' || current.slots[newest.slot].parity !== 'intact') {
    const whole = current.slots[otherSlot(newest.slot)].candidates[0];
    await writeSlot(current, newest.slot, newest.bytes, signer, whole);
    current = await confirmed(container, newest.slot, newest.bytes);
  }
  if (current.metadataFile !== 'intact') {
    await writeMetadata(current, signer, {});
    current = await inspectContainer(container);
  }
  return current;
};

const refuseLaterVersion = ({ metadataFile }: ContainerReport): void => {
  if (metadataFile === 'unsupported')
    throw new KeepsetError('wire/unsupported-version', 'The metadata are of a later version.', {
      hint: 'Update Keepset. If no later version ever wrote here, metadata.json is damaged: delete it, then repair.',
    });
};

const checkCopyBytes = (copy: Uint8Array): void => {
  if (copy.length > maxShareFileBytes)
    throw new KeepsetError('wire/too-large', `A copy has at most ${maxShareFileBytes} bytes.`);
  if (!looksLikeAge(copy)) throw new KeepsetError('input/invalid-argument', 'A copy is an age file.');
};

/**
 * The newest candidate as far as can be told without a key.
 * @throws KeepsetError `place/damaged` if two slots hold something and nothing says which is newer.
 */
export const newestOf = (report: ContainerReport): Candidate | undefined => {
  const [first, ...others] = candidatesOf(report);
  if (first === undefined) return undefined;
  // Intact metadata name every copy that was complete: what they do not name is not needed.
  const certain = first.settled && report.metadata !== null;
  const rival = others.find(
    (other) =>
      other.slot !== first.slot && other.turn === undefined && !bytesEqual(other.sha256, first.sha256),
  );
  if (!certain && (rival !== undefined || (first.turn === undefined && others.length > 0)))
    throw new KeepsetError('place/damaged', 'It cannot be told which of the two slots is newer.', {
      hint: 'Unlock the container with its recovery identity, so that both can be opened.',
    });
  return first;
};

const writeSlot = async (
  report: ContainerReport,
  target: Slot,
  copy: Uint8Array,
  signer: FileSigner,
  newest: Candidate | undefined,
): Promise<void> => {
  const { container } = report;
  const { files } = container;
  const turns = candidatesOf(report).map((candidate) => candidate.turn ?? 0);
  const turn = 1 + Math.max(newest === undefined ? 0 : 1, ...turns);
  // Parity first: if the slot's own write is cut off, parity may complete it, and until then metadata vouches for
  // what the slot held before.
  await writeWhole(files, parityPath(container, target), encodeSidecar(copy, turn));
  await writeWhole(files, slotPath(container, target), copy);
  const written: SlotFacts = { sha256: sha256(copy), turn };
  await writeMetadata(report, signer, {
    [target]: written,
    ...(newest === undefined
      ? {}
      : { [otherSlot(target)]: { sha256: newest.sha256, turn: newest.turn ?? turn - 1 } }),
  });
};

const writeMetadata = async (
  report: ContainerReport,
  signer: FileSigner,
  change: Partial<Record<Slot, SlotFacts>>,
): Promise<void> => {
  const { container } = report;
  const known = (slot: Slot): SlotFacts | null => {
    const [candidate] = report.slots[slot].candidates;
    return candidate?.turn === undefined ? null : { sha256: candidate.sha256, turn: candidate.turn };
  };
  const facts = { enc: change.enc ?? known('enc'), bak: change.bak ?? known('bak') };
  const bytes = await encodeMetadata({ kit: container.kit, slots: facts }, signer);
  await writeWhole(container.files, metadataPath(container), bytes);
  await container.files.syncFolder(folderOf(container));
};

/**
 * Overwrites in place or creates, and syncs.
 * @throws KeepsetError `place/unreachable`, also where name or folder vanish meanwhile: Linux's word for a FAT32 stick
 * that was pulled out.
 */
const writeWhole = async (files: FileSystem, path: string, bytes: Uint8Array): Promise<void> => {
  const file = await openToWrite(files, path);
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
};

const openToWrite = async (files: FileSystem, path: string): Promise<OpenFile> => {
  try {
    return (await files.facts(path)) === null ? await files.create(path) : await files.truncate(path);
  } catch (error) {
    throw toKeepsetError(error).code === 'place/not-found' ? goneMedium(error) : error;
  }
};

const confirmed = async (container: ContainerRef, slot: Slot, copy: Uint8Array): Promise<ContainerReport> => {
  const report = await inspectContainer(container);
  const [candidate] = report.slots[slot].candidates;
  if (
    report.slots[slot].content !== 'intact' ||
    candidate === undefined ||
    !bytesEqual(candidate.bytes, copy)
  )
    throw new KeepsetError('place/damaged', 'The copy does not read back as it was written.', {
      hint: 'Do not trust this medium any more.',
    });
  return report;
};

/** Removes the container's own files and leaves its folder, and anything else in it. */
export const removeContainer = async (container: ContainerRef): Promise<void> => {
  const { files } = container;
  const own = [
    metadataPath(container),
    ...slots.flatMap((slot) => [parityPath(container, slot), slotPath(container, slot)]),
  ];
  const present = new Set(await files.names(folderOf(container)));
  for (const path of own) if (present.has(basename(path))) await files.remove(path);
  await files.syncFolder(folderOf(container));
};

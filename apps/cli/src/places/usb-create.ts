/** Writing this device's share to a stick. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import {
  createContainer,
  findContainers,
  newKitId,
  nodeFileSystem,
  renderCodeSheet,
  saveCopy,
  type Paper,
} from '@keepset/places';
import { encodeShareFile, generateIdentity, openingKeyOf, wipeIdentity } from '@keepset/wire';
import type { Terminal } from '../terminal/terminal.ts';
import { findKeyId } from '../home/keys.ts';
import { currentCopy, judge } from './container.ts';
import { usualDomain } from './health.ts';
import { loadLedger, nextGeneration, saveKit, withCopy, type LedgerCopy, type LedgerKit } from './ledger.ts';
import { domainOfFolder } from './look.ts';
import { refuseExisting, refuseSameMedium, writeNew } from './output.ts';
import type { Unlocked } from './unlock.ts';
import { finishAfterReplug } from './usb-check.ts';

/** Where the recovery code goes. It goes nowhere else. */
export interface CodeOutput {
  readonly sheet: string | undefined;
  readonly paper: Paper;
  readonly show: boolean;
}

/** A stick that was written. */
export interface WrittenStick {
  readonly kit: string;
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly state: 'written' | 'verified';
  /** Only where it was asked for and was not shown yet. */
  readonly code?: string;
}

/**
 * Makes a container with the share, sealed to a new identity: the stick's recovery code.
 * @throws KeepsetError `place/exists` (a container is there, or the code sheet), `place/foreign` (codes would lie on the
 * same medium), `input/invalid-argument` (the code would go nowhere), and those of the places.
 */
export const createStick = async (
  unlocked: Unlocked,
  terminal: Terminal,
  folder: string,
  key: string | undefined,
  output: CodeOutput,
): Promise<WrittenStick> => {
  const root = resolve(folder);
  await refuseContainers(root);
  await checkOutput(output, root);
  const { paths, vault, signer } = unlocked;
  const share = await vault.open(await findKeyId(vault, key));
  const identity = await generateIdentity();
  try {
    const { keyId } = share.group;
    const ledger = await loadLedger(paths);
    const position = share.group.parties.indexOf(share.party) + 1;
    const kit: LedgerKit = {
      kind: 'usb',
      kit: newKitId(),
      keyId,
      position,
      recipient: identity.recipient,
      copies: [],
    };
    const { copy, bytes } = await encodeCopy(share, nextGeneration(ledger, keyId), kit.recipient, unlocked);
    const ownPlace = await domainOfFolder(root, paths.root, share.party, usualDomain(kit));
    const code = openingKeyOf(identity);
    const { sheet } = output;
    // The sheet first: a stick whose code is on no paper is worth nothing.
    if (sheet !== undefined) await writeSheet(sheet, output.paper, kit, copy, code);
    try {
      await saveKit(paths, withCopy({ ...kit, path: root, domain: ownPlace }, copy));
      await createContainer({ files: nodeFileSystem, root, kit: kit.kit, party: position }, bytes, signer);
    } catch (error) {
      if (sheet !== undefined) await rm(sheet, { force: true });
      throw error;
    }
    // Shown now where somebody is there: what follows may fail, and the stick is written.
    const showNow = output.show && terminal.canAsk;
    if (showNow) for (const line of codeLines(code)) terminal.note(line);
    await saveKit(paths, withCopy({ ...kit, path: root, domain: ownPlace }, { ...copy, state: 'written' }));
    const state = await replugIfPossible(unlocked, terminal, root, kit.kit);
    return {
      ...summaryOf(kit, copy, state),
      ...(output.show && !showNow ? { code } : {}),
    };
  } finally {
    share.secret.wipe();
    wipeIdentity(identity);
  }
};

/**
 * Saves the current share over the older copy on a stick of this device, under the recovery code it has.
 * @throws KeepsetError as {@link judge}; `place/foreign` for a stick this device did not write.
 */
export const renewStick = async (
  unlocked: Unlocked,
  terminal: Terminal,
  folder: string,
  key: string | undefined,
): Promise<WrittenStick> => {
  const root = resolve(folder);
  const { paths, vault, signer } = unlocked;
  const ledger = await loadLedger(paths);
  const { known, report, candidate } = await judge(root, ledger, []);
  if (known === undefined)
    throw new KeepsetError('place/foreign', 'This device did not write this stick.', {
      hint: 'Make a new one: `keepset usb create` on another stick.',
    });
  const share = await vault.open(key === undefined ? known.keyId : await findKeyId(vault, key));
  try {
    if (share.group.keyId !== known.keyId)
      throw new KeepsetError('place/foreign', `This stick is for key ${known.keyId}.`, {
        hint: 'Use a stick of its own for each key.',
      });
    const generation = nextGeneration(ledger, known.keyId);
    const { copy, bytes } = await encodeCopy(share, generation, known.recipient, unlocked);
    await saveKit(paths, withCopy(known, copy));
    await saveCopy(report, bytes, signer, candidate);
    await saveKit(paths, withCopy({ ...known, path: root }, { ...copy, state: 'written' }));
    return summaryOf(known, copy, await replugIfPossible(unlocked, terminal, root, known.kit));
  } finally {
    share.secret.wipe();
  }
};

/** The code as people copy it: the prefix, then groups of four. */
export const codeLines = (code: string): readonly string[] => [
  'Recovery code of this kit; whoever has it and the share can use the share:',
  `  ${code.slice(0, 16)} ${(code.slice(16).match(/.{1,4}/g) ?? []).join(' ')}`,
];

const refuseContainers = async (root: string): Promise<void> => {
  const [first] = await findContainers(nodeFileSystem, root);
  if (first === undefined) return;
  throw new KeepsetError('place/exists', `There is a container on this stick already (kit ${first.kit}).`, {
    hint: 'To write the current share over it, add --again. For another key, use another stick.',
  });
};

const checkOutput = async ({ sheet, show }: CodeOutput, root: string): Promise<void> => {
  if (sheet === undefined && !show)
    throw new KeepsetError('input/invalid-argument', 'Nothing opens this stick but its recovery code.', {
      hint: 'Say where it goes: --code-sheet FILE.pdf (not on the stick) or --show-code.',
    });
  if (sheet === undefined) return;
  await refuseSameMedium(sheet, root);
  await refuseExisting(sheet);
};

const encodeCopy = async (
  share: KeyShare,
  generation: number,
  recipient: string,
  { paths, signer }: Unlocked,
): Promise<{ readonly copy: LedgerCopy; readonly bytes: Uint8Array }> => {
  const createdAt = new Date().toISOString();
  const bytes = await encodeShareFile(share, { generation, createdAt }, [recipient], signer);
  const sha256 = new Uint8Array(createHash('sha256').update(bytes).digest());
  const { keyId, epoch } = share.group;
  const source = (await currentCopy(paths, keyId))?.generation;
  const copy = { epoch, generation, sha256, createdAt, state: 'intended' } as const;
  return { bytes, copy: { ...copy, ...(source === undefined ? {} : { source }) } };
};

const writeSheet = async (
  path: string,
  paper: Paper,
  { kit, keyId, position }: LedgerKit,
  { createdAt, generation }: LedgerCopy,
  code: string,
): Promise<void> => {
  const facts = {
    paper,
    kit,
    keyId,
    createdAt,
    generation,
    opens: `The share of party ${position} of this key on the USB stick with the folder keepset-${kit}.`,
    alone: 'This sheet cannot sign and opens nothing without the stick.',
  };
  await writeNew(path, await renderCodeSheet(facts, code));
};

const summaryOf = (
  { kit, keyId }: LedgerKit,
  { epoch, generation }: LedgerCopy,
  state: WrittenStick['state'],
): WrittenStick => ({ kit, keyId, epoch, generation, state });

const replugIfPossible = async (
  unlocked: Unlocked,
  terminal: Terminal,
  root: string,
  kit: string,
): Promise<WrittenStick['state']> => {
  if (!terminal.canAsk) return 'written';
  terminal.note('Written. What was read back may come from memory, not from the stick.');
  if (!(await terminal.askYesNo('Unplug the stick and plug it in again. Is it back?'))) return 'written';
  // Without the code: that it is still in memory proves nothing of what was written down.
  await finishAfterReplug(unlocked, root, kit, []);
  return 'verified';
};

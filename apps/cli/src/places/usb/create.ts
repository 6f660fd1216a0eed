/** Writing this device's share to a stick. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import {
  candidatesOf,
  createContainer,
  findContainers,
  newKitId,
  nodeFileSystem,
  saveCopy,
} from '@keepset/places';
import { generateIdentity, openingKeyOf, wipeIdentity } from '@keepset/wire';
import type { Terminal } from '../../terminal/terminal.ts';
import { findKeyId } from '../../home/keys.ts';
import { refuseUnproven } from '../../home/recovery-record.ts';
import { behindError, fromOption, refuseBehind } from '../behind.ts';
import { judge, type Judged } from './container.ts';
import {
  damagedEntryError,
  newestWritten,
  readLedger,
  saveKit,
  usualDomain,
  withCopy,
  type LedgerCopy,
  type LedgerKit,
} from '../ledger.ts';
import { domainOfFolder, isOnDevice, placeAt } from '../look.ts';
import { nextGeneration } from '../numbers.ts';
import { refuseOtherShare } from '../other-share.ts';
import { refuseSameMedium } from '../output.ts';
import { checkCodeOutput, codeLines, encodeCopy, writeCodeSheet, type CodeOutput } from '../sealed-copy.ts';
import type { Unlocked } from '../unlock.ts';
import { finishAfterReplug } from './check.ts';

/** A stick that was written. */
export interface WrittenStick {
  readonly kit: string;
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly state: 'written' | 'verified';
  /** What it is lost together with. */
  readonly domain: string;
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
  const { sheet } = output;
  if (sheet !== undefined) await refuseSameMedium(sheet, root);
  await checkCodeOutput(output, 'stick');
  const { paths, vault, signer } = unlocked;
  const share = await vault.open(await findKeyId(vault, key));
  const identity = await generateIdentity();
  try {
    const { keyId } = share.group;
    const position = share.group.parties.indexOf(share.party) + 1;
    const id = newKitId();
    const kit: LedgerKit = {
      kind: 'usb',
      kit: id,
      keyId,
      position,
      recipient: identity.recipient,
      path: root,
      domain: await domainOfFolder(root, paths.root, share.party, usualDomain({ kind: 'usb', kit: id })),
      copies: [],
    };
    const generation = nextGeneration(await readLedger(paths), keyId);
    const { copy, bytes } = await encodeCopy(unlocked, share, generation, kit.recipient);
    const code = openingKeyOf(identity);
    // The sheet first: a stick whose code is on no paper is worth nothing.
    if (sheet !== undefined)
      await writeCodeSheet(sheet, output.paper, kit, copy, code, {
        name: `share_party${position}.enc`,
        where: `on the USB stick with the folder keepset-${id}`,
      });
    try {
      await saveKit(paths, withCopy(kit, copy));
      await createContainer({ files: nodeFileSystem, root, kit: id, party: position }, bytes, signer);
    } catch (error) {
      if (sheet !== undefined) await rm(sheet, { force: true });
      throw error;
    }
    // Shown now where somebody is there: what follows may fail, and the stick is written.
    const showNow = output.show && terminal.canAsk;
    if (showNow) for (const line of codeLines(code)) terminal.note(line);
    await saveKit(paths, withCopy(kit, { ...copy, state: 'written' }));
    const state = await replugIfPossible(unlocked, terminal, root, kit);
    return { ...summaryOf(kit, copy, state), ...(output.show && !showNow ? { code } : {}) };
  } finally {
    share.secret.wipe();
    wipeIdentity(identity);
  }
};

/**
 * Saves the current share over the older copy on a stick of this device, under the recovery code it has.
 * @param codes where given, what lies there is opened, and may be a copy of this epoch that this device does not know
 * @throws KeepsetError as {@link judge}, {@link refuseOtherShare} and {@link saveOver}; `place/foreign` for a stick this
 * device did not write.
 */
export const renewStick = async (
  unlocked: Unlocked,
  terminal: Terminal,
  folder: string,
  key: string | undefined,
  codes: readonly string[],
): Promise<WrittenStick> => {
  const root = resolve(folder);
  const { paths, vault } = unlocked;
  const judged = await judge(root, await readLedger(paths), codes);
  const { known } = judged;
  if (judged.damaged !== undefined) throw damagedEntryError(judged.damaged);
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
    await refuseUnproven(paths, share.group);
    await refuseOtherShare(judged.report, codes, share);
    const kit = { ...known, ...(await placeAt(known, root, paths.root, share.party)) };
    const copy = await saveOver(unlocked, kit, judged, share);
    return summaryOf(kit, copy, await replugIfPossible(unlocked, terminal, root, kit));
  } finally {
    share.secret.wipe();
  }
};

/**
 * Writes the share under the code the stick has, into the slot that does not hold the newest copy of which it is certain
 * that it was written: one that was cut off is written over.
 * @throws KeepsetError `place/stale` if the stick or the server knows something newer; then nothing is written.
 */
export const saveOver = async (
  unlocked: Pick<Unlocked, 'paths' | 'signer' | 'server'>,
  known: LedgerKit,
  { report, candidate, by, facts }: Pick<Judged, 'report' | 'candidate' | 'by' | 'facts'>,
  share: KeyShare,
): Promise<LedgerCopy> => {
  const { paths, signer, server } = unlocked;
  const { keyId, epoch } = share.group;
  if (facts !== undefined && facts.epoch > epoch)
    throw behindError(
      `The stick holds epoch ${facts.epoch}; the share on this device is of epoch ${epoch}.`,
      fromOption(report.container.root),
    );
  const there = facts?.epoch === epoch ? facts.generation : 0;
  const generation = Math.max(nextGeneration(await readLedger(paths), keyId), 1 + there);
  const { copy, bytes } = await encodeCopy(unlocked, share, generation, known.recipient);
  await refuseBehind(server, keyId, { kit: known.kit, ...copy });
  await saveKit(paths, withCopy(known, copy));
  const last = newestWritten(known)?.sha256;
  const certain = candidatesOf(report).find(({ sha256 }) => last !== undefined && bytesEqual(sha256, last));
  // What a code opened is whole.
  await saveCopy(report, bytes, signer, by === 'code' ? candidate : (certain ?? candidate));
  const written: LedgerCopy = { ...copy, state: 'written' };
  await saveKit(paths, withCopy(known, written));
  return written;
};

const refuseContainers = async (root: string): Promise<void> => {
  const [first] = await findContainers(nodeFileSystem, root);
  if (first === undefined) return;
  throw new KeepsetError('place/exists', `There is a container on this stick already (kit ${first.kit}).`, {
    hint: 'To write the current share over it, add --again. For another key, use another stick.',
  });
};

const summaryOf = (
  kit: LedgerKit,
  { epoch, generation }: LedgerCopy,
  state: WrittenStick['state'],
): WrittenStick => ({
  kit: kit.kit,
  keyId: kit.keyId,
  epoch,
  generation,
  state,
  domain: kit.domain ?? usualDomain(kit),
});

const replugIfPossible = async (
  unlocked: Unlocked,
  terminal: Terminal,
  root: string,
  kit: LedgerKit,
): Promise<WrittenStick['state']> => {
  if (!terminal.canAsk || isOnDevice(kit)) return 'written';
  terminal.note('Written. What was read back may come from memory, not from the stick.');
  if (!(await terminal.askYesNo('Unplug the stick and plug it in again. Is it back?'))) return 'written';
  // Without the code: that it is still in memory proves nothing of what was written down.
  await finishAfterReplug(unlocked, root, kit.kit, []);
  return 'verified';
};

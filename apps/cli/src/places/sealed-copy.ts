/** A copy that only a recovery code opens: how it is sealed, and where the code goes. */
import { createHash } from 'node:crypto';
import { KeepsetError } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import { renderCodeSheet, type Paper } from '@keepset/places';
import { encodeShareFile } from '@keepset/wire';
import { currentShare } from '../home/own-shares.ts';
import { refuseUnproven } from '../home/recovery-record.ts';
import type { LedgerCopy, LedgerKit } from './ledger.ts';
import { refuseExisting, writeNew } from './output.ts';
import type { Unlocked } from './unlock.ts';

/** Where the recovery code goes. It goes nowhere else. */
export interface CodeOutput {
  readonly sheet: string | undefined;
  readonly paper: Paper;
  readonly show: boolean;
}

/**
 * Seals the share to a kit's recipient, as a copy that is about to be written.
 * @throws KeepsetError `store/conflict` while it is not known whether the share is the right one
 */
export const encodeCopy = async (
  { paths, signer }: Pick<Unlocked, 'paths' | 'signer'>,
  share: KeyShare,
  generation: number,
  recipient: string,
): Promise<{ readonly copy: LedgerCopy; readonly bytes: Uint8Array }> => {
  await refuseUnproven(paths, share.group);
  const createdAt = new Date().toISOString();
  const bytes = await encodeShareFile(share, { generation, createdAt }, [recipient], signer);
  const sha256 = new Uint8Array(createHash('sha256').update(bytes).digest());
  const { keyId, epoch } = share.group;
  const source = (await currentShare(paths, keyId))?.generation;
  const copy = { epoch, generation, sha256, createdAt, state: 'intended' } as const;
  return { bytes, copy: { ...copy, ...(source === undefined ? {} : { source }) } };
};

/** @throws KeepsetError `input/invalid-argument` if the code would go nowhere, `place/exists`. */
export const checkCodeOutput = async ({ sheet, show }: CodeOutput, what: string): Promise<void> => {
  if (sheet === undefined && !show)
    throw new KeepsetError('input/invalid-argument', `Nothing opens this ${what} but its recovery code.`, {
      hint: `Say where it goes: --code-sheet FILE.pdf (not on the ${what}) or --show-code.`,
    });
  if (sheet !== undefined) await refuseExisting(sheet);
};

/**
 * Prints the code as PDF.
 * @param file the copy's name, and where it lies, as in `on the USB stick with the folder …`
 */
export const writeCodeSheet = async (
  path: string,
  paper: Paper,
  { kit, keyId, position }: LedgerKit,
  { createdAt, epoch, generation }: LedgerCopy,
  code: string,
  file: { readonly name: string; readonly where: string },
): Promise<void> => {
  const facts = {
    paper,
    kit,
    keyId,
    createdAt,
    epoch,
    generation,
    validity: 'Good for every later copy written in its place too; void only when that place is given up.',
    fileName: file.name,
    opens: `The share of party ${position} of this key ${file.where}.`,
    alone: 'This sheet cannot sign and opens nothing without that copy.',
  };
  await writeNew(path, await renderCodeSheet(facts, code));
};

/** The code as people copy it: the prefix, then groups of four. */
export const codeLines = (code: string): readonly string[] => [
  'Recovery code of this kit; whoever has it and the share can use the share:',
  `  ${code.slice(0, 16)} ${(code.slice(16).match(/.{1,4}/g) ?? []).join(' ')}`,
];

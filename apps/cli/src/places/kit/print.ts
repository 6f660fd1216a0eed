/** Printing this device's share as a recovery kit. */
import { rm } from 'node:fs/promises';
import {
  newKitId,
  renderCodeSheet,
  renderShareSheets,
  type CodeSheet,
  type KitFacts,
  type Paper,
} from '@keepset/places';
import { generateIdentity, openingKeyOf, wipeIdentity } from '@keepset/wire';
import { findKeyId } from '../../home/keys.ts';
import { readLedger, saveKit, usualDomain } from '../ledger.ts';
import { nextGeneration } from '../numbers.ts';
import { freshPaths, writeNew } from '../output.ts';
import { encodeCopy } from '../sealed-copy.ts';
import type { Unlocked } from '../unlock.ts';

/** A kit that was made. */
export interface PrintedKit {
  readonly kit: string;
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly codeSheet: string;
  readonly shareSheets: string;
}

/**
 * Seals the share to a new identity, the kit's recovery code, and writes both kinds of sheet as PDF.
 * @throws KeepsetError `place/exists`, `wire/too-large` (the share does not fit on paper), and those of the places.
 */
export const printKit = async (
  unlocked: Unlocked,
  out: string,
  paper: Paper,
  key: string | undefined,
): Promise<PrintedKit> => {
  const { paths, vault } = unlocked;
  const kit = newKitId();
  const [codeSheet = '', shareSheets = ''] = await freshPaths(out, [
    `keepset-${kit}-code.pdf`,
    `keepset-${kit}-share.pdf`,
  ]);
  const share = await vault.open(await findKeyId(vault, key));
  const identity = await generateIdentity();
  try {
    const { keyId, epoch, parties } = share.group;
    const generation = nextGeneration(await readLedger(paths), keyId);
    const { copy, bytes } = await encodeCopy(unlocked, share, generation, identity.recipient);
    const position = parties.indexOf(share.party) + 1;
    const facts = {
      paper,
      kit,
      createdAt: copy.createdAt,
      epoch,
      generation,
      keyId,
      validity: 'Void if a newer epoch exists: after each refresh or reshare, print anew.',
    };
    const codePdf = await renderCodeSheet(codeFacts(facts, position), openingKeyOf(identity));
    const sharePdf = await renderShareSheets({ ...shareFacts(facts, position), shareFile: bytes });
    await saveKit(paths, {
      kind: 'kit',
      kit,
      keyId,
      position,
      recipient: identity.recipient,
      domain: usualDomain({ kind: 'kit', kit }),
      copies: [{ ...copy, state: 'written' }],
    });
    await writeNew(codeSheet, codePdf);
    codePdf.fill(0);
    try {
      await writeNew(shareSheets, sharePdf);
    } catch (error) {
      await rm(codeSheet, { force: true });
      throw error;
    }
    return { kit, keyId, epoch, generation, codeSheet, shareSheets };
  } finally {
    share.secret.wipe();
    wipeIdentity(identity);
  }
};

type CommonFacts = Omit<KitFacts, 'opens' | 'alone'>;

const codeFacts = (facts: CommonFacts, position: number): CodeSheet => ({
  ...facts,
  fileName: 'share.age',
  opens: `The printed share of party ${position} of this key, on the share sheets of kit ${facts.kit}.`,
  alone: 'This sheet cannot sign and opens nothing without the share sheets.',
});

const shareFacts = (facts: CommonFacts, position: number): KitFacts => ({
  ...facts,
  opens: `The share of party ${position} of this key, encrypted to the recovery code of kit ${facts.kit}.`,
  alone: 'Without the code sheet these sheets open nothing.',
});

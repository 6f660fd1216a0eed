/** Verifying and repairing a stick. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { mirrorCopy, repairContainer } from '@keepset/places';
import { loadAccount } from '../../home/account.ts';
import { currentShare } from '../../home/own-shares.ts';
import type { HomePaths } from '../../home/paths.ts';
import { refuseUnproven } from '../../home/recovery-record.ts';
import { behindError, fromOption, refuseBehind } from '../behind.ts';
import { damageOf, judge, type Judged } from './container.ts';
import {
  damagedEntryError,
  loadLedger,
  readLedger,
  saveKit,
  withCopy,
  withObservation,
  type LedgerCopy,
  type LedgerKit,
} from '../ledger.ts';
import { placeAt, refuseOwnDisk } from '../look.ts';
import { refuseOtherShare, refuseTwoShares } from '../other-share.ts';
import type { Unlocked } from '../unlock.ts';

/**
 * Looks at a stick and alters nothing.
 * @throws KeepsetError as {@link judge}; `place/damaged` if anything needs repair, `place/stale` if this device holds a
 * later epoch of the key.
 */
export const verifyStick = async (
  paths: HomePaths,
  root: string,
  codes: readonly string[],
  kit?: string,
  older = false,
): Promise<Judged> => {
  const judged = await judge(root, await readLedger(paths), codes, kit, older);
  refuseDamage(judged);
  await refuseOldEpoch(paths, judged);
  await noteSeen(paths, root, judged);
  return judged;
};

/** What was seen of a stick of this device goes into the ledger, and where it was seen. */
const noteSeen = async (paths: HomePaths, root: string, { known, candidate, by }: Judged): Promise<void> => {
  const copy = notedCopy(known, candidate);
  if (known === undefined || copy === undefined) return;
  const observation =
    by === 'code' ? ({ kind: 'opened' } as const) : ({ kind: 'read', afresh: false } as const);
  await saveKit(paths, withObservation(await seenAt(paths, known, root), copy, observation));
};

/** The kit as it lies where it was found just now. */
const seenAt = async (paths: HomePaths, known: LedgerKit, root: string): Promise<LedgerKit> => {
  const { party } = await loadAccount(paths.account);
  return { ...known, ...(await placeAt(known, root, paths.root, party)) };
};

const notedCopy = (kit: LedgerKit | undefined, candidate: Judged['candidate']): LedgerCopy | undefined =>
  kit?.copies.find(({ sha256 }) => bytesEqual(sha256, candidate.sha256));

const refuseDamage = (judged: Judged): void => {
  const damage = damageOf(judged);
  if (damage.length === 0) return;
  if (judged.report.metadataFile === 'unsupported')
    throw new KeepsetError('wire/unsupported-version', 'The container is of a later version, or damaged.', {
      hint: 'Update Keepset.',
    });
  throw new KeepsetError('place/damaged', `The stick is damaged: ${damage.join('; ')}.`, {
    hint: 'A whole copy can still be read. Mend the stick with `keepset usb repair FOLDER`, or write another one.',
  });
};

const refuseOldEpoch = async (paths: HomePaths, { facts }: Pick<Judged, 'facts'>): Promise<void> => {
  const current = facts === undefined ? undefined : (await currentShare(paths, facts.keyId))?.epoch;
  if (facts === undefined || current === undefined || facts.epoch >= current) return;
  throw new KeepsetError(
    'place/stale',
    `The share on the stick is of epoch ${facts.epoch}; the key is at epoch ${current}.`,
    { hint: 'It is worth nothing any more. `keepset usb create FOLDER --again` writes the current one.' },
  );
};

/**
 * Verifies a stick that was unplugged and plugged in again, then writes the copy into the second slot as well.
 * @throws KeepsetError as {@link verifyStick}; `place/foreign` for a stick this device did not write, or a container on its
 * own disk; `place/stale`, with nothing written, if this device is behind what the stick holds or the server knows; {@link refuseUnproven} and
 * {@link refuseOtherShare}, with nothing written.
 */
export const finishAfterReplug = async (
  { paths, vault, signer, server }: Unlocked,
  root: string,
  kit: string | undefined,
  codes: readonly string[],
): Promise<Judged> => {
  const judged = await verifyStick(paths, root, codes, kit);
  const { known, report, candidate, facts } = judged;
  const noted = (await loadLedger(paths)).find((each) => each.kit === known?.kit);
  const copy = notedCopy(noted, candidate);
  const own = facts === undefined ? undefined : await currentShare(paths, facts.keyId);
  if (facts !== undefined && own !== undefined && facts.epoch > own.epoch)
    throw behindError(
      `The stick holds epoch ${facts.epoch}; the share on this device is of epoch ${own.epoch}.`,
      fromOption(root),
    );
  if (judged.damaged !== undefined) throw damagedEntryError(judged.damaged);
  if (noted === undefined || copy === undefined)
    throw new KeepsetError('place/foreign', 'This device did not write this stick.', {
      hint: 'Verify it without --replugged; only the device that wrote it completes it.',
    });
  await refuseOwnDisk(root, paths.root);
  if (!judged.mirrored) await refuseUnproven(paths, own ?? { ...copy, keyId: noted.keyId });
  if (own !== undefined && codes.length > 0) {
    const share = await vault.open(own.keyId);
    share.secret.wipe();
    await refuseOtherShare(report, codes, share);
  }
  await refuseBehind(server, noted.keyId, { kit: noted.kit, ...copy });
  const mirrored = await mirrorCopy(report, signer, candidate);
  await saveKit(paths, withObservation(noted, copy, { kind: 'read', afresh: true }));
  return { ...judged, report: mirrored, mirrored: true };
};

/** What is about to be written can be read back from memory only: that the medium held it is no evidence of the new state. */
const noteUnverified = async (paths: HomePaths, { known, candidate }: Judged): Promise<void> => {
  const copy = notedCopy(known, candidate);
  if (known === undefined || copy === undefined || copy.state === 'intended') return;
  const { readBackAt: _, ...others } = copy;
  await saveKit(paths, withCopy(known, { ...others, state: 'written' }));
};

/**
 * Mends what is damaged as far as a whole copy is left. Does nothing to a stick without damage.
 * @returns what was damaged.
 * @throws KeepsetError as {@link judge} and `repairContainer`; `place/stale`, with nothing written, if the key or this
 * device knows a later epoch, or the server a newer copy; {@link refuseUnproven} and {@link refuseTwoShares}, with nothing written
 */
export const repairStick = async (
  { paths, signer, server }: Unlocked,
  root: string,
  codes: readonly string[],
  kit?: string,
): Promise<Judged & { readonly repaired: readonly string[] }> => {
  const ledger = await readLedger(paths);
  const judged = await judge(root, ledger, codes, kit);
  const repaired = damageOf(judged);
  if (repaired.length === 0) return { ...judged, repaired };
  const { facts, candidate, report } = judged;
  await refuseOldEpoch(paths, judged);
  await refuseBehind(server, facts?.keyId, {
    kit: report.container.kit,
    sha256: candidate.sha256,
    ...facts,
  });
  if (facts !== undefined) await refuseUnproven(paths, facts);
  await refuseTwoShares(report, codes);
  await noteUnverified(paths, judged);
  await repairContainer(judged.report, signer, judged.candidate);
  return { ...(await judge(root, ledger, codes, judged.report.container.kit)), repaired };
};

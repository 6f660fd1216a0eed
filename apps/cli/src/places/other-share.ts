/** Two shares of one epoch that cannot both be right: one of them was forged, or is damaged. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import { groupHashOf, type GroupKey, type KeyShare } from '@keepset/ceremony';
import { candidatesOf, type ContainerReport } from '@keepset/places';
import { openShareFile } from '@keepset/wire';
import { fromOption } from './behind.ts';

/** Whether two shares of one epoch cannot both be right. A repair changes no public data: it does not make another one. */
export const isOther = (a: GroupKey, b: GroupKey): boolean =>
  a.epoch === b.epoch && !bytesEqual(groupHashOf(a), groupHashOf(b));

/**
 * Refuses to write to a container in which the codes open another share of the epoch that the device is at: it may be the
 * right one. What they do not open is not looked at.
 * @throws KeepsetError `place/foreign`
 */
export const refuseOtherShare = async (
  report: ContainerReport,
  codes: readonly string[],
  own: Pick<KeyShare, 'group' | 'party'>,
): Promise<void> => {
  if (codes.length === 0) return;
  for (const { bytes } of candidatesOf(report)) {
    const found = await openedOr(bytes, codes);
    if (found === undefined || found.group.epoch !== own.group.epoch) continue;
    if (found.party === own.party && !isOther(found.group, own.group)) continue;
    throw new KeepsetError(
      'place/foreign',
      `The stick holds different shares of epoch ${own.group.epoch}, or another one than this device; one of them is wrong.`,
      {
        hint: `Nothing was written. To find out which is right, recover from the stick, or from one of its slots by name, in a folder of its own: keepset recover --lost ${fromOption(report.container.root)} --code - --home DIR --invite URL`,
      },
    );
  }
};

/**
 * Refuses to write to a container whose slots hold two shares of one epoch: the one that would be written over may be the
 * right one. What the codes do not open is not looked at.
 * @throws KeepsetError `place/foreign`
 */
export const refuseTwoShares = async (report: ContainerReport, codes: readonly string[]): Promise<void> => {
  for (const { bytes } of codes.length === 0 ? [] : candidatesOf(report)) {
    const one = await openedOr(bytes, codes);
    if (one !== undefined) await refuseOtherShare(report, codes, one);
  }
};

const openedOr = async (
  file: Uint8Array,
  codes: readonly string[],
): Promise<Pick<KeyShare, 'group' | 'party'> | undefined> => {
  try {
    const { share } = await openShareFile(file, codes);
    share.secret.wipe();
    return share;
  } catch (thrown) {
    if (toKeepsetError(thrown).code === 'bug/invariant') throw thrown;
    return undefined;
  }
};

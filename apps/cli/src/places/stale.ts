/** Whether an opened copy is of the share as the device holds it now. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { GroupKey, KeyShare } from '@keepset/ceremony';
import type { OpenedShare } from '@keepset/wire';
import { behindError, fromOption } from './behind.ts';
import type { FinderPlace } from './finder/copy.ts';
import { newestWritten, type LedgerCopy, type LedgerKit } from './ledger.ts';

/** An opened copy, and what this device remembers of it. */
export interface NotedCopy {
  readonly opened: OpenedShare;
  readonly noted?: { readonly kit: LedgerKit; readonly copy: LedgerCopy };
  /** Of a copy in a Finder backup. */
  readonly seen?: FinderPlace;
}

/**
 * Refuses a copy that is not of the share as this device holds it. Of a later epoch, it is the device that is behind.
 * @param own not wiped yet: a repair shows in nothing but what lies beside the secret
 * @throws KeepsetError `place/stale`, `place/foreign`
 */
export const refuseStale = (
  { opened, noted, seen }: NotedCopy,
  own: KeyShare,
  ownGeneration: number,
  older: boolean,
): void => {
  const { group, party } = opened.share;
  const renewal = renewals[seen === undefined ? 'here' : 'phone'];
  if (group.keyId !== own.group.keyId || party !== own.party)
    throw new KeepsetError('place/foreign', `This copy holds ${party}’s share of key ${group.keyId}.`);
  if (group.epoch < own.group.epoch)
    throw new KeepsetError(
      'place/stale',
      `This copy is of epoch ${group.epoch}; the key is at epoch ${own.group.epoch}.`,
      { hint: `It is worth nothing any more. ${renewal}` },
    );
  const path = seen?.path ?? noted?.kit.path;
  if (group.epoch > own.group.epoch)
    throw behindError(
      `This copy is of epoch ${group.epoch}; the share on this device is of epoch ${own.group.epoch}.`,
      path === undefined ? undefined : fromOption(path),
    );
  const last = noted === undefined ? undefined : newestWritten(noted.kit);
  const isOldCopy =
    !older && last !== undefined && noted !== undefined && noted.copy.generation < last.generation;
  const source = noted?.copy.source;
  if (isOldCopy || (source !== undefined && source < ownGeneration))
    throw new KeepsetError(
      'place/stale',
      isOldCopy
        ? `This copy is generation ${opened.generation}; generation ${last.generation} was written later.`
        : beforeRepair,
      { hint: renewal },
    );
  refuseUnfitting(group, own.group);
  // Of a copy of which nobody noted what it was made from.
  if (!bytesEqual(opened.share.secret.reveal(), own.secret.reveal()))
    throw new KeepsetError('place/stale', beforeRepair, {
      hint: `${renewal} If that does not name it, make another copy in its place.`,
    });
};

const beforeRepair = 'This copy was made before a repair: what it holds beside the secret has changed since.';

/**
 * Refuses a copy whose public data is not that of the key.
 * @throws KeepsetError `place/damaged`
 */
export const refuseUnfitting = (group: GroupKey, own: GroupKey): void => {
  const isSame =
    bytesEqual(group.publicKey, own.publicKey) &&
    // Each epoch has its own.
    (group.epoch !== own.epoch ||
      (group.commitments.length === own.commitments.length &&
        group.commitments.every((point, at) => bytesEqual(point, own.commitments[at] ?? new Uint8Array(0)))));
  if (isSame) return;
  throw new KeepsetError('place/damaged', 'This copy does not fit the key as this device knows it.', {
    hint: 'Somebody else may have made it. Look for another copy.',
  });
};

const renewals = {
  here: 'Write the current share: `keepset backup --again`.',
  phone:
    'Put a copy of the current share on the phone, back the phone up, then run `keepset finder-backup add BACKUP`.',
} as const;

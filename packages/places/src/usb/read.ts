/** Opening the newest share in a container, and the guard against an older one being slipped in. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import { openShareFile, type OpenedShare, type OpeningKey } from '@keepset/wire';
import { candidatesOf, type Candidate, type ContainerReport } from './inspect.ts';
import { verifyMetadata } from './metadata.ts';

/** What the server keeps of a container, to notice an older state of it. */
export interface RollbackValue {
  readonly kit: string;
  readonly generation: number;
  readonly sha256: Uint8Array;
}

/** The newest share of a container. The caller wipes `opened.share.secret`. */
export interface ContainerShare {
  readonly opened: OpenedShare;
  readonly candidate: Candidate;
  /** Whether the metadata is signed by the device that wrote the share; null if there is none. */
  readonly metadataSigned: boolean | null;
  readonly rollback: RollbackValue;
}

/**
 * Opens everything the container may hold and gives the share with the highest signed epoch, and of that the highest
 * generation.
 * @throws KeepsetError of what stood in the way of the most trusted candidate, as `openShareFile`; `place/damaged` if
 * nothing in the container can be a share.
 */
export const openNewest = async (
  report: ContainerReport,
  keys: readonly OpeningKey[],
): Promise<ContainerShare> => {
  let best: { opened: OpenedShare; candidate: Candidate } | undefined;
  let firstError: KeepsetError | undefined;
  for (const candidate of candidatesOf(report)) {
    if (best !== undefined && bytesEqual(best.candidate.sha256, candidate.sha256)) continue;
    try {
      const opened = await openShareFile(candidate.bytes, keys);
      if (best === undefined || isNewer(opened, best.opened)) {
        best?.opened.share.secret.wipe();
        best = { opened, candidate };
      } else opened.share.secret.wipe();
    } catch (error) {
      firstError ??= toKeepsetError(error);
    }
  }
  if (best === undefined)
    throw (
      firstError ??
      new KeepsetError('place/damaged', 'Neither slot holds anything that can be a share.', {
        hint: 'keepset usb rescue scans the whole medium for it.',
      })
    );
  const { opened, candidate } = best;
  return {
    opened,
    candidate,
    metadataSigned: report.metadata === null ? null : verifyMetadata(report.metadata, opened.signerKey),
    rollback: {
      kit: report.container.kit,
      generation: opened.generation,
      sha256: candidate.sha256,
    },
  };
};

/** Devices count generations each for itself: one that was behind may have counted further in an older epoch. */
const isNewer = (a: OpenedShare, b: OpenedShare): boolean =>
  (a.share.group.epoch - b.share.group.epoch || a.generation - b.generation) > 0;

/**
 * Compares what was found with the highest the server has heard of.
 * @throws KeepsetError `place/foreign` (another kit, or the same generation with other content), `place/stale` (an
 * older generation). The user may override `place/stale` on purpose: it may be the last copy there is.
 */
export const checkRollback = (known: RollbackValue, found: RollbackValue): void => {
  if (known.kit !== found.kit)
    throw new KeepsetError('place/foreign', `This is kit ${found.kit}, not ${known.kit}.`);
  if (found.generation < known.generation)
    throw new KeepsetError(
      'place/stale',
      `The container holds generation ${found.generation}; generation ${known.generation} was written to it.`,
      { hint: 'Use it only if no newer copy is left.' },
    );
  if (found.generation === known.generation && !bytesEqual(found.sha256, known.sha256))
    throw new KeepsetError('place/foreign', 'The container holds another copy of the same generation.');
};

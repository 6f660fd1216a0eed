/** From pictures of share sheets back to the share file. */
import { createHash } from 'node:crypto';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { assembleChunks, checkTypedCode, scanCodes } from '@keepset/places';
import { openShareFile } from '@keepset/wire';
import type { HomePaths } from '../../home/paths.ts';
import { readLedger, saveKit, withObservation, type DamagedEntry } from '../ledger.ts';
import { readPicture } from './png.ts';

/** What the sheets hold. */
export interface ReadKit {
  readonly kit: string;
  readonly keyId: string;
  readonly party: string;
  readonly epoch: number;
  readonly generation: number;
  readonly file: Uint8Array;
}

/**
 * Reads the codes in the pictures, puts the share together and opens it.
 * @param codes recovery codes; where there are none, one in the pictures is used.
 * @throws KeepsetError `place/damaged` (codes missing or wrong), `place/foreign` (of several kits), `place/locked`
 * (another kit's recovery code), `input/invalid-argument` (pictures, or no recovery code).
 */
export const readKit = async (paths: readonly string[], codes: readonly string[]): Promise<ReadKit> => {
  const { kit, bytes: file, keys } = await readSheets(paths, codes);
  const { share, generation } = await openShareFile(file, keys);
  share.secret.wipe();
  const { keyId, epoch } = share.group;
  return { kit, keyId, party: share.party, epoch, generation, file };
};

/** The share file on the sheets, still sealed, and the keys to try on it. @throws KeepsetError as {@link readKit} */
export const readSheets = async (
  paths: readonly string[],
  codes: readonly string[],
): Promise<{ readonly kit: string; readonly bytes: Uint8Array; readonly keys: readonly string[] }> => {
  const texts: string[] = [];
  // One after the other: a page is large when it is unpacked.
  for (const path of paths) texts.push(...(await scanCodes([await readPicture(path)])));
  const scan = assembleChunks(texts);
  if (scan.status === 'more')
    throw new KeepsetError('place/damaged', missing(scan.have, scan.need), {
      hint: 'Scan all share sheets at 200 to 300 dpi, flat and whole; several pictures of a page are fine.',
    });
  const { kit, file } = scan.assembled;
  return { kit, bytes: file, keys: keysAmong(texts, codes) };
};

/**
 * Notes in the ledger that a kit of this device was read from its sheets and opened.
 * @returns its entry if that is damaged, so that nothing was noted
 * @throws KeepsetError of family `place/`
 */
export const noteKitOpened = async (
  paths: HomePaths,
  { kit, keyId, file }: ReadKit,
): Promise<DamagedEntry | undefined> => {
  const sha256 = new Uint8Array(createHash('sha256').update(file).digest());
  const { kits, damaged } = await readLedger(paths);
  const known = kits.find((each) => each.kit === kit && each.keyId === keyId);
  const copy = known?.copies.find((each) => bytesEqual(each.sha256, sha256));
  if (known !== undefined && copy !== undefined)
    await saveKit(paths, withObservation(known, copy, { kind: 'opened' }));
  return damaged.find((entry) => entry.kit === kit);
};

const missing = (have: number, need: number): string =>
  have === 0
    ? 'No code of a share sheet can be read in these pictures.'
    : `Only ${have} of the ${need} codes that are needed can be read.`;

const keysAmong = (texts: readonly string[], given: readonly string[]): readonly string[] => {
  const keys =
    given.length > 0
      ? given
      : texts.flatMap((text) => {
          const verdict = checkTypedCode(text);
          return verdict.status === 'ok' ? [verdict.identity] : [];
        });
  if (keys.length > 0) return keys;
  throw new KeepsetError('input/invalid-argument', 'The recovery code is needed.', {
    hint: 'Give --code CODE (or --code - to be asked), --identity FILE, or a picture of the code sheet as well.',
  });
};

/** Which of several opened copies is meant. */
import { KeepsetError } from '@keepset/bytes';
import type { OpenedShare } from '@keepset/wire';

/** What the user said of the share; anything left out fits. */
export interface Wanted {
  /** Key id or its beginning. */
  readonly key: string | undefined;
  readonly party: string | undefined;
}

/** A copy that was opened. */
export interface OpenedFile {
  readonly opened: OpenedShare;
}

/**
 * The newest copy of the one share that is meant. Wipes all others.
 * @throws KeepsetError `place/foreign` when nothing fits, `input/invalid-argument` when several shares do.
 */
export const chooseCopy = <Copy extends OpenedFile>(
  found: readonly Copy[],
  wanted: Wanted,
): Copy & { readonly older: readonly Copy[] } => {
  const fitting = found.filter((copy) => fits(copy, wanted));
  const [first] = fitting;
  const shares = new Set(fitting.map(shareOf));
  const best = fitting.reduce((a, b) => (isNewer(b, a) ? b : a), first ?? found[0]);
  for (const copy of found) if (copy !== best || shares.size !== 1) copy.opened.share.secret.wipe();
  if (best === undefined || first === undefined)
    throw new KeepsetError('place/foreign', `What lies here is ${list(found.map(shareOf))}.`, {
      hint: 'Not what was asked for with --key or --party. Look for another copy.',
    });
  if (shares.size > 1)
    throw new KeepsetError('input/invalid-argument', `There are several shares here: ${list([...shares])}.`, {
      hint: 'Say which with --key and --party; the others can be recovered afterwards.',
    });
  return { ...best, older: fitting.filter((copy) => copy !== best) };
};

const fits = ({ opened: { share } }: OpenedFile, { key, party }: Wanted): boolean =>
  share.group.keyId.startsWith((key ?? '').toLowerCase()) && (party === undefined || share.party === party);

const shareOf = ({ opened: { share } }: OpenedFile): string =>
  `${share.party}’s share of key ${share.group.keyId}`;

const isNewer = (a: OpenedFile, b: OpenedFile | undefined): boolean =>
  b === undefined ||
  a.opened.share.group.epoch > b.opened.share.group.epoch ||
  (a.opened.share.group.epoch === b.opened.share.group.epoch && a.opened.generation > b.opened.generation);

const list = (texts: readonly string[]): string => [...new Set(texts)].join('; ');

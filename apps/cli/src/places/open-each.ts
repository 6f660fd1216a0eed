/** Opening share files of which one at least is meant. */
import { toKeepsetError, type KeepsetError } from '@keepset/bytes';
import { openShareFile, type OpenedShare, type OpeningKey } from '@keepset/wire';

/**
 * Opens what can be opened. The caller wipes each `opened.share.secret`.
 * @throws KeepsetError as `openShareFile`, for the reason that helps most, if there are files and none opens
 */
export const openEach = async <File extends { readonly bytes: Uint8Array }>(
  files: readonly File[],
  keys: readonly OpeningKey[],
): Promise<readonly (File & { readonly opened: OpenedShare })[]> => {
  const found: (File & { readonly opened: OpenedShare })[] = [];
  const errors: KeepsetError[] = [];
  for (const file of files) {
    try {
      found.push({ ...file, opened: await openShareFile(file.bytes, keys) });
    } catch (thrown) {
      errors.push(toKeepsetError(thrown));
    }
  }
  const [first] = errors.toSorted((a, b) => rank(a) - rank(b));
  if (found.length === 0 && first !== undefined) throw first;
  return found;
};

/** A wrong code or passphrase before damage. */
const rank = ({ code }: KeepsetError): number =>
  code === 'input/wrong-passphrase' ? 0 : code === 'place/locked' ? 1 : 2;

import { KeepsetError, toKeepsetError } from '@keepset/bytes';
import type { ShareVault } from '@keepset/ceremony';

/**
 * Finds the key meant by an id or the beginning of one; without it, the only key there is.
 * @throws KeepsetError `input/unknown-key` or `input/invalid-argument` when several fit.
 */
export const findKeyId = async (vault: ShareVault, text: string | undefined): Promise<string> => {
  const ids = await vault.list();
  const found = ids.filter((id) => id.startsWith((text ?? '').toLowerCase()));
  const [only, ...others] = found;
  if (only === undefined)
    throw new KeepsetError(
      'input/unknown-key',
      text === undefined ? 'This device holds no key yet.' : `This device holds no key ${text}.`,
      {
        hint: text === undefined ? 'Make one with `keepset keygen`.' : 'See `keepset keys`.',
      },
    );
  if (others.length > 0)
    throw new KeepsetError(
      'input/invalid-argument',
      text === undefined ? 'There are several keys; say which.' : `Several keys begin with ${text}.`,
      {
        hint: `Use --key with one of: ${found.join(', ')}`,
      },
    );
  return only;
};

/** Why the share of a key cannot be opened; undefined if it can. One damaged file hides no other key. */
export const shareDamage = async (vault: ShareVault, keyId: string): Promise<KeepsetError | undefined> => {
  try {
    (await vault.open(keyId)).secret.wipe();
    return undefined;
  } catch (thrown) {
    const error = toKeepsetError(thrown);
    if (error.code === 'bug/invariant') throw thrown;
    return error;
  }
};

/** What to say of such a share, below the id of its key. */
export const shareDamageLines = (message: string): readonly string[] => [
  `  ${message}`,
  '  Bring the share back from a copy: keepset recover --from PATH',
  '  Without a copy, on another device of the key: keepset repair PARTY',
];

import { KeepsetError } from '@keepset/bytes';
import type { KeyShare, ShareVault } from '@keepset/ceremony';
import { readVaultHeader } from '@keepset/wire';
import { findKeyId } from '../home/keys.ts';

/**
 * Opens the share of the key that opens files: the one that is named, or the only one.
 * @throws KeepsetError `input/unsupported` for a key that signs, `input/unknown-key`, `input/invalid-argument`
 */
export const openVaultShare = async (vault: ShareVault, text: string | undefined): Promise<KeyShare> => {
  if (text !== undefined) return openNamed(vault, text);
  const shares = await openAll(vault);
  const [only, ...others] = shares;
  if (only === undefined) throw noVaultKey();
  if (others.length === 0) return only;
  wipe(shares);
  throw new KeepsetError('input/invalid-argument', 'There are several keys that open files; say which.', {
    hint: `Use --key with one of: ${shares.map(({ group }) => group.keyId).join(', ')}`,
  });
};

/**
 * Opens the share of the key that a file is sealed to: the one that is named, or the one that the file names.
 * @param head beginning of the file, binary.
 * @throws KeepsetError as {@link openVaultShare} and `readVaultHeader`
 */
export const openShareFor = async (
  vault: ShareVault,
  text: string | undefined,
  head: Uint8Array,
): Promise<KeyShare> => {
  const shares = text === undefined ? await openAll(vault) : [await openNamed(vault, text)];
  if (shares.length === 0) throw noVaultKey();
  let refusal: unknown;
  let found: KeyShare | undefined;
  for (const share of shares) {
    try {
      if (found === undefined) await readVaultHeader(head, share.group.publicKey);
      found ??= share;
    } catch (error) {
      refusal = error;
    }
  }
  wipe(shares.filter((share) => share !== found));
  if (found === undefined) throw refusal;
  return found;
};

const openNamed = async (vault: ShareVault, text: string): Promise<KeyShare> => {
  const share = await vault.open(await findKeyId(vault, text));
  if (share.group.scheme === 'ecdh-p256') return share;
  share.secret.wipe();
  throw new KeepsetError('input/unsupported', `Key ${share.group.keyId} signs; it opens no files.`, {
    hint: 'Make a key that does: keepset keygen --scheme ecdh-p256.',
  });
};

const openAll = async (vault: ShareVault): Promise<KeyShare[]> => {
  const shares: KeyShare[] = [];
  for (const keyId of await vault.list()) {
    const share = await vault.open(keyId);
    if (share.group.scheme === 'ecdh-p256') shares.push(share);
    else share.secret.wipe();
  }
  return shares;
};

const wipe = (shares: readonly KeyShare[]): void => {
  for (const { secret } of shares) secret.wipe();
};

const noVaultKey = (): KeepsetError =>
  new KeepsetError('input/unknown-key', 'This device holds no key that opens files.', {
    hint: 'Make one with `keepset keygen --scheme ecdh-p256`.',
  });

/** The phone's own places: files under Data Protection, and iCloud Keychain. */
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  bytesEqual,
  decodeAs,
  encodeCbor,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { maxShareFileBytes, tagIdentity, tagRecipient, type Identity } from '@keepset/wire';
import { byName, checkCopy, checkName, checkRead, healthOf, refuseOlder, sameGeneration } from '../copy.ts';
import { openFilePlace } from '../file/place.ts';
import type { FileSystem } from '../fs/port.ts';
import type { CopyEntry, CopyName, PendingPlace, SharePlace, StoredCopy } from '../port.ts';
import { propertiesOf } from '../properties.ts';
import type { EnclaveKey, FileProtection, NativeVault } from './port.ts';

const folder = '/shares';

/** The app's files as a file system of one folder. A file exists once it is synced: the vault writes atomically. */
const vaultFiles = (
  vault: NativeVault,
  prefix: string,
  protection: FileProtection,
  inBackup: boolean,
): FileSystem => {
  const nameOf = (path: string): string => prefix + path.slice(folder.length + 1);
  const has = async (path: string): Promise<boolean> => (await vault.fileNames()).includes(nameOf(path));
  return {
    facts: async (path) => {
      if (path === folder) return { kind: 'folder', size: 0, mode: 0 };
      return (await has(path)) ? { kind: 'file', size: 0, mode: 0 } : null;
    },
    makeFolder: async () => {
      throw new KeepsetError('place/exists', 'The folder is there already.');
    },
    names: async () =>
      (await vault.fileNames())
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length)),
    read: async (path, maxBytes) => {
      const bytes = await vault.readFile(nameOf(path));
      if (bytes.length > maxBytes)
        throw new KeepsetError('wire/too-large', `The file has more than ${maxBytes} bytes.`);
      return bytes;
    },
    create: async (path) => {
      if (await has(path)) throw new KeepsetError('place/exists', 'The file is there already.');
      const parts: Uint8Array[] = [];
      return {
        write: async (bytes) => void parts.push(Uint8Array.from(bytes)),
        sync: () =>
          vault.writeFile(nameOf(path), Uint8Array.from(Buffer.concat(parts)), protection, inBackup),
        close: async () => {},
      };
    },
    truncate: async () => {
      throw new KeepsetError('input/unsupported', 'Files on the phone are replaced whole.');
    },
    rename: (from, to) => vault.renameFile(nameOf(from), nameOf(to)),
    remove: (path) => vault.removeFile(nameOf(path)),
    syncFolder: async () => {},
  };
};

/**
 * Files under Data Protection. `inBackup` decides whether this place and the Finder backup are one: a copy that is in
 * backups is lost and found with them.
 */
export const openProtectedFilePlace = (
  vault: NativeVault,
  options: { readonly inBackup: boolean },
): Promise<PendingPlace> =>
  openFilePlace(
    folder,
    vaultFiles(vault, options.inBackup ? 'backed/' : 'shares/', 'complete', options.inBackup),
    'protected-file',
  );

/** Files that only the Secure Enclave of this phone opens; never in a backup, where they would be dead weight. */
export const openEnclavePlace = (vault: NativeVault): Promise<PendingPlace> =>
  openFilePlace(folder, vaultFiles(vault, 'enclave/', 'complete', false), 'secure-enclave');

/** Recipient for copies in {@link openEnclavePlace}. */
export const enclaveRecipient = (key: EnclaveKey): string => tagRecipient(key.publicKey);

/** Opens copies sealed to {@link enclaveRecipient}. @param reason shown with the Face ID prompt. */
export const enclaveIdentity = (vault: NativeVault, key: EnclaveKey, reason: string): Identity =>
  tagIdentity(key.publicKey, (peer) => vault.enclaveAgree(key.blob, peer, reason));

interface Item {
  readonly v: 1;
  readonly generation: number;
  readonly bytes: Uint8Array;
}
const itemSchema: Schema<Item> = v.strictObject({
  v: v.literal(1),
  generation: integerBetween(0, Number.MAX_SAFE_INTEGER),
  bytes: bytesBetween(0, maxShareFileBytes),
});

const accountPrefix = 'keepset.share.';
const accountOf = ({ keyId, epoch }: CopyName): string => `${accountPrefix}${keyId}.${epoch}`;
const nameOf = (account: string): CopyName | null => {
  const [, keyId, epoch] = /^keepset\.share\.([a-z2-7]{26})\.(0|[1-9]\d{0,15})$/.exec(account) ?? [];
  return keyId === undefined ? null : { keyId, epoch: Number(epoch) };
};

/**
 * iCloud Keychain: synchronizable items, end-to-end encrypted by Apple and by us. Another device of the account may
 * write or delete at any time, so a copy may vanish; with sync off it is on this phone only, which health says.
 * Keychain access flags do not combine with sync: what protects the copy is its own encryption.
 */
export const icloudKeychainPlace = (vault: NativeVault): SharePlace => {
  const read = async (account: string): Promise<StoredCopy | null> => {
    const data = await vault.keychainGet(account, true);
    if (data === null) return null;
    try {
      const { generation, bytes } = decodeAs(itemSchema, data, 'keychain item');
      return { generation, bytes };
    } catch (cause) {
      throw new KeepsetError('place/damaged', 'The keychain item is damaged.', { cause });
    }
  };
  const get = async (name: CopyName): Promise<StoredCopy | null> => {
    checkName(name);
    const copy = await read(accountOf(name));
    if (copy !== null) checkRead(copy.bytes);
    return copy;
  };
  return {
    kind: 'icloud-keychain',
    describe: () => propertiesOf('icloud-keychain'),
    get,
    put: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      const before = await read(accountOf(name)).catch(onlyDamaged);
      if (before !== null) {
        refuseOlder(meta.generation, before.generation);
        const isSame = bytesEqual(before.bytes, bytes);
        if (meta.generation === before.generation && !isSame) throw sameGeneration(meta.generation);
        if (isSame) return;
      }
      const data = encodeCbor({ v: 1, generation: meta.generation, bytes });
      await vault.keychainPut({
        account: accountOf(name),
        data,
        synchronizable: true,
        accessible: 'when-unlocked',
      });
      const after = await read(accountOf(name));
      if (after === null || !bytesEqual(after.bytes, bytes))
        throw new KeepsetError('place/damaged', 'The copy does not read back as it was written.');
    },
    list: async () => {
      const entries: CopyEntry[] = [];
      for (const account of await vault.keychainAccounts(true)) {
        const name = nameOf(account);
        const copy = name === null ? null : await read(account).catch(onlyDamaged);
        if (name !== null && copy !== null)
          entries.push({ ...name, generation: copy.generation, state: 'current' });
      }
      return entries.sort(byName);
    },
    remove: async (name) => {
      checkName(name);
      await vault.keychainDelete(accountOf(name), true);
    },
    health: async (name) => {
      const health = await healthOf(name, get);
      if (health.status !== 'readable' || (await vault.status()).syncOn) return health;
      return { ...health, warning: 'sync-off' };
    },
  };
};

/** A damaged item may be replaced and is not listed; anything else is an error. */
const onlyDamaged = (error: unknown): null => {
  if (error instanceof KeepsetError && error.code === 'place/damaged') return null;
  throw error;
};

/**
 * Phones in memory that behave as iPhones do where copies of shares live or die: protection classes, lock, biometry,
 * iCloud Keychain with its spreading deletions, backup and restore to the same or another phone.
 */
import { p256 } from '@noble/curves/nist.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError, toHex } from '@keepset/bytes';
import type { EnclaveAccess, FileProtection, KeychainItem, NativeVault } from './port.ts';

interface StoredFile {
  readonly bytes: Uint8Array;
  readonly protection: FileProtection;
  readonly inBackup: boolean;
}
interface HeldKey {
  readonly secret: Uint8Array;
  readonly access: EnclaveAccess;
  /** Biometric enrolment at creation. */
  readonly enrolment: number;
}

/** An Apple account: the synchronizable items of its phones. */
export interface MemoryAccount {
  readonly items: Map<string, KeychainItem>;
}

/** Makes an account. */
export const memoryAccount = (): MemoryAccount => ({ items: new Map() });

/** What a computer keeps of a phone. */
export interface MemoryBackup {
  readonly encrypted: boolean;
  /** Which phone it was made of. */
  readonly device: object;
  readonly files: ReadonlyMap<string, StoredFile>;
  readonly keychain: readonly KeychainItem[];
}

/** A phone, and what its owner or a thief may do to it. */
export interface MemoryPhone {
  readonly vault: NativeVault;
  lock(): void;
  unlock(): void;
  /** Off and on again: locked, and not unlocked since. */
  reboot(): void;
  setPasscode(on: boolean): void;
  /** Enrols face or finger anew. */
  enrolBiometry(): void;
  /** How the user answers the next prompts, and how many there were. */
  answerPrompts(accept: boolean): void;
  prompts(): number;
  setSync(on: boolean): void;
  backup(encrypted: boolean): MemoryBackup;
  /** Replaces what the phone holds. */
  restore(backup: MemoryBackup): void;
  /** Erases all content: keys, items and files. The account keeps what was synced. */
  erase(): void;
}

const locked = (message: string): KeepsetError => new KeepsetError('place/locked', message);
const isDeviceOnly = ({ accessible }: KeychainItem): boolean => accessible.endsWith('this-device-only');

/** Makes an unlocked phone with a passcode. Without an account there is no sync. */
export const memoryPhone = (account?: MemoryAccount): MemoryPhone => {
  const device = {};
  let enclave = new Map<string, HeldKey>();
  let local = new Map<string, KeychainItem>();
  let files = new Map<string, StoredFile>();
  let isLocked = false;
  let unlockedOnce = true;
  let passcodeSet = true;
  let syncOn = account !== undefined;
  let enrolment = 1;
  let accept = true;
  let asked = 0;

  /** Synchronizable items as this phone sees them: the account's while sync is on, its last state otherwise. */
  let offline = new Map<string, KeychainItem>();
  const synced = (): Map<string, KeychainItem> => (syncOn && account !== undefined ? account.items : offline);

  const prompt = (): void => {
    asked += 1;
    if (!accept) throw locked('The user declined.');
  };
  const checkAccessible = (item: KeychainItem): void => {
    const needsUnlock = item.accessible !== 'after-first-unlock';
    if (needsUnlock ? isLocked : !unlockedOnce) throw locked('The keychain item needs the phone unlocked.');
  };
  const itemsOf = (synchronizable: boolean): Map<string, KeychainItem> => (synchronizable ? synced() : local);
  const fileAt = (name: string): StoredFile => {
    const file = files.get(name);
    if (file === undefined) throw new KeepsetError('place/not-found', 'There is no such file.');
    return file;
  };

  const vault: NativeVault = {
    status: async () => ({ locked: isLocked, passcodeSet, syncOn: syncOn && account !== undefined }),
    createEnclaveKey: async (access) => {
      if (isLocked) throw locked('The phone is locked.');
      if (access !== 'unlocked' && !passcodeSet)
        throw new KeepsetError('input/invalid-argument', 'Without a passcode nobody can be asked for one.');
      const secret = p256.utils.randomSecretKey();
      const blob = randomBytes(32);
      enclave.set(toHex(blob), { secret, access, enrolment });
      return { blob, publicKey: p256.getPublicKey(secret, false) };
    },
    enclaveAgree: async (blob, peer) => {
      const key = enclave.get(toHex(blob));
      if (key === undefined)
        throw new KeepsetError('place/damaged', 'The key is of another device, or was erased.');
      if (isLocked) throw locked('The phone is locked.');
      if (key.access === 'biometry-current-set' && key.enrolment !== enrolment)
        throw new KeepsetError('place/damaged', 'Face ID or Touch ID was enrolled anew: the key is gone.');
      if (key.access !== 'unlocked') prompt();
      return p256.getSharedSecret(key.secret, peer, true).slice(1);
    },
    keychainPut: async (item) => {
      if (item.synchronizable && isDeviceOnly(item))
        throw new KeepsetError('input/invalid-argument', 'A this-device-only item cannot sync.');
      if (item.accessible === 'when-passcode-set-this-device-only' && !passcodeSet)
        throw new KeepsetError('input/invalid-argument', 'No passcode is set.');
      checkAccessible(item);
      itemsOf(item.synchronizable).set(item.account, { ...item, data: Uint8Array.from(item.data) });
    },
    keychainGet: async (name, synchronizable) => {
      const item = itemsOf(synchronizable).get(name);
      if (item === undefined) return null;
      checkAccessible(item);
      return Uint8Array.from(item.data);
    },
    keychainAccounts: async (synchronizable) => [...itemsOf(synchronizable).keys()],
    keychainDelete: async (name, synchronizable) => void itemsOf(synchronizable).delete(name),
    writeFile: async (name, bytes, protection, inBackup) => {
      if (isLocked && (protection === 'complete' || (protection === 'until-first-unlock' && !unlockedOnce)))
        throw locked('The file’s protection class needs the phone unlocked.');
      files.set(name, { bytes: Uint8Array.from(bytes), protection, inBackup });
    },
    readFile: async (name) => {
      const { bytes, protection } = fileAt(name);
      if (protection === 'until-first-unlock' ? !unlockedOnce : isLocked)
        throw locked('The file’s protection class needs the phone unlocked.');
      return Uint8Array.from(bytes);
    },
    fileNames: async () => [...files.keys()],
    renameFile: async (from, to) => {
      files.set(to, fileAt(from));
      files.delete(from);
    },
    removeFile: async (name) => {
      fileAt(name);
      files.delete(name);
    },
  };

  const wipe = (): void => {
    enclave = new Map();
    local = new Map();
    files = new Map();
    offline = new Map();
  };

  return {
    vault,
    lock: () => {
      isLocked = passcodeSet;
    },
    unlock: () => {
      isLocked = false;
      unlockedOnce = true;
    },
    reboot: () => {
      isLocked = passcodeSet;
      unlockedOnce = !passcodeSet;
    },
    setPasscode: (on) => {
      passcodeSet = on;
      // Turning the passcode off deletes what was promised to exist only with one.
      if (!on)
        for (const [name, item] of local)
          if (item.accessible === 'when-passcode-set-this-device-only') local.delete(name);
    },
    enrolBiometry: () => {
      enrolment += 1;
    },
    answerPrompts: (next) => {
      accept = next;
    },
    prompts: () => asked,
    setSync: (on) => {
      if (on && !syncOn && account !== undefined)
        for (const [name, item] of offline) if (!account.items.has(name)) account.items.set(name, item);
      if (!on && syncOn && account !== undefined) offline = new Map(account.items);
      syncOn = on;
    },
    backup: (encrypted) => ({
      encrypted,
      device,
      files: new Map([...files].filter(([, file]) => file.inBackup)),
      keychain: [...local.values(), ...synced().values()].filter(
        ({ accessible }) => accessible !== 'when-passcode-set-this-device-only',
      ),
    }),
    restore: (backup) => {
      wipe();
      files = new Map(backup.files);
      const same = backup.device === device;
      for (const item of backup.keychain)
        if (same || (backup.encrypted && !isDeviceOnly(item)))
          (item.synchronizable ? offline : local).set(item.account, item);
    },
    erase: wipe,
  };
};

/**
 * What a phone offers that TypeScript cannot do: the primitives of the app's Swift plugin, and no logic.
 * Errors are KeepsetErrors: `place/locked` (device locked, or the user declined), `place/damaged` (the key is gone
 * for good: biometry was re-enrolled, or it belongs to another device), `place/not-found`, `place/full`,
 * `input/invalid-argument` (a combination iOS refuses).
 */

/** What it takes to use an enclave key. */
export type EnclaveAccess =
  /** The face or finger enrolled now. Dies when biometry is enrolled anew: only where other shares can restore. */
  | 'biometry-current-set'
  /** Face, finger or passcode. */
  | 'user-presence'
  /** The device unlocked; no question. */
  | 'unlocked';

/** Keychain accessibility. The last two never leave the device. */
export type Accessible =
  | 'when-unlocked'
  | 'after-first-unlock'
  | 'when-unlocked-this-device-only'
  | 'when-passcode-set-this-device-only';

/** Data Protection class of a file. */
export type FileProtection = 'complete' | 'complete-unless-open' | 'until-first-unlock';

/** An enclave key: useless without the device. */
export interface EnclaveKey {
  /** Opaque; kept by the app. */
  readonly blob: Uint8Array;
  /** 65 bytes, uncompressed SEC 1. */
  readonly publicKey: Uint8Array;
}

/** A keychain item. */
export interface KeychainItem {
  readonly account: string;
  readonly data: Uint8Array;
  /** Travels through iCloud Keychain. Not with a this-device-only class. */
  readonly synchronizable: boolean;
  readonly accessible: Accessible;
}

/** State of the device that decides whether a copy is worth anything. */
export interface VaultStatus {
  readonly locked: boolean;
  readonly passcodeSet: boolean;
  /** Whether iCloud Keychain syncs. */
  readonly syncOn: boolean;
}

/** The primitives. */
export interface NativeVault {
  status(): Promise<VaultStatus>;

  createEnclaveKey(access: EnclaveAccess): Promise<EnclaveKey>;
  /** ECDH. @param peer 65 bytes. @param reason shown to the user. @returns 32 bytes. */
  enclaveAgree(blob: Uint8Array, peer: Uint8Array, reason: string): Promise<Uint8Array>;

  /** Adds or replaces the item of that account and `synchronizable`. */
  keychainPut(item: KeychainItem): Promise<void>;
  /** Null if there is none. */
  keychainGet(account: string, synchronizable: boolean): Promise<Uint8Array | null>;
  /** Accounts of the app's items. */
  keychainAccounts(synchronizable: boolean): Promise<readonly string[]>;
  /** Deleting a synchronizable item deletes it on every device. Does nothing if there is none. */
  keychainDelete(account: string, synchronizable: boolean): Promise<void>;

  /** Writes a file of the app atomically. @param inBackup whether Finder and iCloud backups contain it. */
  writeFile(name: string, bytes: Uint8Array, protection: FileProtection, inBackup: boolean): Promise<void>;
  /** @throws `place/not-found`, `place/locked` */
  readFile(name: string): Promise<Uint8Array>;
  fileNames(): Promise<readonly string[]>;
  /** Replaces what is there, atomically. @throws `place/not-found` */
  renameFile(from: string, to: string): Promise<void>;
  /** @throws `place/not-found` */
  removeFile(name: string): Promise<void>;
}

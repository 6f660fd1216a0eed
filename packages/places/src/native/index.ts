export type {
  Accessible,
  EnclaveAccess,
  EnclaveKey,
  FileProtection,
  KeychainItem,
  NativeVault,
  VaultStatus,
} from './port.ts';
export {
  enclaveIdentity,
  enclaveRecipient,
  icloudKeychainPlace,
  openEnclavePlace,
  openProtectedFilePlace,
} from './places.ts';
export {
  memoryAccount,
  memoryPhone,
  type MemoryAccount,
  type MemoryBackup,
  type MemoryPhone,
} from './memory.ts';

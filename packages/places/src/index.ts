export type {
  CopyEntry,
  CopyHealth,
  CopyMeta,
  CopyName,
  PendingPlace,
  SharePlace,
  StoredCopy,
} from './port.ts';
export {
  losses,
  placeKinds,
  propertiesOf,
  survivalTable,
  thefts,
  theftTable,
  type Gain,
  type Loss,
  type PlaceKind,
  type PlaceProperties,
  type Survival,
  type Theft,
} from './properties.ts';
export type { FileFacts, FileKind, FileSystem, OpenFile } from './fs/port.ts';
export { nodeFileSystem } from './fs/node.ts';
export { openFilePlace } from './file/place.ts';
export { memoryPlace, type MemoryPlace } from './memory/place.ts';
export { scryptInThreadPool } from './scrypt.ts';
export * from './usb/index.ts';
export * from './kit/index.ts';
export * from './finder-backup/index.ts';
export * from './native/index.ts';
export * from './passkey/index.ts';
export * from './keyring/index.ts';
export * from './health/index.ts';

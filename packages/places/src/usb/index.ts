export {
  findContainer,
  findContainers,
  folderOf,
  newKitId,
  slots,
  type ContainerRef,
  type Slot,
} from './layout.ts';
export {
  candidatesOf,
  inspectContainer,
  type Candidate,
  type ContainerReport,
  type FileVerdict,
  type SlotReport,
} from './inspect.ts';
export { checkRollback, openNewest, type ContainerShare, type RollbackValue } from './read.ts';
export {
  createContainer,
  mirrorCopy,
  newestOf,
  removeContainer,
  repairContainer,
  saveCopy,
} from './write.ts';
export { findTraces, rescueShares, type RawImage, type RescuedShare, type Trace } from './rescue.ts';
export { isMirrored, usbPlace, type UsbLedger, type UsbLedgerEntry } from './place.ts';

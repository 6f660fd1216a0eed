export { entryFieldsOf, operatorName, type LoggedAct } from './act.ts';
export { planKeygen, type KeygenPlan } from './plan.ts';
export type {
  Ban,
  BanList,
  DeviceParty,
  LogPin,
  OpenSession,
  PresignatureShelf,
  PresignatureUse,
  Progress,
  SessionJournal,
  ShareVault,
} from './device/ports.ts';
export { joinKeygen, runKeygen, type KeygenOrder } from './device/keygen.ts';
export { orLeave } from './device/session.ts';
export { joinGroup, type Group, type GroupAnnouncement, type GroupPrompts } from './device/group.ts';
export {
  joinSign,
  runSign,
  signWith,
  type CoSigners,
  type SignOrder,
  type SignOutcome,
} from './device/sign.ts';
export { joinOpen, runOpen } from './device/open.ts';
export { drillOpening, drillRequest, runDrill } from './device/drill.ts';
export { shareFileVault, type VaultOptions } from './device/vault.ts';
export { joinLife, runRefresh, runRepair, runReshare, type Approved } from './device/life.ts';
export { runFreeze } from './device/freeze.ts';
export {
  announceExport,
  chooseQuorum,
  lastResort,
  type AssembledKey,
  type ChosenQuorum,
  type ShareCopy,
} from './last-resort.ts';
export {
  acceptRestoredLog,
  judgeServer,
  requireQuorumWithout,
  type RestoredLog,
  type ServerStanding,
} from './device/standing.ts';
export { printLogHead } from './head.ts';
export { runPresign } from './device/presign.ts';
export { settleOpenSessions, type SettledSession } from './device/settle.ts';
export type {
  Answered,
  Caller,
  KeyChange,
  KeyRow,
  KeyWrite,
  Party1,
  Party1Store,
  SessionRow,
  SessionWrite,
  ShareSealer,
  Written,
} from './party1/ports.ts';
export { unknownKey } from './party1/rules.ts';
export { party1Handler, type Party1Handler } from './party1/handler.ts';
export {
  decodeKeyShare,
  decodePresignature,
  deriveGroup,
  encodeKeyShare,
  encodePresignature,
  protocolFor,
  supportedSchemes,
  xpub,
} from '@keepset/threshold';
export type { GroupKey, KeyShare, Presignature, Scheme, SignRequest } from '@keepset/threshold';
export { groupHashOf } from './witness.ts';

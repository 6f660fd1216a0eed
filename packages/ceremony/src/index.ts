export { entryFieldsOf, type LoggedAct } from './act.ts';
export { planKeygen, type KeygenPlan } from './plan.ts';
export type {
  DeviceParty,
  LogPin,
  OpenSession,
  Progress,
  SessionJournal,
  ShareVault,
} from './device/ports.ts';
export { joinKeygen, runKeygen, type GroupPrompts, type KeygenOrder } from './device/keygen.ts';
export { joinGroup, type Group, type GroupAnnouncement } from './device/group.ts';
export {
  joinSign,
  runSign,
  signWith,
  type CoSigners,
  type SignOrder,
  type SignOutcome,
} from './device/sign.ts';
export { shareFileVault, type VaultOptions } from './device/vault.ts';
export { settleOpenSessions, type SettledSession } from './device/settle.ts';
export type {
  Answered,
  Caller,
  KeyRow,
  KeyWrite,
  Party1,
  Party1Store,
  SessionRow,
  SessionWrite,
  ShareSealer,
  Written,
} from './party1/ports.ts';
export { party1Handler, type Party1Handler } from './party1/handler.ts';
export { decodeKeyShare, encodeKeyShare, supportedSchemes, protocolFor } from '@keepset/threshold';
export type { GroupKey, KeyShare, Scheme, SignRequest } from '@keepset/threshold';

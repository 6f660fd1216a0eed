export {
  encodeMessage,
  decodeMessage,
  keyIdText,
  maxMessageBytes,
  partyName,
  wireVersion,
} from './protocol.ts';
export type {
  KeygenStart,
  OpenStart,
  PresignStart,
  RefreshStart,
  RepairStart,
  ReshareStart,
  SessionStart,
  SignStart,
} from './protocol.ts';
export {
  decodeResolveRequest,
  decodeSessionOutcome,
  decodeStepRequest,
  decodeStepResponse,
  encodeResolveRequest,
  encodeSessionOutcome,
  encodeStepRequest,
  encodeStepResponse,
  type LogEvidence,
  type LogHead,
  type RelayedBlob,
  type ResolveRequest,
  type SessionOutcome,
  type StepRequest,
  type StepResponse,
} from './session.ts';
export { confirmationSchema, type Confirmation } from './confirmation.ts';
export { decodeError, encodeError } from './errors.ts';
export { decodeLoggedExport, encodeLoggedExport, type LoggedExport } from './export.ts';
export { decodeFrozenKey, encodeFrozenKey, type FrozenKey } from './freeze.ts';
export {
  decodeKitNote,
  decodeKnownKit,
  encodeKitNote,
  encodeKnownKit,
  type KitNote,
  type KnownKit,
} from './kits.ts';
export {
  decodeEnrolRequest,
  decodeEnrolResponse,
  decodeInvitation,
  decodeKeyList,
  encodeEnrolRequest,
  encodeEnrolResponse,
  encodeInvitation,
  encodeKeyList,
  type EnrolRequest,
  type EnrolResponse,
  type Invitation,
  type KeySummary,
} from './account.ts';

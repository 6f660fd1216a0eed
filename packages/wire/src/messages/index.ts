export {
  encodeMessage,
  decodeMessage,
  keyIdText,
  maxMessageBytes,
  partyName,
  wireVersion,
} from './protocol.ts';
export type { KeygenStart, SessionStart, SignStart } from './protocol.ts';
export {
  decodeSessionOutcome,
  decodeStepRequest,
  decodeStepResponse,
  encodeSessionOutcome,
  encodeStepRequest,
  encodeStepResponse,
  type LogEvidence,
  type LogHead,
  type SessionOutcome,
  type StepRequest,
  type StepResponse,
} from './session.ts';
export { decodeError, encodeError } from './errors.ts';
export {
  decodeEnrolRequest,
  decodeEnrolResponse,
  decodeKeyList,
  encodeEnrolRequest,
  encodeEnrolResponse,
  encodeKeyList,
  type EnrolRequest,
  type EnrolResponse,
  type KeySummary,
} from './account.ts';

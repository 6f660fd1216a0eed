export { generateSessionKeys, openEnvelope, sealEnvelope, type SessionKeys } from './envelope.ts';
export {
  checkDigits,
  openHello,
  openRoster,
  sealHello,
  sealRoster,
  type Hello,
  type Member,
  type Roster,
} from './introduction.ts';
export { parseJoinCode, printJoinCode, type JoinCode } from './join-code.ts';

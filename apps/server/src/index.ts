export { startServer, type RunningServer } from './server.ts';
export {
  createApproval,
  createInvite,
  freezeKey,
  listDevices,
  readLogHead,
  revokeDevice,
  unfreezeKey,
} from './operator.ts';
export type { EnrolledDevice } from './enrolment/store.ts';
export { defaultOptions, isKekInsideData, type ServerOptions } from './options.ts';

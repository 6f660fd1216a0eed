export { createApproval, createInvite, startServer, type RunningServer } from './server.ts';
export { defaultOptions, isKekInsideData, type ServerOptions } from './options.ts';

import type { Command } from '../command.ts';

/** Name of a command. */
export type CommandName =
  | 'serve'
  | 'invite'
  | 'enroll'
  | 'add-device'
  | 'keygen'
  | 'join'
  | 'keys'
  | 'sign'
  | 'verify'
  | 'show'
  | 'quickstart';

/** Every command; loaded only when used, so that each starts quickly. */
const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  invite: async () => (await import('./invite.ts')).invite,
  enroll: async () => (await import('./enroll.ts')).enroll,
  'add-device': async () => (await import('./add-device.ts')).addDevice,
  keygen: async () => (await import('./keygen.ts')).keygen,
  join: async () => (await import('./join.ts')).join,
  keys: async () => (await import('./keys.ts')).keys,
  sign: async () => (await import('./sign.ts')).sign,
  verify: async () => (await import('./verify.ts')).verify,
  show: async () => (await import('./show.ts')).show,
  quickstart: async () => (await import('./quickstart.ts')).quickstart,
};

/** All names, in the order of --help. */
export const commandNames: readonly CommandName[] = Object.keys(loaders) as CommandName[];

export const loadCommand = (name: CommandName): Promise<Command> => loaders[name]();

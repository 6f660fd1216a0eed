import type { Command } from '../command.ts';

/** Name of a command. */
export type CommandName =
  | 'serve'
  | 'invite'
  | 'approve'
  | 'devices'
  | 'revoke'
  | 'freeze'
  | 'unfreeze'
  | 'log-head'
  | 'accept-log'
  | 'enroll'
  | 'add-device'
  | 'keygen'
  | 'join'
  | 'keys'
  | 'show'
  | 'derive'
  | 'sign'
  | 'verify'
  | 'seal'
  | 'open'
  | 'presign'
  | 'refresh'
  | 'reshare'
  | 'repair'
  | 'recover'
  | 'park'
  | 'unpark'
  | 'export'
  | 'usb'
  | 'kit'
  | 'finder-backup'
  | 'places'
  | 'backup'
  | 'health'
  | 'drill'
  | 'remember'
  | 'policy'
  | 'wizard'
  | 'quickstart';

/** Every command; loaded only when used, so that each starts quickly. */
const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  invite: async () => (await import('./invite.ts')).invite,
  approve: async () => (await import('./approve.ts')).approve,
  devices: async () => (await import('./devices.ts')).devices,
  revoke: async () => (await import('./devices.ts')).revoke,
  freeze: async () => (await import('./freeze.ts')).freeze,
  unfreeze: async () => (await import('./freeze.ts')).unfreeze,
  'log-head': async () => (await import('./log-head.ts')).logHead,
  'accept-log': async () => (await import('./log-head.ts')).acceptLog,
  enroll: async () => (await import('./enroll.ts')).enroll,
  'add-device': async () => (await import('./add-device.ts')).addDevice,
  keygen: async () => (await import('./keygen.ts')).keygen,
  join: async () => (await import('./join.ts')).join,
  keys: async () => (await import('./keys.ts')).keys,
  show: async () => (await import('./show.ts')).show,
  derive: async () => (await import('./derive.ts')).derive,
  sign: async () => (await import('./sign.ts')).sign,
  verify: async () => (await import('./verify.ts')).verify,
  seal: async () => (await import('./seal.ts')).seal,
  open: async () => (await import('./open.ts')).open,
  presign: async () => (await import('./presign.ts')).presign,
  refresh: async () => (await import('./life.ts')).refresh,
  reshare: async () => (await import('./life.ts')).reshare,
  repair: async () => (await import('./life.ts')).repair,
  recover: async () => (await import('./recover.ts')).recover,
  park: async () => (await import('./park.ts')).park,
  unpark: async () => (await import('./park.ts')).unpark,
  export: async () => (await import('./export.ts')).exportCommand,
  usb: async () => (await import('./usb.ts')).usb,
  kit: async () => (await import('./kit.ts')).kit,
  'finder-backup': async () => (await import('./finder-backup.ts')).finderBackup,
  places: async () => (await import('./places.ts')).places,
  backup: async () => (await import('./backup.ts')).backup,
  health: async () => (await import('./health.ts')).health,
  drill: async () => (await import('./drill.ts')).drill,
  remember: async () => (await import('./remember.ts')).remember,
  policy: async () => (await import('./policy.ts')).policy,
  wizard: async () => (await import('./wizard.ts')).wizard,
  quickstart: async () => (await import('./quickstart.ts')).quickstart,
};

/** All names, in the order of --help. */
export const commandNames: readonly CommandName[] = Object.keys(loaders) as CommandName[];

export const loadCommand = (name: CommandName): Promise<Command> => loaders[name]();

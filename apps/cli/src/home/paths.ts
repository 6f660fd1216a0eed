import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { textOption, type OptionSpec, type OptionValues } from '../command.ts';
import { volatilePath } from './volatile.ts';

/** The files of one device. */
export interface HomePaths {
  readonly root: string;
  readonly identity: string;
  readonly account: string;
  readonly logPin: string;
  readonly journal: string;
  readonly shares: string;
  /** Not under `root`: a presignature that a backup brings back would serve twice. */
  readonly presignatures: string;
  readonly bans: string;
  /** Held while several of these are changed together. */
  readonly lock: string;
}

/** The option of every command that acts as a device. */
export const homeOptions: Readonly<Record<string, OptionSpec>> = {
  home: { type: 'string', value: 'DIR', help: 'Folder of this device (default ~/.keepset or KEEPSET_HOME)' },
};

/** Where this device lives. */
export const homePaths = (options: OptionValues): HomePaths => {
  const root = resolve(
    textOption(options, 'home') ?? process.env['KEEPSET_HOME'] ?? join(homedir(), '.keepset'),
  );
  return {
    root,
    identity: join(root, 'identity.txt'),
    account: join(root, 'account.cbor'),
    logPin: join(root, 'log-head.cbor'),
    journal: join(root, 'journal'),
    shares: join(root, 'shares'),
    presignatures: volatilePath(root),
    bans: join(root, 'bans'),
    lock: join(root, 'lock'),
  };
};

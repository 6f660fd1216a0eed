import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';

/** How a server runs. */
export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** The address devices use; default `https://host:port`. */
  readonly publicUrl?: string;
  /** Folder of the database. */
  readonly dataDir: string;
  /** File of the key-encryption key. */
  readonly kekFile: string;
  /** The server's party name in policies. */
  readonly party: string;
  /** A certificate others trust; without it a self-made one is used and pinned by the devices. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

/** Where things lie unless told otherwise. The key-encryption key is deliberately not under the data folder. */
export const defaultOptions = (environment: NodeJS.ProcessEnv = process.env): ServerOptions => {
  const data = environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share');
  const config = environment['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  return {
    host: '127.0.0.1',
    port: 7443,
    dataDir: join(data, 'keepset-server'),
    kekFile: join(config, 'keepset-server', 'kek'),
    party: 'server',
    logLevel: 'warn',
  };
};

/** True when whoever copies the data folder gets the key-encryption key with it. */
export const isKekInsideData = ({
  dataDir,
  kekFile,
}: Pick<ServerOptions, 'dataDir' | 'kekFile'>): boolean => {
  const path = relative(resolve(dataDir), resolve(kekFile));
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
};

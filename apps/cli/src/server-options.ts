import { resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { defaultOptions, type ServerOptions } from '@keepset/server';
import { textOption, type OptionSpec, type OptionValues } from './command.ts';

/** Options that say which server is meant. */
export const serverDataOptions: Readonly<Record<string, OptionSpec>> = {
  host: { type: 'string', value: 'HOST', help: 'Address to listen at (default 127.0.0.1)' },
  port: { type: 'string', value: 'PORT', help: 'Port to listen at, 0 for any free one (default 7443)' },
  'public-url': { type: 'string', value: 'URL', help: 'Address devices use (default https://HOST:PORT)' },
  data: {
    type: 'string',
    value: 'DIR',
    help: 'Folder of the database (default ~/.local/share/keepset-server)',
  },
  kek: {
    type: 'string',
    value: 'FILE',
    help: 'Key-encryption key file, kept apart from the data (default ~/.config/keepset-server/kek)',
  },
  'tls-cert': {
    type: 'string',
    value: 'FILE',
    help: 'TLS certificate chain (PEM); without it a self-made one is pinned',
  },
  'tls-key': { type: 'string', value: 'FILE', help: 'Its private key (PEM)' },
};

/** Reads the server's options. @throws KeepsetError `input/invalid-argument` */
export const readServerOptions = (options: OptionValues): ServerOptions => {
  const defaults = defaultOptions();
  const cert = textOption(options, 'tls-cert');
  const key = textOption(options, 'tls-key');
  if ((cert === undefined) !== (key === undefined))
    throw new KeepsetError('input/invalid-argument', '--tls-cert and --tls-key belong together.');
  const publicUrl = textOption(options, 'public-url');
  return {
    ...defaults,
    host: textOption(options, 'host') ?? defaults.host,
    port: readPort(textOption(options, 'port')) ?? defaults.port,
    dataDir: resolve(textOption(options, 'data') ?? defaults.dataDir),
    kekFile: resolve(textOption(options, 'kek') ?? defaults.kekFile),
    party: textOption(options, 'party') ?? defaults.party,
    logLevel: readLevel(textOption(options, 'log-level')) ?? defaults.logLevel,
    ...(publicUrl === undefined ? {} : { publicUrl: readUrl(publicUrl) }),
    ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
  };
};

const readPort = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535)
    throw new KeepsetError('input/invalid-argument', `${text} is not a port.`);
  return port;
};

const readUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'https:' || url.pathname !== '/')
    throw new KeepsetError(
      'input/invalid-argument',
      'The public address must look like https://host or https://host:port.',
    );
  return url.origin;
};

const levels = ['silent', 'error', 'warn', 'info', 'debug'] as const;

const readLevel = (text: string | undefined): ServerOptions['logLevel'] | undefined => {
  if (text === undefined) return undefined;
  const level = levels.find((name) => name === text);
  if (level === undefined)
    throw new KeepsetError('input/invalid-argument', `Log levels are ${levels.join(', ')}.`);
  return level;
};

/** A commitment server inside the test's own process. */
import { join } from 'node:path';
import { defaultOptions, type ServerOptions } from '@keepset/server';
import { temporaryFolder } from './folders.ts';

/** Options of a silent server on a free port, in a fresh folder unless one is given. */
export const serverOptions = (
  folder: string = temporaryFolder(),
  more: Partial<ServerOptions> = {},
): ServerOptions => ({
  ...defaultOptions({}),
  port: 0,
  dataDir: join(folder, 'data'),
  kekFile: join(folder, 'kek'),
  logLevel: 'silent',
  ...more,
});

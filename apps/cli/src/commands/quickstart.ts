import { join, resolve } from 'node:path';
import { KeepsetError, fromUtf8, toBase64, toHex, toKeepsetError, utf8ToBytes } from '@keepset/bytes';
import { protocolFor, runKeygen, runSign, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { loadAccount } from '../home/account.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import { enrolHome } from '../home/enrol.ts';
import { readIfThere } from '../home/files.ts';
import { homePaths } from '../home/paths.ts';
import { standingOf } from '../policy/standing.ts';
import { readServerOptions } from '../server-options.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { endStopped, untilAskedToStop } from './serve.ts';

export const quickstart: Command = {
  name: 'quickstart',
  summary: 'Try everything on this machine: server, device, key, signature',
  usage: '[--once] [--dir DIR]',
  positionals: [0, 0],
  options: {
    once: { type: 'boolean', help: 'Stop the server at the end instead of leaving it running' },
    dir: { type: 'string', value: 'DIR', help: 'Folder for server and device (default .keepset)' },
    port: { type: 'string', value: 'PORT', help: 'Port of the server (default 7443)' },
  },
  examples: ['keepset quickstart', 'keepset quickstart --once --dir /tmp/try'],
  run: async ({ options, terminal }) => {
    const started = performance.now();
    const dir = resolve(textOption(options, 'dir') ?? '.keepset');
    const home = { home: join(dir, 'phone') };
    const once = options['once'] === true;
    const server = await ensureServer(dir, textOption(options, 'port'), terminal);
    let askedToStop: Promise<void> | undefined;
    try {
      await ensureEnrolled(home, server, terminal);
      await withDevice(home, terminal, async (open) => {
        const group = await ensureKey(open, terminal);
        if (!once && server !== undefined) askedToStop = untilAskedToStop();
        await signSomething(open, group, started, { dir, once, terminal });
      });
      await askedToStop;
    } finally {
      await server?.close();
    }
    if (askedToStop !== undefined) endStopped();
  },
};

/** Starts the server of `dir`, unless an earlier quickstart left it running: then undefined. */
const ensureServer = async (
  dir: string,
  port: string | undefined,
  terminal: Terminal,
): Promise<RunningServer | undefined> => {
  const account = await loadAccount(homePaths({ home: join(dir, 'phone') }).account).catch(() => undefined);
  const options = readServerOptions({
    data: join(dir, 'server'),
    kek: join(dir, 'server-kek'),
    'log-level': 'error',
    // An enrolled device knows the server at one address only.
    port: account === undefined ? port : new URL(account.server).port,
  });
  try {
    const server = await startServer(options);
    terminal.note(`Commitment server (Party 1) at ${server.url}`);
    return server;
  } catch (error) {
    if (toKeepsetError(error).code !== 'transport/unreachable') throw error;
    if (account !== undefined) {
      terminal.note(`Using the commitment server that already runs at ${account.server}`);
      return undefined;
    }
    const server = await startServer({ ...options, port: 0 });
    terminal.note(`Commitment server (Party 1) at ${server.url} (the usual port is taken)`);
    return server;
  }
};

const ensureEnrolled = async (
  home: { home: string },
  server: RunningServer | undefined,
  terminal: Terminal,
): Promise<void> => {
  const paths = homePaths(home);
  if ((await readIfThere(paths.account)) !== undefined) return;
  if (server === undefined)
    throw new KeepsetError('input/not-enrolled', 'There is no device in this folder.');
  await enrolHome(paths, server.invite(), 'phone', undefined);
  terminal.note(`Device (Party 2) enrolled; its folder is ${paths.root}`);
};

const ensureKey = async ({ device }: OpenDevice, terminal: Terminal): Promise<GroupKey> => {
  const [known] = await device.vault.list();
  if (known !== undefined) {
    const share = await device.vault.open(known);
    share.secret.wipe();
    return share.group;
  }
  terminal.note('Making an Ed25519 key that neither side holds');
  return runKeygen(device, { scheme: 'ed25519', policy: `and(${device.serverParty},${device.party})` });
};

interface Report {
  readonly dir: string;
  readonly once: boolean;
  readonly terminal: Terminal;
}

const signSomething = async (
  open: OpenDevice,
  group: GroupKey,
  started: number,
  report: Report,
): Promise<void> => {
  const { dir, once, terminal } = report;
  const message = utf8ToBytes(`Keepset quickstart, ${new Date().toISOString()}`);
  terminal.note('Signing together');
  const request = { message, digest: 'none' } as const;
  const before = performance.now();
  const { signature } = await runSign(open.device, { keyId: group.keyId, request });
  const ms = Math.round(performance.now() - before);
  // Once more and plainly: this command's exit code says that a real signature was made.
  if (!protocolFor(group.scheme).verify(group, request, signature))
    throw new KeepsetError('abort/bad-signature', 'The signature does not verify.');
  const text = fromUtf8(message);
  const standing = standingOf(group.policy);
  const seconds = (performance.now() - started) / 1000;
  terminal.result(
    {
      verified: true,
      keyId: group.keyId,
      publicKey: toHex(group.publicKey),
      message: text,
      signature: toHex(signature),
      server: open.account.server,
      ...standing.data,
    },
    [
      '',
      `  message     ${text}`,
      `  public key  ${toHex(group.publicKey)}`,
      `  signature   ${toBase64(signature)}`,
      `  verified    yes; signed in ${ms} ms, all in ${seconds.toFixed(1)} s`,
      '',
      'The key exists nowhere: the server and the device each hold a share, and both had to take part.',
      ...(standing.data.credibleMinimum
        ? []
        : ['It is for trying things: below the credible minimum, because it is lost with either of them.']),
      ...(once ? [] : howToGoOn(dir)),
    ],
  );
};

const howToGoOn = (dir: string): string[] => [
  '',
  'The server keeps running; Ctrl-C stops it. In another terminal:',
  `  export KEEPSET_HOME=${join(dir, 'phone')}`,
  '  npx keepset sign README.md          # an SSH signature that ssh-keygen verifies',
  '  npx keepset keys',
  '  npx keepset --help',
];

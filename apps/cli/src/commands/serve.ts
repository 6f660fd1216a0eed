import { startServer, type RunningServer } from '@keepset/server';
import type { Command } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';
import type { Terminal } from '../terminal/terminal.ts';

const patienceMs = 3000;

/**
 * Resolves once the process is asked to stop. Asked again three seconds later, it ends at once; sooner it does not, since
 * one Ctrl-C arrives twice where another process passes signals on.
 */
export const untilAskedToStop = (): Promise<void> =>
  new Promise((resolve) => {
    let first: number | undefined;
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const)
      process.on(signal, () => {
        first ??= performance.now();
        if (performance.now() - first > patienceMs) process.exit(code);
        resolve();
      });
  });

/** Ends at once: on the ordinary way out signals are not heard any more, and the second one of a Ctrl-C would kill. */
export const endStopped = (): never => process.exit(0);

export const serve: Command = {
  name: 'serve',
  summary: 'Run the commitment server (Party 1)',
  usage: '[--port PORT] [--data DIR] [--kek FILE]',
  positionals: [0, 0],
  options: {
    ...serverDataOptions,
    party: { type: 'string', value: 'NAME', help: 'The server’s own name in policies (default server)' },
    'log-level': { type: 'string', value: 'LEVEL', help: 'silent, error, warn (default), info or debug' },
  },
  examples: [
    'keepset serve',
    'keepset serve --port 8443 --data /srv/keepset --kek /etc/keepset/kek',
    'keepset serve --host 0.0.0.0 --public-url https://keys.example.com --tls-cert chain.pem --tls-key key.pem',
  ],
  run: async ({ options, terminal }) => {
    const server = await startServer(readServerOptions(options));
    // Before anybody is told that it runs, and may ask it to stop.
    const askedToStop = untilAskedToStop();
    announce(server, terminal);
    await askedToStop;
    terminal.note('Stopping: letting requests finish…');
    await server.close();
    endStopped();
  },
};

const announce = (server: RunningServer, terminal: Terminal): void => {
  const invitation = server.deviceCount === 0 ? server.invite() : undefined;
  for (const warning of server.warnings) terminal.note(`warning: ${warning}`);
  terminal.result({ url: server.url, logKey: server.logKey, invitation: invitation ?? null }, [
    `Commitment server at ${server.url}`,
    `  API description    ${server.url}/openapi.json`,
    `  audit log          ${server.url}/v1/log/checkpoint`,
    `  log verifier key   ${server.logKey}`,
    ...(invitation === undefined
      ? ['  Devices are enrolled. `keepset invite` makes an invitation for another user.']
      : ['', 'No device is enrolled yet. On the device run:', `  keepset enroll '${invitation}'`]),
    '',
    'Ctrl-C stops it.',
  ]);
};

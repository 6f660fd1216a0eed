import { createInvite } from '@keepset/server';
import type { Command } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const invite: Command = {
  name: 'invite',
  summary: 'Make a one-time invitation to the server, on the server',
  usage: '[--data DIR] [--kek FILE] [--public-url URL]',
  positionals: [0, 0],
  options: serverDataOptions,
  examples: [
    'keepset invite',
    'keepset invite --data /srv/keepset --kek /etc/keepset/kek --public-url https://keys.example.com',
  ],
  run: async ({ options, terminal }) => {
    const server = readServerOptions(options);
    const publicUrl = server.publicUrl ?? `https://${server.host}:${server.port}`;
    const invitation = await createInvite({ ...server, publicUrl });
    terminal.result({ invitation }, [
      'This invitation works once, for a day. Whoever has it can enrol a device as a new user:',
      `  keepset enroll '${invitation}'`,
    ]);
  },
};

import { createInvite } from '@keepset/server';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const invite: Command = {
  name: 'invite',
  summary: 'Make a one-time invitation to the server, on the server',
  usage: '[--key KEY [--device DEVICE]] [--data DIR] [--kek FILE] [--public-url URL]',
  positionals: [0, 0],
  options: {
    key: { type: 'string', value: 'KEY', help: 'For a device of the user who has this key, to recover' },
    device: {
      type: 'string',
      value: 'DEVICE',
      help: 'For the user of this device, where several have the key',
    },
    ...serverDataOptions,
  },
  examples: [
    'keepset invite',
    'keepset invite --key 4oshajh75pyjblwk4xz5jbyjei',
    'keepset invite --data /srv/keepset --kek /etc/keepset/kek --public-url https://keys.example.com',
  ],
  run: async ({ options, terminal }) => {
    const server = readServerOptions(options);
    const publicUrl = server.publicUrl ?? `https://${server.host}:${server.port}`;
    const keyId = textOption(options, 'key');
    const invitation = await createInvite({ ...server, publicUrl }, keyId, textOption(options, 'device'));
    terminal.result(
      { invitation },
      keyId === undefined
        ? [
            'This invitation works once, for a day. Whoever has it can enrol a device as a new user:',
            `  keepset enroll '${invitation}'`,
          ]
        : [
            `This invitation works once, for a day, for the user of key ${keyId}.`,
            'Give it only to somebody you know to be that user, by a way you trust:',
            `  keepset recover --invite '${invitation}'`,
          ],
    );
  },
};

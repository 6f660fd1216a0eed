import { printInvite } from '@keepset/transport';
import type { Command } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';

export const addDevice: Command = {
  name: 'add-device',
  summary: 'Make a one-time invitation for another device of yours',
  usage: '',
  positionals: [0, 0],
  options: { ...passphraseOptions, ...homeOptions },
  examples: [
    'keepset add-device',
    "keepset enroll 'https://…' --party laptop      # then, on the other device",
  ],
  run: ({ options, terminal }) =>
    withDevice(options, terminal, async ({ device, account }) => {
      const code = await device.transport.invite();
      const { server, pin } = account;
      const invitation = printInvite({ server, code, ...(pin === undefined ? {} : { pin }) });
      terminal.result({ invitation }, [
        'Works once, for a day. On the other device, with a name of its own:',
        `  keepset enroll '${invitation}' --party laptop`,
      ]);
    }),
};

import { createApproval } from '@keepset/server';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const approve: Command = {
  name: 'approve',
  summary: 'Let a key be reshared or repaired once, or a frozen one refreshed, on the server',
  usage: 'KEY [--adopt] [--device DEVICE] [--data DIR] [--kek FILE]',
  positionals: [1, 1],
  options: {
    adopt: { type: 'boolean', help: 'For a key that its devices bring to this server, new here or ahead' },
    device: {
      type: 'string',
      value: 'DEVICE',
      help: 'For the user of this device, where several have the key',
    },
    ...serverDataOptions,
  },
  examples: [
    'keepset approve 4oshajh75pyjblwk4xz5jbyjei',
    'keepset approve 4oshajh75pyjblwk4xz5jbyjei --adopt',
  ],
  run: async ({ positionals, options, terminal }) => {
    const keyId = positionals[0] ?? '';
    const what = options['adopt'] === true ? 'adopt' : 'change';
    const approval = await createApproval(
      readServerOptions(options),
      keyId,
      what,
      textOption(options, 'device'),
    );
    terminal.result({ keyId, approval }, [
      'Works once, for an hour, for this key. Give it only to somebody you know to be its owner:',
      `  --approval ${approval}`,
    ]);
  },
};

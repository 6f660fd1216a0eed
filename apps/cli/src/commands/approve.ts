import { createApproval } from '@keepset/server';
import type { Command } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const approve: Command = {
  name: 'approve',
  summary: 'Let a key be reshared or repaired once, or a frozen one refreshed, on the server',
  usage: 'KEY [--data DIR] [--kek FILE]',
  positionals: [1, 1],
  options: serverDataOptions,
  examples: ['keepset approve 4oshajh75pyjblwk4xz5jbyjei'],
  run: async ({ positionals, options, terminal }) => {
    const keyId = positionals[0] ?? '';
    const approval = await createApproval(readServerOptions(options), keyId);
    terminal.result({ keyId, approval }, [
      'Works once, for an hour, for this key. Give it only to somebody you know to be its owner:',
      `  --approval ${approval}`,
    ]);
  },
};

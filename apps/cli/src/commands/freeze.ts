import { runFreeze } from '@keepset/ceremony';
import { freezeKey, unfreezeKey } from '@keepset/server';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

const operatorOptions = {
  data: serverDataOptions['data']!,
  kek: serverDataOptions['kek']!,
  device: {
    type: 'string',
    value: 'DEVICE',
    help: 'For the user of this device, where several have the key',
  },
} as const;

export const freeze: Command = {
  name: 'freeze',
  summary: 'Stop a key at once: from any device of yours, or on the server with --operator',
  usage: '[KEY] [--operator [--device DEVICE] [--data DIR] [--kek FILE]]',
  positionals: [0, 1],
  options: {
    operator: { type: 'boolean', help: 'Act as the operator of the server on this machine' },
    ...operatorOptions,
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset freeze                                          # on a device: its only key',
    'keepset freeze 4osh',
    'keepset freeze 4oshajh75pyjblwk4xz5jbyjei --operator    # on the server',
  ],
  run: async ({ positionals, options, terminal }) => {
    const frozen = (keyId: string): void =>
      terminal.result({ keyId, state: 'frozen' }, [
        `Key ${keyId} is frozen: the server refuses every use of it, and has logged that.`,
        'Only the operator of the server lets it go on:',
        `  keepset approve ${keyId}     # for one refresh or reshare: new shares, then active again`,
        `  keepset unfreeze ${keyId}    # as it is, if no share is in wrong hands`,
      ]);
    if (options['operator'] === true) {
      const keyId = positionals[0] ?? '';
      await freezeKey(readServerOptions(options), keyId, textOption(options, 'device'));
      frozen(keyId);
      return;
    }
    await withDevice(options, terminal, async ({ device }) => {
      const keyId = await findKeyId(device.vault, positionals[0]);
      await runFreeze(device, keyId);
      frozen(keyId);
    });
  },
};

export const unfreeze: Command = {
  name: 'unfreeze',
  summary: 'Let a frozen key go on with the shares it has, on the server',
  usage: 'KEY [--device DEVICE] [--data DIR] [--kek FILE]',
  positionals: [1, 1],
  options: operatorOptions,
  examples: ['keepset unfreeze 4oshajh75pyjblwk4xz5jbyjei'],
  run: async ({ positionals, options, terminal }) => {
    const keyId = positionals[0] ?? '';
    await unfreezeKey(readServerOptions(options), keyId, textOption(options, 'device'));
    terminal.result({ keyId, state: 'active' }, [
      `Key ${keyId} is active again, with the same shares.`,
      'If one of them may be in other hands, freeze it and approve a reshare instead.',
    ]);
  },
};

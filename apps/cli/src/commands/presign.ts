import { KeepsetError } from '@keepset/bytes';
import { runPresign } from '@keepset/ceremony';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { readPath } from '../paths.ts';

export const presign: Command = {
  name: 'presign',
  summary: 'Do most of the work of ECDSA signatures ahead',
  usage: '[--count N] [--key KEY] [--path PATH]',
  positionals: [0, 0],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    count: { type: 'string', value: 'N', help: 'How many, 1 to 100 (default 1)' },
    path: {
      type: 'string',
      value: 'PATH',
      help: 'Child key they are for, such as m/0/5; it cannot be chosen later',
    },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: ['keepset presign --count 10', 'keepset presign --path m/0/5'],
  run: ({ options, terminal }) =>
    withDevice(options, terminal, async ({ device }) => {
      const count = Number(textOption(options, 'count') ?? '1');
      if (!Number.isSafeInteger(count) || count < 1 || count > 100)
        throw new KeepsetError('input/invalid-argument', '--count takes a number from 1 to 100.');
      const keyId = await findKeyId(device.vault, textOption(options, 'key'));
      const path = readPath(textOption(options, 'path'));
      await runPresign(device, keyId, count, path);
      const signer = path.length === 0 ? keyId : `the child key m/${path.join('/')} of ${keyId}`;
      terminal.result({ keyId, count, path: ['m', ...path].join('/') }, [
        `${count} presignature${count === 1 ? '' : 's'} ready; the next signatures with ${signer} take one request each.`,
        'Neither side keeps its halves for long: a restart of the server or of this computer voids them.',
      ]);
    }),
};

import { toHex } from '@keepset/bytes';
import { deriveGroup, xpub } from '@keepset/ceremony';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { readPath } from '../paths.ts';
import { publicForms } from './show.ts';

export const derive: Command = {
  name: 'derive',
  summary: 'Show a child key (BIP 32) and the extended public key; needs no server',
  usage: '[PATH] [--key KEY]',
  positionals: [0, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: ['keepset derive', 'keepset derive m/0/5', 'keepset sign payment.psbt --path m/0/5'],
  run: ({ positionals, options, terminal }) =>
    withDevice(options, terminal, async ({ device }) => {
      const share = await device.vault.open(await findKeyId(device.vault, textOption(options, 'key')));
      share.secret.wipe();
      const path = readPath(positionals[0]);
      const child = deriveGroup(share.group, path);
      const name = ['m', ...path].join('/');
      const extended = share.group.scheme === 'ecdsa-p256' ? undefined : xpub(share.group, 'mainnet', path);
      const forms = publicForms(child);
      terminal.result(
        {
          keyId: share.group.keyId,
          path: name,
          publicKey: toHex(child.publicKey),
          xpub: extended ?? null,
          forms,
        },
        [
          `Key ${share.group.keyId}, child ${name}`,
          `  public key  ${toHex(child.publicKey)}`,
          ...(extended === undefined ? [] : [`  xpub        ${extended}`]),
          ...Object.entries(forms).flatMap(([form, text]) => [
            '',
            `${form}:`,
            ...text
              .trimEnd()
              .split('\n')
              .map((line) => `  ${line}`),
          ]),
        ],
      );
    }),
};

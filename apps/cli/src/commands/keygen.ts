import { KeepsetError, toHex } from '@keepset/bytes';
import { runKeygen, supportedSchemes, type Scheme } from '@keepset/ceremony';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';

/** @throws KeepsetError `input/unsupported` */
const readScheme = (text: string): Scheme => {
  const scheme = supportedSchemes.find((name) => name === text);
  if (scheme === undefined)
    throw new KeepsetError('input/unsupported', `There is no scheme ${text}.`, {
      hint: `Schemes: ${supportedSchemes.join(', ')}.`,
    });
  return scheme;
};

export const keygen: Command = {
  name: 'keygen',
  summary: 'Make a key together with the server; neither holds it',
  usage: '[--scheme SCHEME] [--policy POLICY]',
  positionals: [0, 0],
  options: {
    scheme: { type: 'string', value: 'SCHEME', help: `${supportedSchemes.join(', ')} (default ed25519)` },
    policy: {
      type: 'string',
      value: 'POLICY',
      help: 'Who must sign together (default: and(server,this device))',
    },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: ['keepset keygen', "keepset keygen --scheme schnorr-secp256k1 --policy 'thresh(2,server,phone)'"],
  run: async ({ options, terminal }) => {
    const scheme = readScheme(textOption(options, 'scheme') ?? 'ed25519');
    await withDevice(options, terminal, async ({ device }) => {
      const policy = textOption(options, 'policy') ?? `and(${device.serverParty},${device.party})`;
      const group = await runKeygen(device, { scheme, policy });
      const publicKey = toHex(group.publicKey);
      terminal.result({ keyId: group.keyId, scheme, policy: group.policy, epoch: group.epoch, publicKey }, [
        `Key ${group.keyId}`,
        `  scheme      ${scheme}`,
        `  policy      ${group.policy}`,
        `  public key  ${publicKey}`,
        '',
        'No party holds this key: each signature needs both.',
        'Next: keepset sign FILE',
      ]);
    });
  },
};

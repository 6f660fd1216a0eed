import { readFile } from 'node:fs/promises';
import { KeepsetError, fromHex } from '@keepset/bytes';
import { supportedSchemes } from '@keepset/ceremony';
import { signingKey, verifyDetached, type IntentKey } from '@keepset/intent';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { openDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'Check a detached signature; needs no server',
  usage: 'FILE [--signature FILE] [--key KEY | --public-key HEX --scheme SCHEME]',
  positionals: [1, 1],
  options: {
    signature: { type: 'string', value: 'FILE', help: 'The signature (default FILE.sig)' },
    key: { type: 'string', value: 'KEY', help: 'A key of this device (default: the only one)' },
    'public-key': { type: 'string', value: 'HEX', help: 'Any public key instead' },
    scheme: { type: 'string', value: 'SCHEME', help: 'Scheme of --public-key (default ed25519)' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset verify release.tar.gz',
    'keepset verify report.pdf --signature report.sig --public-key 3b6a…',
  ],
  run: async ({ positionals, options, terminal }) => {
    const path = positionals[0] ?? '';
    const file = await read(path);
    const signature = await read(textOption(options, 'signature') ?? `${path}.sig`);
    const verdict = verifyDetached(file, await keyFor(options, terminal), signature);
    if (!verdict.valid)
      throw new KeepsetError('abort/bad-signature', `The signature is not valid. ${verdict.reason ?? ''}`, {
        retry: 'never',
        hint: 'Do not use this file. Check that file, signature and public key belong together, and ask whoever signed it.',
      });
    const purpose = verdict.namespace === undefined ? '' : `, namespace ${verdict.namespace}`;
    terminal.result({ ...verdict }, [`Valid (${verdict.kind}${purpose}).`]);
  },
};

const read = async (path: string): Promise<Uint8Array> => {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${path} cannot be read.`, { cause });
  }
};

const keyFor = async (options: OptionValues, terminal: Terminal): Promise<IntentKey> => {
  const publicKey = textOption(options, 'public-key');
  if (publicKey !== undefined) {
    const name = textOption(options, 'scheme') ?? 'ed25519';
    const scheme = supportedSchemes.find((candidate) => candidate === name);
    if (scheme === undefined) throw new KeepsetError('input/unsupported', `There is no scheme ${name}.`);
    return signingKey({ scheme, publicKey: fromHex(publicKey) });
  }
  const { device, close } = await openDevice(options, terminal);
  try {
    const share = await device.vault.open(await findKeyId(device.vault, textOption(options, 'key')));
    share.secret.wipe();
    return signingKey(share.group);
  } finally {
    close();
  }
};

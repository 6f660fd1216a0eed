import { KeepsetError } from '@keepset/bytes';
import { tagRecipient } from '@keepset/wire';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { openDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { sealStream } from '../vault/age.ts';
import { chooseTarget, openPlain } from '../vault/files.ts';
import { openVaultShare } from '../vault/keys.ts';

export const seal: Command = {
  name: 'seal',
  summary: 'Encrypt a file to a key that only a quorum opens; needs no server',
  usage: 'FILE [--key KEY | --to RECIPIENT] [--out FILE]',
  positionals: [1, 1],
  options: {
    key: {
      type: 'string',
      value: 'KEY',
      help: 'Key id or its beginning (default: the only one that opens files)',
    },
    to: {
      type: 'string',
      value: 'RECIPIENT',
      help: 'age1tag1… as `keepset show` prints it: needs no device',
    },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'Where to write the sealed file, - for standard output (default FILE.age)',
    },
    force: { type: 'boolean', help: 'Replace an existing file' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset seal will.pdf                       # will.pdf.age; the original stays',
    'tar c documents | keepset seal - --to age1tag1q… --out documents.tar.age',
  ],
  run: async ({ positionals, options, terminal }) => {
    const file = positionals[0] ?? '-';
    const out = outOf(file, options);
    if (out === '-' && terminal.json)
      throw new KeepsetError('input/invalid-argument', '--json and --out - would write to the same place.');
    const { recipient, keyId } = await recipientOf(options, terminal);
    const plain = await openPlain(file);
    const target = await chooseTarget(out, 0o666, options['force'] === true);
    const bytes = await target.write(await sealStream(plain, recipient));
    if (out === '-') return;
    terminal.result({ file: out, bytes, recipient, keyId: keyId ?? null }, [
      `Sealed to ${keyId === undefined ? recipient : `key ${keyId}`}.`,
      `Written to ${out}. ${file === '-' ? '' : `${file} is still there in clear.`}`.trim(),
    ]);
  },
};

const outOf = (file: string, options: OptionValues): string => {
  const out = textOption(options, 'out');
  if (out === undefined && file === '-')
    throw new KeepsetError('input/invalid-argument', 'Say where to write the result: --out FILE or --out -.');
  return out ?? `${file}.age`;
};

const recipientOf = async (
  options: OptionValues,
  terminal: Terminal,
): Promise<{ readonly recipient: string; readonly keyId?: string }> => {
  const to = textOption(options, 'to');
  const key = textOption(options, 'key');
  if (to !== undefined && key !== undefined)
    throw new KeepsetError('input/invalid-argument', 'Give --key or --to, not both.');
  if (to !== undefined) return { recipient: to };
  const { device, close } = await openDevice(options, terminal);
  try {
    const { group, secret } = await openVaultShare(device.vault, key);
    secret.wipe();
    return { recipient: tagRecipient(group.publicKey), keyId: group.keyId };
  } finally {
    close();
  }
};

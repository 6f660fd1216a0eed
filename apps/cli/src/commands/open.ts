import { KeepsetError } from '@keepset/bytes';
import { runOpen } from '@keepset/ceremony';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { coSignersOf } from '../terminal/group.ts';
import { openStream } from '../vault/age.ts';
import { chooseTarget, openSealed } from '../vault/files.ts';
import { openShareFor } from '../vault/keys.ts';

export const open: Command = {
  name: 'open',
  summary: 'Open a sealed file together with the server',
  usage: 'FILE.age [--key KEY] [--out FILE]',
  positionals: [1, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the one the file names)' },
    with: {
      type: 'string',
      value: 'PARTY,…',
      help: 'Other devices that open too, where the policy needs them',
    },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'Where to write the content, - for standard output (default FILE)',
    },
    force: { type: 'boolean', help: 'Replace an existing file' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset open will.pdf.age                   # will.pdf, readable by you alone',
    'keepset open will.pdf.age --with laptop     # then `keepset join CODE will.pdf.age` on laptop',
    'keepset open documents.tar.age --out - | tar x',
  ],
  run: async ({ positionals, options, terminal }) => {
    const file = positionals[0] ?? '-';
    const out = outOf(file, options);
    if (out === '-' && terminal.json)
      throw new KeepsetError('input/invalid-argument', '--json and --out - would write to the same place.');
    const source = await openSealed(file);
    await withDevice(options, terminal, async ({ device }) => {
      // The tag says whose the file is: what is not for this key costs no request and no log entry.
      const share = await openShareFor(device.vault, textOption(options, 'key'), source.head);
      try {
        const { keyId, publicKey } = share.group;
        // Before anybody is asked: what cannot be kept need not be opened.
        const target = await chooseTarget(out, 0o600, options['force'] === true);
        const coOpeners = coSignersOf(textOption(options, 'with'), terminal);
        const content = await openStream(source.stream(), publicKey, (ephemeral) =>
          runOpen(device, share, ephemeral, coOpeners),
        );
        const bytes = await target.write(content);
        if (out !== '-')
          terminal.result({ file: out, bytes, keyId }, [`Opened with key ${keyId}.`, `Written to ${out}.`]);
      } finally {
        share.secret.wipe();
      }
    });
  },
};

const outOf = (file: string, options: OptionValues): string => {
  const out = textOption(options, 'out');
  if (out !== undefined) return out;
  if (file.endsWith('.age') && file.length > 4) return file.slice(0, -4);
  throw new KeepsetError('input/invalid-argument', 'Say where to write the content: --out FILE or --out -.', {
    hint: 'Without it, FILE.age is written to FILE.',
  });
};

import { resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';
import { rememberHint, unnotedLine } from '../places/ledger.ts';
import { printKit } from '../places/kit/print.ts';
import { noteKitOpened, readKit } from '../places/kit/read.ts';
import { refuseExisting, writeNew } from '../places/output.ts';
import { paperOption, readPaper } from '../places/kit/paper.ts';
import { codeOptions, givenCodes } from '../places/recovery-code.ts';
import { withUnlocked } from '../places/unlock.ts';

export const kit: Command = {
  name: 'kit',
  summary: 'Print this device’s share and its recovery code on paper, and read them back',
  usage: '--out DIR [--key KEY] [--paper A4|Letter],  or  read PICTURE… --out FILE',
  positionals: [0, 101],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    ...paperOption,
    out: { type: 'string', value: 'PATH', help: 'Folder for the sheets; read: file for the share' },
    ...codeOptions,
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset kit --out /tmp/print',
    'keepset kit read page-1.png page-2.png --code - --out share.age',
  ],
  run: async (invocation) => {
    const [verb, ...pictures] = invocation.positionals;
    if (verb === undefined) return print(invocation);
    if (verb === 'read') return read({ ...invocation, positionals: pictures });
    throw new KeepsetError('input/invalid-argument', `There is no kit command ${verb}.`, {
      hint: '`keepset kit --out DIR` prints a kit; `keepset kit read PICTURE…` reads one.',
    });
  },
};

const print = async ({ options, terminal }: Invocation): Promise<void> => {
  const out = textOption(options, 'out');
  if (out === undefined)
    throw new KeepsetError('input/invalid-argument', 'Say where the sheets go: --out DIR.');
  const paper = readPaper(options);
  const made = await withUnlocked(options, terminal, (unlocked) =>
    printKit(unlocked, out, paper, textOption(options, 'key')),
  );
  terminal.result({ ...made }, [
    `Kit ${made.kit} of key ${made.keyId}, epoch ${made.epoch}, generation ${made.generation}:`,
    `  recovery code  ${made.codeSheet}`,
    `  share          ${made.shareSheets}`,
    '',
    'Print both, keep them in different places, and delete both files: whoever has both can use the share.',
    'Then try it: scan the share sheets and run `keepset kit read`.',
  ]);
};

const read = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const out = textOption(options, 'out');
  if (positionals.length === 0 || out === undefined)
    throw new KeepsetError(
      'input/invalid-argument',
      'Usage: keepset kit read PICTURE… [--code CODE | --identity FILE] --out FILE',
    );
  const path = resolve(out);
  await refuseExisting(path);
  const sheets = await readKit(positionals, await givenCodes(options, terminal));
  const { file, ...found } = sheets;
  await writeNew(path, file);
  const damaged = await noteKitOpened(homePaths(options), sheets);
  terminal.result({ ...found, file: path }, [
    `Read kit ${found.kit}: ${found.party}’s share of key ${found.keyId}, epoch ${found.epoch}, generation ${found.generation}.`,
    'The code opens it, and the share inside is whole.',
    `  still encrypted, in ${path}`,
    ...(damaged === undefined ? [] : [unnotedLine(damaged), rememberHint]),
  ]);
};

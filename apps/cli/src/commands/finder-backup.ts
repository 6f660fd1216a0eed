import { basename, resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import type { BackupShare } from '@keepset/places';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { givenPassphrase, passphraseOptions } from '../home/passphrase.ts';
import { openFinderBackup } from '../places/finder.ts';
import { freshPaths, writeNew } from '../places/output.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const finderBackup: Command = {
  name: 'finder-backup',
  summary: 'Find the share files in an iTunes or Finder backup of an iPhone',
  usage: 'extract FOLDER --out DIR',
  positionals: [2, 2],
  options: {
    out: { type: 'string', value: 'DIR', help: 'Where to write the share files' },
    ...passphraseOptions,
  },
  examples: [
    "keepset finder-backup extract ~/Library/'Application Support'/MobileSync/Backup/00008120-… --out shares",
    'keepset finder-backup extract backup --passphrase-file password.txt --out shares --json',
  ],
  run: async ({ positionals, options, terminal }) => {
    const [verb = '', folder = ''] = positionals;
    if (verb !== 'extract')
      throw new KeepsetError('input/invalid-argument', `There is no finder-backup command ${verb}.`, {
        hint: 'Use extract.',
      });
    await extract(folder, options, terminal);
  },
};

const extract = async (folder: string, options: OptionValues, terminal: Terminal): Promise<void> => {
  const out = textOption(options, 'out');
  if (out === undefined)
    throw new KeepsetError('input/invalid-argument', 'Say where the share files go: --out DIR.');
  const { encrypted, shares, unreadable } = await openFinderBackup(
    resolve(folder),
    await givenPassphrase(options),
    terminal,
  );
  for (const { domain, path, error } of unreadable)
    terminal.note(`note: ${domain}/${path} cannot be read: ${error.message}`);
  if (!encrypted)
    terminal.note('note: this backup is not encrypted. Whoever has the folder has what is in it.');
  if (shares.length === 0)
    throw new KeepsetError('place/not-found', 'There is no share file in this backup that can be read.', {
      hint: 'Was the backup made after the app had written a share? An older backup of the phone may hold one.',
    });
  const names = namesFor(shares);
  const paths = await freshPaths(out, names);
  const found = shares.map(({ domain, path }, i) => ({ domain, path, file: paths[i] ?? '' }));
  for (const [i, { file }] of found.entries()) await writeNew(file, shares[i]?.bytes ?? new Uint8Array(0));
  terminal.result(
    {
      encrypted,
      shares: found,
      unreadable: unreadable.map(({ domain, path, error }) => ({ domain, path, code: error.code })),
    },
    [
      `Found ${found.length === 1 ? 'one share file' : `${found.length} share files`}:`,
      ...found.map(({ domain, path, file }) => `  ${file}   (${domain}: ${path})`),
      'They are still encrypted: the identity or passphrase they were made for opens them.',
    ],
  );
};

/** Names of their own in the backup, where they are harmless and differ; else numbered ones. */
const namesFor = (shares: readonly BackupShare[]): readonly string[] => {
  const used = new Set<string>();
  return shares.map(({ path }, i) => {
    const own = basename(path);
    const name = /^[A-Za-z0-9][\w.-]{0,100}\.age$/.test(own) && !used.has(own) ? own : `share-${i + 1}.age`;
    used.add(name);
    return name;
  });
};

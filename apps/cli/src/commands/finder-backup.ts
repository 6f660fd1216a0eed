import { basename, resolve } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import type { BackupShare } from '@keepset/places';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { addFinderCopy } from '../places/finder/add.ts';
import { refuseEmpty } from '../places/finder/copy.ts';
import { finderOpener } from '../places/finder/open.ts';
import { freshPaths, writeNew } from '../places/output.ts';
import { codeOptions, requiredCodes, withCodes } from '../places/recovery-code.ts';
import { withUnlocked } from '../places/unlock.ts';

export const finderBackup: Command = {
  name: 'finder-backup',
  summary: 'Find share files in an iTunes or Finder backup of an iPhone, and list a copy there in health',
  usage: 'add BACKUP --code CODE,  or  extract BACKUP --out DIR',
  positionals: [2, 2],
  options: {
    key: { type: 'string', value: 'KEY', help: 'add: which key, where the code opens several' },
    ...codeOptions,
    ...copyPassphraseOption,
    out: { type: 'string', value: 'DIR', help: 'extract: where to write the share files' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    "keepset finder-backup add ~/Library/'Application Support'/MobileSync/Backup/00008120-… --code -",
    'keepset finder-backup add /mnt/disk/backup --code - --copy-passphrase-file password.txt',
    'keepset finder-backup extract backup --copy-passphrase-file password.txt --out shares --json',
  ],
  run: async (invocation) => {
    const [verb = '', folder = ''] = invocation.positionals;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run === undefined)
      throw new KeepsetError('input/invalid-argument', `There is no finder-backup command ${verb}.`, {
        hint: `Use one of ${Object.keys(verbs).join(', ')}.`,
      });
    await run(resolve(folder), invocation);
  },
};

type Verb = (folder: string, invocation: Pick<Invocation, 'options' | 'terminal'>) => Promise<void>;

const add: Verb = async (folder, { options, terminal }) => {
  const key = textOption(options, 'key');
  const open = finderOpener(options, terminal);
  const { file, left, ...copy } = await withUnlocked(options, terminal, (unlocked) =>
    withCodes(options, terminal, requiredCodes, (codes) => addFinderCopy(unlocked, folder, key, codes, open)),
  );
  terminal.result({ ...copy, file, left }, [
    `Opened and noted: ${copy.party}’s share of key ${copy.keyId}, epoch ${copy.epoch}, generation ${copy.generation}.`,
    `  kit   ${copy.kit}`,
    `  file  ${file.domain}: ${file.path}`,
    ...left.map(({ domain, path, reason }) => `  left  ${domain}: ${path} (${reason})`),
    '',
    ...(copy.domain.startsWith('device:')
      ? ['The backup lies on the disk of this device and is lost with it: it is no second place.']
      : []),
    `Next: keepset drill --copy ${copy.kit.slice(0, 6)} --code -`,
    'After each later backup of the phone, and after each refresh, run this again.',
  ]);
};

const extract: Verb = async (folder, { options, terminal }) => {
  const out = textOption(options, 'out');
  if (out === undefined)
    throw new KeepsetError('input/invalid-argument', 'Say where the share files go: --out DIR.');
  const content = await finderOpener(options, terminal)(folder);
  refuseEmpty(content);
  const { encrypted, shares, unreadable } = content;
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

/** Names of their own in the backup, where they are harmless and differ in more than case; else numbered ones. */
const namesFor = (shares: readonly BackupShare[]): readonly string[] => {
  const used = new Set<string>();
  const isFree = (name: string): boolean => !used.has(name.toLowerCase());
  return shares.map(({ path }, i) => {
    const own = basename(path);
    let name = own;
    if (!/^[A-Za-z0-9][\w.-]{0,100}\.age$/.test(own) || !isFree(own))
      for (let number = i + 1; !isFree((name = `share-${number}.age`)); number += 1);
    used.add(name.toLowerCase());
    return name;
  });
};

const verbs: Readonly<Record<string, Verb>> = { add, extract };

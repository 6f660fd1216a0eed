import { KeepsetError } from '@keepset/bytes';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { createCopy } from '../places/folder-copy.ts';
import { paperOption, readPaper } from '../places/paper.ts';
import { renewCopies, renewalLines, type Renewal } from '../places/rewrite.ts';
import { codeLines } from '../places/sealed-copy.ts';
import { withUnlocked } from '../places/unlock.ts';

export const backup: Command = {
  name: 'backup',
  summary: 'Copy this device’s share to a folder or keyring, or rewrite all copies that are stale',
  usage: 'FOLDER [--cloud NAME] --code-sheet FILE,  or  --keyring …,  or  --again',
  positionals: [0, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    cloud: {
      type: 'string',
      value: 'NAME',
      help: 'The folder is synchronised by this account, such as icloud',
    },
    keyring: { type: 'boolean', help: 'Into the keyring of this desktop instead of a folder' },
    'code-sheet': { type: 'string', value: 'FILE', help: 'Print the recovery code as PDF, elsewhere' },
    'show-code': { type: 'boolean', help: 'Show the recovery code' },
    ...paperOption,
    again: { type: 'boolean', help: 'Write the current share over all stale copies that can be reached' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset backup ~/Drive --cloud icloud --code-sheet /tmp/code.pdf',
    'keepset backup /mnt/other-disk --show-code',
    'keepset backup --again                           # after a refresh, with the stick plugged in',
  ],
  run: (invocation) => (invocation.options['again'] === true ? renew(invocation) : create(invocation)),
};

const create = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const [folder] = positionals;
  const cloud = textOption(options, 'cloud');
  if ((folder === undefined) !== (options['keyring'] === true))
    throw new KeepsetError('input/invalid-argument', 'Say where the copy goes: FOLDER, or --keyring.');
  if (cloud !== undefined && (folder === undefined || !/^[a-z][a-z0-9-]{0,31}$/.test(cloud)))
    throw new KeepsetError(
      'input/invalid-argument',
      'With --cloud give a folder, and a name in small letters.',
    );
  const sheet = textOption(options, 'code-sheet');
  const output = { sheet, paper: readPaper(options), show: options['show-code'] === true };
  const made = await withUnlocked(options, terminal, (unlocked) =>
    createCopy(unlocked, { folder, cloud }, textOption(options, 'key'), output),
  );
  terminal.result({ ...made, ...(sheet === undefined ? {} : { codeSheet: sheet }) }, [
    `Written and read back: key ${made.keyId}, epoch ${made.epoch}, generation ${made.generation}.`,
    `  kit  ${made.kit}`,
    ...(sheet === undefined
      ? []
      : [`  code sheet  ${sheet}: print it, keep it elsewhere, and delete the file`]),
    ...(made.code === undefined ? [] : codeLines(made.code)),
    '',
    ...cautionLines(made.domain),
    `Next: keepset drill --copy ${made.kit.slice(0, 6)} --code -`,
  ]);
};

const cautionLines = (domain: string): readonly string[] => {
  if (domain.startsWith('account:'))
    return ['Keepset sees the folder, not the cloud: look there once from another device.'];
  return domain.startsWith('device:')
    ? ['It is lost together with this device: it helps against mistakes, not against loss.']
    : [];
};

const renew = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  if (positionals.length > 0)
    throw new KeepsetError(
      'input/invalid-argument',
      'With --again no folder is given: all copies are meant.',
    );
  const key = textOption(options, 'key');
  const renewals = await withUnlocked(options, terminal, async (unlocked) => {
    const { vault } = unlocked;
    const done: (Renewal & { readonly keyId: string })[] = [];
    for (const keyId of key === undefined ? await vault.list() : [await findKeyId(vault, key)])
      done.push({ keyId, ...(await renewCopies(unlocked, keyId)) });
    return done;
  });
  const lines = renewals.flatMap((renewal) => renewalLines(renewal, renewal.keyId));
  terminal.result({ keys: renewals }, lines.length === 0 ? ['All copies are current.'] : lines);
};

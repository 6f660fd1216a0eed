import { readFile } from 'node:fs/promises';
import { KeepsetError } from '@keepset/bytes';
import { textOption, type OptionSpec, type OptionValues } from '../command.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** The options of every command that may have to unlock the device. */
export const passphraseOptions: Readonly<Record<string, OptionSpec>> = {
  'passphrase-file': {
    type: 'string',
    value: 'FILE',
    help: 'Read the passphrase from a file (or KEEPSET_PASSPHRASE)',
  },
};

/** A passphrase given without anybody typing it, if there is one. */
export const givenPassphrase = async (options: OptionValues): Promise<string | undefined> => {
  const file = textOption(options, 'passphrase-file');
  if (file === undefined) return process.env['KEEPSET_PASSPHRASE'];
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `The passphrase file ${file} cannot be read.`, {
      cause,
    });
  }
};

/** A passphrase from option, environment or the keyboard. */
export const obtainPassphrase = async (options: OptionValues, terminal: Terminal): Promise<string> =>
  (await givenPassphrase(options)) ?? terminal.askSecret('Passphrase: ');

/** A new passphrase, typed twice when typed. @throws KeepsetError `input/invalid-argument` */
export const obtainNewPassphrase = async (options: OptionValues, terminal: Terminal): Promise<string> => {
  const given = await givenPassphrase(options);
  const passphrase = given ?? (await terminal.askSecret('New passphrase: '));
  if (given === undefined && passphrase !== (await terminal.askSecret('Again: ')))
    throw new KeepsetError('input/invalid-argument', 'The two passphrases differ.');
  if (passphrase.length < 8)
    throw new KeepsetError('input/invalid-argument', 'A passphrase has at least 8 characters.');
  return passphrase;
};

import { readFile } from 'node:fs/promises';
import { KeepsetError } from '@keepset/bytes';
import { scryptInThreadPool } from '@keepset/places';
import { decodeIdentityFile, isEncryptedIdentity, type DeviceIdentity } from '@keepset/wire';
import { textOption, type OptionSpec, type OptionValues } from '../command.ts';
import { withPassphrase } from '../terminal/attempts.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** The options of every command that may have to unlock the device. */
export const passphraseOptions: Readonly<Record<string, OptionSpec>> = {
  'passphrase-file': {
    type: 'string',
    value: 'FILE',
    help: 'Read the passphrase from a file (or KEEPSET_PASSPHRASE)',
  },
};

/** The option of every command that opens a copy under a passphrase, or a Finder backup. */
export const copyPassphraseOption: Readonly<Record<string, OptionSpec>> = {
  'copy-passphrase-file': {
    type: 'string',
    value: 'FILE',
    help: 'Passphrase of the copy, or password of the Finder backup',
  },
};

/** A passphrase given without anybody typing it, if there is one. */
export const givenPassphrase = async (options: OptionValues): Promise<string | undefined> => {
  const file = textOption(options, 'passphrase-file');
  return file === undefined ? process.env['KEEPSET_PASSPHRASE'] : readPassphrase(file);
};

/** Passphrase of a copy or a Finder backup, from a file; undefined where it is to be asked. */
export const copyPassphrase = async (options: OptionValues): Promise<string | undefined> => {
  const file = textOption(options, 'copy-passphrase-file');
  return file === undefined ? undefined : readPassphrase(file);
};

const readPassphrase = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `The passphrase file ${file} cannot be read.`, {
      cause,
    });
  }
};

/**
 * Opens with a passphrase from option, environment or the keyboard. A typed one may be wrong twice.
 * @param what how the question names it: `Passphrase`
 * @throws KeepsetError `input/wrong-passphrase`, and as `open`
 */
export const openWithPassphrase = async <T>(
  options: OptionValues,
  terminal: Terminal,
  what: string,
  open: (passphrase: string) => Promise<T>,
): Promise<T> => withPassphrase(terminal, what, await givenPassphrase(options), open);

/**
 * Reads an identity file, asking for its passphrase where it has one.
 * @throws KeepsetError `input/wrong-passphrase`, `place/damaged`
 */
export const openIdentityFile = async (
  file: Uint8Array,
  options: OptionValues,
  terminal: Terminal,
): Promise<DeviceIdentity> =>
  isEncryptedIdentity(file)
    ? openWithPassphrase(options, terminal, 'Passphrase', (passphrase) =>
        decodeIdentityFile(file, { passphrase, scrypt: scryptInThreadPool }),
      )
    : decodeIdentityFile(file);

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

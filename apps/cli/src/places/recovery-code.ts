/** Recovery codes as they are given: typed, or in a file that `age -i` takes. */
import { KeepsetError, fromUtf8 } from '@keepset/bytes';
import { checkTypedCode, type CodeVerdict } from '@keepset/places';
import { isEncryptedIdentity, openingKeyOf, wipeIdentity } from '@keepset/wire';
import type { OptionSpec, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { openIdentityFile } from '../home/passphrase.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { readGiven } from './given-file.ts';

/** The options of every command that opens a backup copy. */
export const codeOptions: Readonly<Record<string, OptionSpec>> = {
  code: { type: 'string', value: 'CODE', help: 'The recovery code; - asks for it without showing it' },
  identity: { type: 'string', value: 'FILE', help: 'A file with the recovery code, as `age -i` takes it' },
};

/**
 * The age identities given, or none if neither option is.
 * @throws KeepsetError `input/malformed` (with the place of a typing error), `input/invalid-argument`,
 * `input/wrong-passphrase`.
 */
export const givenCodes = async (options: OptionValues, terminal: Terminal): Promise<readonly string[]> => {
  const code = textOption(options, 'code');
  const file = textOption(options, 'identity');
  if (code !== undefined && file !== undefined)
    throw new KeepsetError('input/invalid-argument', 'Give --code or --identity, not both.');
  if (code !== undefined)
    return [checkCode(code === '-' ? await terminal.askSecret('Recovery code: ') : code)];
  return file === undefined ? [] : readIdentityFile(file, options, terminal);
};

/** As {@link givenCodes}; `input/invalid-argument` if neither option is given. */
export const requiredCodes = async (
  options: OptionValues,
  terminal: Terminal,
): Promise<readonly string[]> => {
  const codes = await givenCodes(options, terminal);
  if (codes.length > 0) return codes;
  throw new KeepsetError('input/invalid-argument', 'The recovery code is needed.', {
    hint: 'Give --code CODE (or --code - to be asked), or --identity FILE.',
  });
};

const attempts = 3;

/**
 * Opens a copy with the codes that are given; one that is typed may be wrong twice.
 * @param given {@link givenCodes}, or {@link requiredCodes} where nothing opens without
 * @throws KeepsetError as {@link givenCodes} and `open`; `place/locked` if no code opens the copy
 */
export const withCodes = async <T>(
  options: OptionValues,
  terminal: Terminal,
  given: typeof givenCodes,
  open: (codes: readonly string[]) => Promise<T>,
): Promise<T> => {
  if (textOption(options, 'code') !== '-') return open(await given(options, terminal)).catch(sayWrongCode);
  for (let attempt = 1; ; attempt += 1)
    try {
      const typed = await terminal.askSecret(`Recovery code (attempt ${attempt} of ${attempts}): `);
      return await open([checkCode(typed)]);
    } catch (error) {
      const isWrong =
        error instanceof KeepsetError && (error.code === 'place/locked' || error.code === 'input/malformed');
      if (!isWrong || attempt === attempts) return sayWrongCode(error);
      terminal.note(error.code === 'place/locked' ? wrongCode : error.message);
    }
};

const wrongCode = 'This code does not open this copy.';

const sayWrongCode = (error: unknown): never => {
  if (!(error instanceof KeepsetError) || error.code !== 'place/locked') throw error;
  throw new KeepsetError('place/locked', wrongCode, {
    hint: 'Each copy has a code of its own: compare the kit on the code sheet with `keepset health`.',
    cause: error,
  });
};

/** @throws KeepsetError `input/malformed` with the place of the error; the message never quotes the code. */
export const checkCode = (typed: string): string => {
  const verdict = checkTypedCode(typed);
  if (verdict.status === 'ok') return verdict.identity;
  throw new KeepsetError('input/malformed', `The recovery code is mistyped: ${reasons[verdict.reason]}.`, {
    hint: whereToLook(verdict.positions),
  });
};

const reasons: Readonly<Record<Extract<CodeVerdict, { status: 'typo' }>['reason'], string>> = {
  prefix: 'it does not begin with AGE-SECRET-KEY-1',
  characters: 'it has characters that no code has',
  checksum: 'its checksum is wrong',
  missing: 'a character is missing',
  superfluous: 'there is a character too many',
  length: 'it has not 58 characters after AGE-SECRET-KEY-1',
};

const whereToLook = (positions: readonly number[]): string =>
  positions.length === 0
    ? 'Compare it with the sheet from the beginning.'
    : `Look at character ${positions.join(' or ')} after AGE-SECRET-KEY-1; the sheet numbers its rows.`;

const maxFileBytes = 16_384;

const readIdentityFile = async (
  path: string,
  options: OptionValues,
  terminal: Terminal,
): Promise<readonly string[]> => {
  const file = await readGiven(path, maxFileBytes);
  if (isEncryptedIdentity(file)) {
    const identity = await openIdentityFile(file, options, terminal);
    const key = openingKeyOf(identity);
    wipeIdentity(identity);
    return [key];
  }
  const lines = textOf(file, path)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines.length === 0)
    throw new KeepsetError('input/malformed', `${path} holds no recovery code.`, {
      hint: 'A code begins with AGE-SECRET-KEY-1.',
    });
  return lines.map(checkCode);
};

const textOf = (file: Uint8Array, path: string): string => {
  try {
    return fromUtf8(file);
  } catch {
    // No cause: it could quote the code.
    throw new KeepsetError('input/malformed', `${path} is not text.`);
  }
};

/** What recovery asks: options first, the keyboard where somebody is there, else what to give. */
import { KeepsetError } from '@keepset/bytes';
import type { Invocation, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { copyPassphrase } from '../home/passphrase.ts';
import { findPasskey, openWithPasskey } from '../passkey/way.ts';
import { givenCodes } from '../places/recovery-code.ts';
import { askLetter } from '../terminal/choice.ts';
import { askAloud, type Terminal } from '../terminal/terminal.ts';
import type { Cause } from '../home/recovery-record.ts';
import type { Source } from './source.ts';

/** The first question. @throws KeepsetError `input/invalid-argument` */
export const readCause = async (options: OptionValues, terminal: Terminal): Promise<Cause> => {
  const isLost = options['lost'] === true;
  const isStolen = options['stolen'] === true;
  if (isLost !== isStolen) return isLost ? 'lost' : 'stolen';
  if (isLost || !terminal.canAsk)
    throw new KeepsetError('input/invalid-argument', 'Is the old device lost or stolen?', {
      hint: '--lost: broken, or where nobody finds it. --stolen: somebody has it or may have it; in doubt, this one.',
    });
  const letter = await askLetter(terminal, 'Is the old device lost or stolen?', {
    L: 'lost: broken, or where nobody finds it',
    S: 'stolen: somebody has it or may have it; in doubt, this one',
  });
  return letter === 'L' ? 'lost' : 'stolen';
};

const places: Readonly<Record<string, string>> = {
  U: 'a USB stick that Keepset wrote',
  P: 'printed sheets, scanned as PNG pictures',
  F: 'a folder or file: iCloud Drive, another disk, a share file',
  B: 'a Finder backup of the phone',
  K: 'the keyring of this desktop',
  N: 'there is no copy any more',
};
const pathQuestions: Readonly<Record<string, string>> = {
  U: 'Folder under which the stick appears: ',
  P: 'The pictures, separated by spaces: ',
  F: 'Folder or file: ',
  B: 'Folder of the backup (the one with Manifest.plist): ',
};

/** Where the copy is and what opens it. @throws KeepsetError `input/…` */
export const readSource = async ({ options, positionals, terminal }: Invocation): Promise<Source> => {
  const { paths, keyring } = saidOf(options, positionals) ?? (await askPlace(terminal));
  const kit = textOption(options, 'kit');
  const passkey =
    options['passkey'] === true && !keyring ? await findPasskey(paths[0] ?? '', kit) : undefined;
  const codes =
    passkey === undefined
      ? await givenCodes(options, terminal)
      : [await openWithPasskey(passkey, options, terminal)];
  return { paths, keyring, codes, passkey, passphrase: await copyPassphrase(options), kit };
};

type Where = Required<Pick<Source, 'paths' | 'keyring'>>;

/** @throws KeepsetError `input/invalid-argument` where two places are named */
const saidOf = (options: OptionValues, more: readonly string[]): Where | undefined => {
  const from = textOption(options, 'from');
  if (options['keyring'] !== true)
    return from === undefined ? undefined : { paths: [from, ...more], keyring: false };
  if (from === undefined && options['passkey'] !== true) return { paths: more, keyring: true };
  throw new KeepsetError('input/invalid-argument', 'A copy in the keyring is opened by its recovery code.', {
    hint: 'With --keyring leave out --from and --passkey.',
  });
};

const askPlace = async (terminal: Terminal): Promise<Where> => {
  if (!terminal.canAsk)
    throw new KeepsetError('input/invalid-argument', 'Say where a copy of the share is: --from COPY.', {
      hint: 'A stick, a folder, a Finder backup, a share file, or pictures of printed sheets; or --keyring. If no copy is left, run `keepset repair PARTY` on another device of the key, then here `keepset recover --join CODE`.',
    });
  const letter = await askLetter(terminal, 'Where is a copy of the share?', places);
  if (letter === 'K') return { paths: [], keyring: true };
  const question = pathQuestions[letter];
  if (question === undefined)
    throw new KeepsetError('input/invalid-argument', 'Without a copy the others have to help.', {
      hint: 'On another device of the key run `keepset repair PARTY`, with the name of the lost one; then here `keepset recover --join CODE`.',
    });
  const answer = (await askAloud(question)).trim();
  return { paths: letter === 'P' ? answer.split(/\s+/) : [answer], keyring: false };
};

/** Says what is going to happen, and asks whether to. @throws KeepsetError `input/invalid-argument` when not. */
export const announce = async (
  { options, terminal }: Invocation,
  steps: readonly string[],
): Promise<void> => {
  terminal.note('This will:');
  steps.forEach((step, i) => terminal.note(`  ${i + 1}. ${step}`));
  if (options['yes'] === true || !terminal.canAsk) return;
  if (!(await terminal.askYesNo('Go on?')))
    throw new KeepsetError('input/invalid-argument', 'Stopped before anything was done.', {
      hint: 'Run it again at any time.',
    });
};

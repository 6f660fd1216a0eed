/** Putting a key together for good: what is asked first, what is written, and what remains to be done. */
import { resolve } from 'node:path';
import { KeepsetError, toKeepsetError, utf8ToBytes } from '@keepset/bytes';
import {
  announceExport,
  chooseQuorum,
  lastResort,
  type AssembledKey,
  type GroupKey,
  type ShareCopy,
} from '@keepset/ceremony';
import type { Invocation, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { readIfThere } from '../home/files.ts';
import { copyPassphrase } from '../home/passphrase.ts';
import { homePaths } from '../home/paths.ts';
import { refuseExisting, writeNew } from '../places/output.ts';
import { givenCodes } from '../places/recovery-code.ts';
import { askAloud, type Terminal } from '../terminal/terminal.ts';
import { printPrivateKey, readForm } from './private-key.ts';
import { openAll, type Source } from './source.ts';

/**
 * `keepset export --last-resort`.
 * @throws KeepsetError of the sources, and as `lastResort`
 */
export const exportKey = async (invocation: Invocation): Promise<void> => {
  const { positionals, options, terminal } = invocation;
  const out = outOf(invocation);
  await refuseExisting(out);
  await refuseExisting(recordPath(out));
  const copies = await openCopies(await sourcesOf(positionals, options, terminal), options, terminal);
  let key: AssembledKey | undefined;
  try {
    if (copies.length === 0)
      throw new KeepsetError('place/foreign', 'None of these copies is of the key asked for with --key.', {
        hint: 'Without --key, the copies say which key they are of.',
      });
    const chosen = chooseQuorum(copies);
    const { group, leftOut } = chosen;
    for (const { copy, reason } of leftOut) terminal.note(`Left out ${copy.where}: ${reason}.`);
    const form = readForm(group.scheme, textOption(options, 'as'));
    for (const line of warning(group)) terminal.note(line);
    await confirm(group, options, terminal);
    const isLogged = await announce(group.keyId, invocation);
    key = lastResort(chosen);
    await writeNew(recordPath(out), utf8ToBytes(recordOf(key, isLogged)));
    await writeNew(out, utf8ToBytes(printPrivateKey(key, form)));
    const { keyId, epoch, policy } = key.group;
    const { parties } = key;
    const about = { keyId, epoch, policy, parties, form, out, record: recordPath(out), logged: isLogged };
    const left = leftOut.map(({ copy, reason }) => ({ where: copy.where, party: copy.share.party, reason }));
    terminal.result({ ...about, leftOut: left }, [
      `Exported: the private key of ${keyId} lies in clear in ${out} (${form}).`,
      `  put together from the shares of ${key.parties.join(' and ')}, epoch ${epoch}; it fits the public key`,
      `  noted in ${recordPath(out)}${isLogged ? ', and in the log of the server' : ''}`,
      '',
      'From now on one theft is enough, and no refresh mends that. Make a new key with `keepset keygen`, move',
      'everything that this one controls to it, revoke this one wherever it is trusted, and destroy the file.',
    ]);
  } finally {
    key?.secret.wipe();
    for (const { share } of copies) share.secret.wipe();
  }
};

/** A copy, and where it was found. */
interface OpenedShareCopy extends ShareCopy {
  readonly where: string;
}

const outOf = ({ options, positionals }: Invocation): string => {
  const out = textOption(options, 'out');
  if (options['last-resort'] !== true)
    throw new KeepsetError('input/invalid-argument', 'A key is put together only with --last-resort.', {
      hint: 'To get a lost device back, `keepset recover` does it without assembling the key. To move a key to other devices, `keepset reshare`.',
    });
  if (out === undefined || positionals.length === 0)
    throw new KeepsetError('input/invalid-argument', 'Give the copies, and --out FILE for the private key.', {
      hint: 'A copy is a stick, a folder, a Finder backup or a share file; `keepset kit read` makes one of printed sheets.',
    });
  return resolve(out);
};

const recordPath = (out: string): string => `${out}.record.txt`;

const sourcesOf = async (
  paths: readonly string[],
  options: OptionValues,
  terminal: Terminal,
): Promise<readonly Source[]> => {
  const codes = await givenCodes(options, terminal);
  const passphrase = await copyPassphrase(options);
  return paths.map((path) => ({ paths: [path], codes, passphrase, kit: undefined }));
};

/** All shares at all sources, of the key that is meant. */
const openCopies = async (
  sources: readonly Source[],
  options: OptionValues,
  terminal: Terminal,
): Promise<readonly OpenedShareCopy[]> => {
  const key = (textOption(options, 'key') ?? '').toLowerCase();
  const copies: OpenedShareCopy[] = [];
  try {
    for (const source of sources)
      for (const { where, opened } of (await openAll(source, terminal)).found) {
        const { group, party, secret } = opened.share;
        const isMeant = group.keyId.startsWith(key);
        terminal.note(`Opened ${where}: ${party}’s share of key ${group.keyId}, epoch ${group.epoch}.`);
        if (isMeant) copies.push({ where, share: opened.share });
        else secret.wipe();
      }
  } catch (error) {
    for (const { share } of copies) share.secret.wipe();
    throw error;
  }
  return copies;
};

const warning = (group: GroupKey): readonly string[] => [
  '',
  '  !! LAST RESORT: this puts a key together that was made never to be in one place.',
  `  !! Key ${group.keyId}, ${group.scheme}, ${group.policy}.`,
  '  !! Whoever reads the file, or this computer’s memory or disk, then has the key for ever.',
  '  !! Do it on a computer without a network, with nobody looking on, and only to leave Keepset.',
  '',
];

/** The key id, typed: long enough that nobody does it by mistake. */
const confirm = async (group: GroupKey, options: OptionValues, terminal: Terminal): Promise<void> => {
  const given = textOption(options, 'confirm');
  if (given === undefined && !terminal.canAsk)
    throw new KeepsetError('input/invalid-argument', 'Nobody is there to confirm this.', {
      hint: `Give --confirm ${group.keyId} if that is the key you mean.`,
    });
  const typed = given ?? (await askAloud(`Type the whole key id to put ${group.keyId} together: `));
  if (typed.trim() === group.keyId) return;
  throw new KeepsetError(
    'input/invalid-argument',
    'That is not the id of this key. Nothing was put together.',
    {
      hint: `The id is ${group.keyId}.`,
    },
  );
};

/**
 * Has the server log the export first, if this computer is a device of it. One that cannot be reached stops the export,
 * unless --offline says that this is known.
 */
const announce = async (keyId: string, { options, terminal }: Invocation): Promise<boolean> => {
  const isDevice = (await readIfThere(homePaths(options).account)) !== undefined;
  if (!isDevice || options['offline'] === true) return false;
  try {
    await withDevice(options, terminal, ({ device }) => announceExport(device, keyId));
    return true;
  } catch (thrown) {
    const error = toKeepsetError(thrown);
    if (error.family !== 'transport') throw thrown;
    throw new KeepsetError(error.code, error.message, {
      hint: 'The server could not log this. If it cannot be reached, repeat with --offline: the export is then noted in a file only.',
      cause: error,
    });
  }
};

const recordOf = ({ group, parties }: AssembledKey, isLogged: boolean): string =>
  [
    `At ${new Date().toISOString()} the key ${group.keyId} (${group.scheme}, ${group.policy}, epoch ${group.epoch})`,
    `was put together from the shares of ${parties.join(' and ')} by keepset export --last-resort.`,
    isLogged ? 'The server has logged it.' : 'The server was not asked: this note is the only record.',
    'Keep it, and treat the key as one that can be stolen.',
    '',
  ].join('\n');

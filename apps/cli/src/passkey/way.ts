/**
 * A passkey beside a folder copy, which opens the recovery code of that copy: a second way in, and no second copy.
 * Two files that anybody may read: `passkey.age`, the code sealed to the passkey, and `passkey.txt`, which one it is.
 * @spec spec/recovery.md §7
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { KeepsetError, bytesEqual, fromUtf8, toKeepsetError } from '@keepset/bytes';
import {
  browserPasskey,
  createPasskey,
  decodePasskeyName,
  encodePasskeyName,
  nodeFileSystem,
  openIdentityWithPasskey,
  sealIdentityToPasskey,
  type PasskeyName,
  type Reach,
  type RelyingParty,
} from '@keepset/places';
import type { OptionSpec, OptionValues } from '../command.ts';
import { writeDurably } from '../home/files.ts';
import type { LedgerKit, LedgerPasskey } from '../places/ledger.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { browserOption, withBrowser } from './browser.ts';

/** The options of commands that open a folder copy by its passkey. */
export const passkeyOptions: Readonly<Record<string, OptionSpec>> = {
  passkey: { type: 'boolean', help: 'Instead of the code: the passkey beside a folder copy, in a browser' },
  ...browserOption,
};

/** What lies beside a copy. */
export interface PasskeyFiles {
  readonly sealed: Uint8Array;
  readonly name: PasskeyName;
}

/** A passkey beside a copy in a folder `keepset-KIT`. */
export interface FoundPasskey {
  readonly kit: string;
  readonly sealed: Uint8Array;
  /** Absent where only the sealed code is left: the user then picks the passkey. */
  readonly name: PasskeyName | undefined;
  readonly hashes: Hashes;
}
type Hashes = Pick<LedgerPasskey, 'sha256' | 'nameSha256'>;

/** It cannot expire, be sold or be taken away, as other domains can. See docs/decisions/0021. */
const site: RelyingParty = { id: 'localhost', name: 'Keepset' };
const sealedFile = 'passkey.age';
const nameFile = 'passkey.txt';
const maxBytes = 8192;

/** Whether a file in a folder copy belongs to its passkey, and is no copy of a share. */
export const isPasskeyFile = (name: string): boolean => name === sealedFile;

const titleOf = (kit: string): string => `Keepset ${kit.slice(0, 6)}`;

/**
 * Makes a passkey for a kit and seals its recovery code to it. Asks the user three times.
 * @throws KeepsetError as `withBrowser`, `createPasskey` and `sealIdentityToPasskey`.
 */
export const sealToPasskey = (
  code: string,
  kit: string,
  options: OptionValues,
  terminal: Terminal,
): Promise<PasskeyFiles> => {
  const texts = {
    title: `A passkey for copy ${kit.slice(0, 6)}`,
    steps: [
      `Make a new passkey with the name “${titleOf(kit)}”.`,
      'Use it for the first time: it seals the recovery code of the copy.',
      'Use it once more: this proves that it opens what it sealed.',
    ],
  };
  return withBrowser(options, terminal, texts, async (credentials) => {
    const credentialId = await createPasskey(credentials, site, titleOf(kit));
    const passkey = browserPasskey(credentials, site, credentialId);
    return { sealed: await sealIdentityToPasskey(code, passkey), name: { credentialId, rpId: site.id } };
  });
};

/**
 * Writes the two files into the copy's own folder, in place of older ones, and reads them back.
 * @throws KeepsetError `place/foreign` if the folder is a link: whoever may write around it may lead it anywhere;
 * `place/damaged`, and as `writeDurably`.
 */
export const writePasskey = async (
  folder: string,
  { sealed, name }: PasskeyFiles,
): Promise<LedgerPasskey> => {
  if (await isAstray(folder))
    throw new KeepsetError('place/foreign', `${folder} is a link, or no folder. Nothing was written.`, {
      hint: 'Somebody else may write where the copy lies. Put a new copy elsewhere: `keepset backup FOLDER --passkey`.',
    });
  // Cut off in between, the files never name an older passkey than the one that was sealed to.
  await rm(join(folder, nameFile), { force: true });
  await writeDurably(join(folder, sealedFile), sealed);
  await writeDurably(join(folder, nameFile), describe(name));
  const found = await readPasskey(folder);
  if (found === undefined || !bytesEqual(found.sealed, sealed))
    throw new KeepsetError('place/damaged', 'What the passkey opens does not read back as it was written.');
  return { ...found.hashes, readBackAt: new Date().toISOString() };
};

/** Takes the two files away, of a copy that could not be written. */
export const removePasskey = async (folder: string): Promise<void> => {
  if (await isAstray(folder)) return;
  for (const name of [sealedFile, nameFile]) await rm(join(folder, name), { force: true });
};

/** Whether something else stands where the folder was. */
const isAstray = async (folder: string): Promise<boolean> => {
  const facts = await nodeFileSystem.facts(folder);
  return facts !== null && facts.kind !== 'folder';
};

const describe = (name: PasskeyName): string =>
  [
    '# Which passkey opens passkey.age. That holds the recovery code of the copy in this folder, an age identity.',
    '# Nothing here is secret. Program: keepset, with --passkey; or any that knows age-encryption.org/fido2prf.',
    encodePasskeyName(name),
    '',
  ].join('\n');

/**
 * The one passkey at a place. Files that cannot be read hide no others.
 * @param path folder of a cloud drive or of one copy, or a file in the latter.
 * @param prefix beginning of the kit's id, where there are several.
 * @throws KeepsetError `place/not-found`, `input/invalid-argument` (several), `place/damaged`, `place/foreign`.
 */
export const findPasskey = async (path: string, prefix = ''): Promise<FoundPasskey> => {
  const start = resolve(path);
  const facts = await nodeFileSystem.facts(start);
  if (facts === null)
    throw new KeepsetError('place/not-found', `There is nothing at ${start}.`, {
      hint: 'Give the folder that holds the copy, or mount it first.',
    });
  const root = facts.kind === 'file' ? dirname(start) : start;
  const folders = facts.kind === 'folder' ? [root, ...(await foldersIn(root))] : [root];
  const found: FoundPasskey[] = [];
  let unreadable: KeepsetError | undefined;
  for (const folder of folders) {
    const kit = /^keepset-([a-z2-7]{26})$/.exec(basename(folder))?.[1];
    if (kit?.startsWith(prefix.toLowerCase()) !== true) continue;
    try {
      const passkey = await readPasskey(folder);
      if (passkey !== undefined) found.push({ kit, ...passkey });
    } catch (thrown) {
      unreadable = toKeepsetError(thrown);
      if (unreadable.family === 'bug') throw thrown;
    }
  }
  const [one, ...others] = found;
  if (one === undefined) throw unreadable ?? noPasskey();
  if (others.length > 0)
    throw new KeepsetError('input/invalid-argument', `Several copies at ${path} have a passkey; say which.`, {
      hint: `Give the folder of one of them: ${found.map(({ kit }) => `keepset-${kit}`).join(', ')}`,
    });
  return one;
};

/** The copy has none. */
export const noPasskey = (): KeepsetError =>
  new KeepsetError('place/not-found', 'There is no copy with a passkey.', {
    hint: 'A copy that has one lies in a folder keepset-… together with passkey.age. Otherwise use the recovery code: --code -',
  });

const foldersIn = async (root: string): Promise<readonly string[]> => {
  const folders: string[] = [];
  for (const name of (await nodeFileSystem.names(root)).toSorted())
    if (name.startsWith('keepset-') && (await nodeFileSystem.facts(join(root, name)))?.kind === 'folder')
      folders.push(join(root, name));
  return folders;
};

/** @returns undefined where there is none. */
export const readPasskey = async (folder: string): Promise<Omit<FoundPasskey, 'kit'> | undefined> => {
  const files = await readFiles(folder);
  if (files === undefined) return undefined;
  const { sealed, named } = files;
  const nameHash = named === undefined ? {} : { nameSha256: sha256(named) };
  return {
    sealed,
    name: named === undefined ? undefined : parseName(named),
    hashes: { sha256: sha256(sealed), ...nameHash },
  };
};

const readFiles = async (
  folder: string,
): Promise<{ readonly sealed: Uint8Array; readonly named: Uint8Array | undefined } | undefined> => {
  const sealed = await readSmall(join(folder, sealedFile));
  return sealed === undefined ? undefined : { sealed, named: await readSmall(join(folder, nameFile)) };
};

const parseName = (text: Uint8Array): PasskeyName => {
  let cause: unknown;
  try {
    const name = decodePasskeyName(fromUtf8(text));
    if (name.rpId === site.id) return name;
  } catch (thrown) {
    cause = thrown;
  }
  throw new KeepsetError('place/damaged', `The file ${nameFile} of this copy names no passkey of Keepset.`, {
    hint: `Move it away, and pick the passkey yourself when the browser asks; or use the recovery code: --code -`,
    cause,
  });
};

const readSmall = async (path: string): Promise<Uint8Array | undefined> =>
  (await nodeFileSystem.facts(path)) === null ? undefined : nodeFileSystem.read(path, maxBytes);

/**
 * The recovery code. Asks the user once.
 * @throws KeepsetError `place/locked` (declined, deleted, another passkey), `place/unreachable` (no answer),
 * `input/unsupported`, `place/damaged`.
 */
export const openWithPasskey = async (
  { kit, sealed, name }: FoundPasskey,
  options: OptionValues,
  terminal: Terminal,
): Promise<string> => {
  if (options['code'] !== undefined || options['identity'] !== undefined)
    throw new KeepsetError('input/invalid-argument', 'Give --passkey or the recovery code, not both.', {
      hint: 'With --passkey leave out --code and --identity.',
    });
  const texts = {
    title: `Open copy ${kit.slice(0, 6)}`,
    steps: [`Use the passkey “${titleOf(kit)}”: it opens the recovery code of the copy.`],
  };
  try {
    return await withBrowser(options, terminal, texts, (credentials) =>
      openIdentityWithPasskey(sealed, browserPasskey(credentials, site, name?.credentialId)),
    );
  } catch (thrown) {
    throw withNextStep(toKeepsetError(thrown));
  }
};

const withNextStep = (error: KeepsetError): KeepsetError => {
  if (error.code === 'place/locked' && error.cause === undefined)
    return new KeepsetError('place/locked', 'This passkey does not open this copy.', {
      hint: 'It was sealed to another one. Use that, or the recovery code: --code -',
      cause: error,
    });
  if (error.family === 'bug') return error;
  const { code, message, hint = '' } = error;
  return new KeepsetError(code, message, {
    hint: `${hint} Or use the recovery code: --code -`.trim(),
    cause: error,
  });
};

/** A kit with the passkey that lies beside it. */
export const withPasskeySeen = (kit: LedgerKit, { hashes }: Pick<FoundPasskey, 'hashes'>): LedgerKit => ({
  ...kit,
  passkey: { ...hashes, readBackAt: new Date().toISOString() },
});

/** A kit with the passkey that has just opened it. */
export const withPasskeyOpened = (kit: LedgerKit, { hashes }: Pick<FoundPasskey, 'hashes'>): LedgerKit => {
  const now = new Date().toISOString();
  return { ...kit, passkey: { ...hashes, readBackAt: now, openedAt: now } };
};

/** What a look at the files of a kit's passkey shows just now. */
export const lookAtPasskey = async (folder: string, known: Hashes): Promise<Reach> => {
  try {
    const files = await readFiles(folder);
    if (files === undefined) return { status: 'damaged', reason: 'it is gone' };
    const { sealed, named } = files;
    if (!bytesEqual(sha256(sealed), known.sha256))
      return { status: 'damaged', reason: 'it is not what was written' };
    const { nameSha256 } = known;
    // Without the file the user picks the passkey.
    if (named === undefined || nameSha256 === undefined || bytesEqual(sha256(named), nameSha256))
      return { status: 'intact' };
    return {
      status: 'damaged',
      reason: `${nameFile} was changed (move it away, and you can pick the passkey yourself)`,
    };
  } catch (thrown) {
    const { code, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant') throw thrown;
    return { status: 'damaged', reason: message };
  }
};

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

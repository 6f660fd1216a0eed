import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { deriveGroup, type GroupKey, type SignRequest } from '@keepset/ceremony';
import {
  detectIntent,
  formats,
  signingKey,
  type Intent,
  type IntentKind,
  type IntentOptions,
} from '@keepset/intent';
import { textOption, type OptionSpec, type OptionValues } from './command.ts';
import { readPath } from './paths.ts';
import type { Terminal } from './terminal/terminal.ts';

const intentKinds: readonly IntentKind[] = formats.map(({ kind }) => kind);

/** Options that say how a file is to be understood. */
export const intentOptions: Readonly<Record<string, OptionSpec>> = {
  as: {
    type: 'string',
    value: 'FORMAT',
    help: `${intentKinds.join(', ')} (default: found from the content)`,
  },
  namespace: { type: 'string', value: 'NAME', help: 'ssh: what the signature is for (default file)' },
  network: { type: 'string', value: 'NAME', help: 'psbt: mainnet (default), testnet, signet or regtest' },
  kid: { type: 'string', value: 'ID', help: 'jwt: key id for the header' },
  path: { type: 'string', value: 'PATH', help: 'Sign with a child key (BIP 32), such as m/0/5' },
};

/** Reads a file, or standard input for `-`. @throws KeepsetError `input/invalid-argument` */
export const readInput = async (file: string): Promise<Uint8Array> => {
  try {
    if (file !== '-') return new Uint8Array(await readFile(file));
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return new Uint8Array(Buffer.concat(chunks));
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${file} cannot be read.`, { cause });
  }
};

/** What is to be signed, and by which child of the key. */
export interface Understood {
  readonly intent: Intent;
  /** One signature each, in the intent's order. */
  readonly requests: readonly SignRequest[];
}

/** Finds out what the bytes are and what signing them means. @throws KeepsetError of family `input/` or `policy/` */
export const understand = (
  bytes: Uint8Array,
  group: GroupKey,
  file: string,
  options: OptionValues,
): Understood => {
  const as = oneOf(intentKinds, textOption(options, 'as'), '--as');
  const network = oneOf(
    ['mainnet', 'testnet', 'signet', 'regtest'] as const,
    textOption(options, 'network'),
    '--network',
  );
  const namespace = textOption(options, 'namespace');
  const kid = textOption(options, 'kid');
  const chosen: IntentOptions = {
    ...(as === undefined ? {} : { as }),
    ...(network === undefined ? {} : { network }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(kid === undefined ? {} : { kid }),
    ...(file === '-' ? {} : { fileName: basename(file) }),
  };
  const path = readPath(textOption(options, 'path'));
  const key = signingKey(group);
  const intent = detectIntent(bytes, path.length === 0 ? key : signingKey(deriveGroup(group, path)), chosen);
  const requests = intent.inputs.map((input) => (path.length === 0 ? input : { ...input, path }));
  return { intent, requests };
};

const oneOf = <T extends string>(
  choices: readonly T[],
  text: string | undefined,
  option: string,
): T | undefined => {
  if (text === undefined) return undefined;
  const choice = choices.find((name) => name === text);
  if (choice === undefined)
    throw new KeepsetError('input/invalid-argument', `${option} takes ${choices.join(', ')}.`);
  return choice;
};

/** Shows what will be signed. A warning stops everyone who did not say --yes and cannot be asked. */
export const describeIntent = async (
  intent: Intent,
  keyId: string,
  yes: boolean,
  terminal: Terminal,
): Promise<void> => {
  if (!terminal.json) {
    terminal.note(`To be signed with key ${keyId}:`);
    for (const { label, value } of intent.description) terminal.note(`  ${label.padEnd(13)} ${value}`);
  }
  for (const warning of intent.warnings) terminal.note(`warning: ${warning}`);
  if (yes) return;
  if (terminal.canAsk && !(await terminal.askYesNo('Sign this?')))
    throw new KeepsetError('input/invalid-argument', 'Not signed: you said no.');
  if (!terminal.canAsk && intent.warnings.length > 0)
    throw new KeepsetError('policy/forbidden', `Not signed: ${intent.warnings.join(' ')}`, {
      hint: 'Add --yes if you have read the warnings and want it all the same.',
    });
};

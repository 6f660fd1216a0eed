import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { KeepsetError, toBase64 } from '@keepset/bytes';
import { signWith, type KeyShare } from '@keepset/ceremony';
import {
  detectIntent,
  formats,
  type Artefact,
  type Intent,
  type IntentKind,
  type IntentOptions,
} from '@keepset/intent';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import type { Terminal } from '../terminal/terminal.ts';

const intentKinds: readonly IntentKind[] = formats.map(({ kind }) => kind);

export const sign: Command = {
  name: 'sign',
  summary: 'Sign a file, transaction or token together with the server',
  usage: 'FILE [--key KEY] [--as FORMAT] [--out FILE]',
  positionals: [1, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    as: {
      type: 'string',
      value: 'FORMAT',
      help: `${intentKinds.join(', ')} (default: found from the content)`,
    },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'Where to write the result, - for standard output (default FILE plus ending)',
    },
    namespace: { type: 'string', value: 'NAME', help: 'ssh: what the signature is for (default file)' },
    network: { type: 'string', value: 'NAME', help: 'psbt: mainnet (default), testnet, signet or regtest' },
    kid: { type: 'string', value: 'ID', help: 'jwt: key id for the header' },
    yes: { type: 'boolean', short: 'y', help: 'Sign without asking, in spite of warnings' },
    force: { type: 'boolean', help: 'Replace an existing result file' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset sign release.tar.gz                 # SSH signature in release.tar.gz.sig',
    'keepset sign report.pdf --as raw            # for openssl',
    'keepset sign payment.psbt --key 4osh --out payment.tx',
    'echo hello | keepset sign - --as ssh --out -',
  ],
  run: async ({ positionals, options, terminal }) => {
    const file = positionals[0] ?? '-';
    const bytes = await readInput(file);
    const out = textOption(options, 'out');
    if (out === undefined && file === '-')
      throw new KeepsetError(
        'input/invalid-argument',
        'Say where to write the result: --out FILE or --out -.',
      );
    await withDevice(options, terminal, async (open) => {
      const share = await open.device.vault.open(
        await findKeyId(open.device.vault, textOption(options, 'key')),
      );
      try {
        const intent = understand(bytes, share, file, options);
        await confirm(intent, share, options['yes'] === true, terminal);
        const artefact = intent.finish(await signInputs(open, share, intent));
        const path = out ?? `${file}${artefact.suffix}`;
        await writeResult(path, artefact, options['force'] === true);
        report(terminal, share, intent, artefact, path);
      } finally {
        share.secret.wipe();
      }
    });
  },
};

const readInput = async (file: string): Promise<Uint8Array> => {
  try {
    if (file !== '-') return new Uint8Array(await readFile(file));
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return new Uint8Array(Buffer.concat(chunks));
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${file} cannot be read.`, { cause });
  }
};

const understand = (bytes: Uint8Array, share: KeyShare, file: string, options: OptionValues): Intent => {
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
  return detectIntent(bytes, share.group, chosen);
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
const confirm = async (intent: Intent, share: KeyShare, yes: boolean, terminal: Terminal): Promise<void> => {
  if (!terminal.json) {
    terminal.note(`To be signed with key ${share.group.keyId}:`);
    for (const { label, value } of intent.description) terminal.note(`  ${label.padEnd(14)}${value}`);
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

const signInputs = async ({ device }: OpenDevice, share: KeyShare, intent: Intent): Promise<Uint8Array[]> => {
  const signatures: Uint8Array[] = [];
  for (const input of intent.inputs) signatures.push((await signWith(device, share, input)).signature);
  return signatures;
};

const writeResult = async (path: string, artefact: Artefact, force: boolean): Promise<void> => {
  if (path === '-') {
    process.stdout.write(artefact.text ?? artefact.bytes);
    return;
  }
  try {
    await writeFile(path, artefact.bytes, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new KeepsetError(
      exists ? 'place/exists' : 'place/unreachable',
      `${path} ${exists ? 'exists already' : 'cannot be written'}.`,
      {
        ...(exists ? { hint: 'Use --force to replace it, or --out FILE.' } : {}),
        cause,
      },
    );
  }
};

const report = (
  terminal: Terminal,
  share: KeyShare,
  intent: Intent,
  artefact: Artefact,
  path: string,
): void => {
  if (path === '-') return;
  terminal.result(
    {
      keyId: share.group.keyId,
      kind: intent.kind,
      file: path,
      signature: toBase64(artefact.bytes),
      text: artefact.text ?? null,
    },
    [...artefact.summary, `Written to ${path}.`],
  );
};

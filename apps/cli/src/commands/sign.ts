import { lstat, writeFile } from 'node:fs/promises';
import { KeepsetError, toBase64 } from '@keepset/bytes';
import { signWith, type CoSigners, type KeyShare, type SignRequest } from '@keepset/ceremony';
import type { Artefact, Intent, IntentKind } from '@keepset/intent';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { describeIntent, intentOptions, readInput, understand } from '../intents.ts';
import { coSignersOf } from '../terminal/group.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const sign: Command = {
  name: 'sign',
  summary: 'Sign a file, transaction or token together with the server',
  usage: 'FILE [--key KEY] [--as FORMAT] [--out FILE]',
  positionals: [1, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    with: {
      type: 'string',
      value: 'PARTY,…',
      help: 'Other devices that sign too, where the policy needs them',
    },
    ...intentOptions,
    out: {
      type: 'string',
      value: 'FILE',
      help: 'Where to write the result, - for standard output (default FILE plus ending)',
    },
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
    'keepset sign contract.pdf --with laptop     # then `keepset join CODE contract.pdf` on laptop',
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
        const { intent, requests } = understand(bytes, share.group, file, options);
        const force = options['force'] === true;
        // Before anything is signed: a signature that cannot be kept need not be made.
        if (!force) await refuseExisting(out ?? `${file}${usualSuffix[intent.kind]}`);
        await describeIntent(intent, share.group.keyId, options['yes'] === true, terminal);
        const artefact = intent.finish(
          await signAll(open, share, requests, coSignersOf(textOption(options, 'with'), terminal)),
        );
        const path = out ?? `${file}${artefact.suffix}`;
        if (path !== '-') await writeResult(path, artefact, force);
        report(terminal, share, intent, artefact, path);
      } finally {
        share.secret.wipe();
      }
    });
  },
};

const signAll = async (
  { device }: OpenDevice,
  share: KeyShare,
  requests: readonly SignRequest[],
  coSigners: CoSigners | undefined,
): Promise<Uint8Array[]> => {
  const signatures: Uint8Array[] = [];
  for (const request of requests)
    signatures.push((await signWith(device, share, request, coSigners)).signature);
  return signatures;
};

/** Where a result usually goes; which of two endings a PSBT takes is known only once it is signed. */
const usualSuffix: Readonly<Record<IntentKind, string>> = {
  ssh: '.sig',
  raw: '.sig',
  psbt: '.tx',
  ethereum: '.tx',
  'ethereum-message': '.sig',
  jwt: '.jwt',
};

const refuseExisting = async (path: string): Promise<void> => {
  if (path !== '-' && (await isThere(path))) throw existsAlready(path);
};

const isThere = async (path: string): Promise<boolean> => {
  try {
    await lstat(path);
    return true;
  } catch {
    // Whatever else is wrong with the path shows when it is written.
    return false;
  }
};

const existsAlready = (path: string, cause?: unknown): KeepsetError =>
  new KeepsetError('place/exists', `${path} exists already.`, {
    hint: 'Use --force to replace it, or --out FILE.',
    cause,
  });

const writeResult = async (path: string, artefact: Artefact, force: boolean): Promise<void> => {
  try {
    await writeFile(path, artefact.bytes, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
      throw existsAlready(path, cause);
    throw new KeepsetError('place/unreachable', `${path} cannot be written.`, { cause });
  }
};

const report = (
  terminal: Terminal,
  share: KeyShare,
  intent: Intent,
  artefact: Artefact,
  path: string,
): void => {
  if (path === '-' && !terminal.json) {
    process.stdout.write(artefact.text ?? artefact.bytes);
    return;
  }
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

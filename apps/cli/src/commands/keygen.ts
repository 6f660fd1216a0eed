import { KeepsetError, toHex } from '@keepset/bytes';
import { runKeygen, supportedSchemes, type GroupKey, type Scheme } from '@keepset/ceremony';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { orSettle, withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { verbOf } from '../schemes.ts';
import { quorumLines } from '../policy/quorums.ts';
import { repeatsOption } from '../policy/source.ts';
import { refuseBelowMinimum, standingOf, vaultOptions } from '../policy/standing.ts';
import { groupPrompts } from '../terminal/group.ts';

/** @throws KeepsetError `input/unsupported` */
const readScheme = (text: string): Scheme => {
  const scheme = supportedSchemes.find((name) => name === text);
  if (scheme === undefined)
    throw new KeepsetError('input/unsupported', `There is no scheme ${text}.`, {
      hint: `Schemes: ${supportedSchemes.join(', ')}.`,
    });
  return scheme;
};

export const keygen: Command = {
  name: 'keygen',
  summary: 'Make a key together with the server and other devices; none holds it',
  usage: '[--scheme SCHEME] [--policy POLICY]',
  positionals: [0, 0],
  options: {
    scheme: { type: 'string', value: 'SCHEME', help: `${supportedSchemes.join(', ')} (default ed25519)` },
    policy: {
      type: 'string',
      value: 'POLICY',
      help: 'Who must act together (default: and(server,this device))',
    },
    repeats: repeatsOption,
    ...vaultOptions,
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset keygen',
    "keepset keygen --scheme schnorr-secp256k1 --policy 'thresh(2,server,phone,laptop)'",
    'keepset keygen --scheme ecdh-p256               # a key that opens sealed files',
    "keepset keygen --policy 'and(server,or(phone,thresh(2,laptop,tablet)))'",
  ],
  run: async ({ options, terminal }) => {
    const scheme = readScheme(textOption(options, 'scheme') ?? 'ed25519');
    await withDevice(options, terminal, async ({ device }) => {
      const policy = textOption(options, 'policy') ?? `and(${device.serverParty},${device.party})`;
      const allowRepeats = options['repeats'] === true;
      refuseBelowMinimum(policy, options);
      const group = await orSettle(device, terminal, () =>
        runKeygen(device, { scheme, policy, allowRepeats }, groupPrompts(terminal)),
      );
      terminal.result(...describeNewKey(group));
    });
  },
};

const sharedLines = (policy: string, verb: 'sign' | 'open'): readonly string[] => {
  const [first = '', ...others] = quorumLines(policy, verb);
  if (others.length === 0) return [`No party holds this key: ${first}.`];
  return [
    `No party holds this key. Who can ${verb} together:`,
    ...[first, ...others].map((line) => `  ${line}`),
  ];
};

/** What to say of a key that was just made: for programs, and for people. */
export const describeNewKey = (
  group: GroupKey,
): [data: Readonly<Record<string, unknown>>, lines: readonly string[]] => {
  const { keyId, scheme, policy, epoch } = group;
  const publicKey = toHex(group.publicKey);
  const standing = standingOf(policy);
  const lines = [
    `Key ${keyId}`,
    `  scheme      ${scheme}`,
    `  policy      ${policy}`,
    `  public key  ${publicKey}`,
    ...standing.lines,
    '',
    ...sharedLines(policy, verbOf(scheme)),
    scheme === 'ecdh-p256'
      ? 'Next: keepset seal FILE, and later keepset open FILE.age'
      : 'Next: keepset sign FILE',
    'Not protected yet: `keepset health` says what is missing.',
  ];
  return [{ keyId, scheme, policy, epoch, publicKey, ...standing.data }, lines];
};

import { analyse, bareSetup, minimumLines, parsePolicy } from '@keepset/access';
import { KeepsetError, toHex } from '@keepset/bytes';
import { runKeygen, supportedSchemes, type GroupKey, type Scheme } from '@keepset/ceremony';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { orSettle, withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
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
      help: 'Who must sign together (default: and(server,this device))',
    },
    vault: { type: 'boolean', help: 'A key that holds much: refuse a policy below the credible minimum' },
    force: { type: 'boolean', help: 'With --vault: make it all the same' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset keygen',
    "keepset keygen --scheme schnorr-secp256k1 --policy 'thresh(2,server,phone,laptop)'",
  ],
  run: async ({ options, terminal }) => {
    const scheme = readScheme(textOption(options, 'scheme') ?? 'ed25519');
    await withDevice(options, terminal, async ({ device }) => {
      const policy = textOption(options, 'policy') ?? `and(${device.serverParty},${device.party})`;
      if (options['vault'] === true && options['force'] !== true) refuseBelowMinimum(policy);
      const group = await orSettle(device, terminal, () =>
        runKeygen(device, { scheme, policy }, groupPrompts(terminal)),
      );
      terminal.result(...describeNewKey(group));
    });
  },
};

/** @throws KeepsetError `policy/forbidden`, or `policy/syntax` */
const refuseBelowMinimum = (policy: string): void => {
  const analysis = analyse(bareSetup(parsePolicy(policy)));
  if (analysis.credibleMinimum.met) return;
  throw new KeepsetError('policy/forbidden', `${policy} is below the credible minimum for a vault key.`, {
    hint: [...minimumLines(analysis), 'See `keepset policy suggest`, or add --force.'].join('\n'),
  });
};

const plural = { loss: 'losses', theft: 'thefts' } as const;

/** What one loss or theft does, for every key and not only on request. */
const toleranceLines = (policy: string): string[] => {
  const { lossTolerance, theftTolerance } = analyse(bareSetup(parsePolicy(policy)));
  const count = (n: number, what: keyof typeof plural): string =>
    n === 0 ? `no ${what}` : `${n} ${n === 1 ? what : plural[what]}`;
  return [`  survives    ${count(lossTolerance, 'loss')}, ${count(theftTolerance, 'theft')}`];
};

/** What to say of a key that was just made: for programs, and for people. */
export const describeNewKey = (
  group: GroupKey,
): [data: Readonly<Record<string, unknown>>, lines: readonly string[]] => {
  const { keyId, scheme, policy, epoch } = group;
  const publicKey = toHex(group.publicKey);
  const lines = [
    `Key ${keyId}`,
    `  scheme      ${scheme}`,
    `  policy      ${policy}`,
    `  public key  ${publicKey}`,
    ...toleranceLines(policy),
    '',
    `No party holds this key: ${group.threshold} of ${group.parties.length} must sign together.`,
    'Next: keepset sign FILE',
    'Not protected yet: `keepset health` says what is missing.',
  ];
  return [{ keyId, scheme, policy, epoch, publicKey }, lines];
};

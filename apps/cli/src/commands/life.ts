import { KeepsetError } from '@keepset/bytes';
import { runRefresh, runRepair, runReshare, type Approved, type GroupKey } from '@keepset/ceremony';
import type { Command, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { orSettle, withDevice, type OpenDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { discardOldPresignatures } from '../home/presignatures.ts';
import { renewCopies, renewalLines, type Renewal } from '../places/rewrite.ts';
import { oldShareLines } from '../policy/old-shares.ts';
import { repeatsOption } from '../policy/source.ts';
import { refuseBelowMinimum, standingOf, vaultOptions } from '../policy/standing.ts';
import { groupPrompts } from '../terminal/group.ts';

const keyOption = {
  key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
} as const;

const approvalOption = {
  approval: { type: 'string', value: 'CODE', help: 'What `keepset approve KEY` printed on the server' },
} as const;

const withOption = {
  ...approvalOption,
  with: {
    type: 'string',
    value: 'PARTY,…',
    help: 'Other devices that hold a share and help, where the policy needs them',
  },
} as const;

const approvedBy = (options: OptionValues): Approved => {
  const approval = textOption(options, 'approval');
  const helpers = (textOption(options, 'with') ?? '').split(',').filter((party) => party !== '');
  return {
    helpers,
    adopt: options['adopt'] === true,
    allowRepeats: options['repeats'] === true,
    ...(approval === undefined ? {} : { approval }),
  };
};

/** Rewrites the copies after a key's shares have changed, and says what became of them. */
export const describeChange = async (
  what: string,
  { keyId, epoch, policy }: GroupKey,
  { unlocked }: OpenDevice,
): Promise<[data: Readonly<Record<string, unknown>>, lines: readonly string[]]> => {
  const standing = standingOf(policy);
  const renewal = await renewCopies(unlocked, keyId);
  const voided = await discardOldPresignatures(unlocked.paths.presignatures, keyId, epoch);
  return [
    { keyId, epoch, policy, ...standing.data, ...renewal, voidPresignatures: voided },
    [
      `${what}: key ${keyId} is at epoch ${epoch}, under ${policy}.`,
      ...standing.lines,
      'Its public key is the same.',
      ...oldShareLines,
      ...(voided === 0 ? [] : [voidLine(voided)]),
      ...renewalLines(renewal),
    ],
  ];
};

const voidLine = (count: number): string =>
  count === 1
    ? 'One unused presignature was for the old shares: it is void and destroyed.'
    : `${count} unused presignatures were for the old shares: they are void and destroyed.`;

/** What to say after a repair. A helper's secret stays, but what an ECDSA share holds beside it is new. */
export const describeRepair = (
  target: string,
  { keyId, epoch }: GroupKey,
  renewal: Renewal,
): [data: Readonly<Record<string, unknown>>, lines: readonly string[]] => [
  { keyId, target, epoch, ...renewal },
  [
    `Repaired: ${target} holds its share of key ${keyId} again.`,
    ...renewalLines(renewal),
    'A repair revokes nothing: if the lost device may be in other hands, run `keepset refresh` now.',
  ],
];

export const refresh: Command = {
  name: 'refresh',
  summary: 'Give all parties new shares of the same key; a stolen old one becomes worthless',
  usage: '[--key KEY] [--approval CODE]',
  positionals: [0, 0],
  options: { ...keyOption, ...approvalOption, ...passphraseOptions, ...homeOptions },
  examples: ['keepset refresh', 'keepset refresh --key 4osh'],
  run: ({ options, terminal }) =>
    withDevice(options, terminal, async (open) => {
      const { device } = open;
      const keyId = await findKeyId(device.vault, textOption(options, 'key'));
      const group = await orSettle(device, terminal, () =>
        runRefresh(device, keyId, groupPrompts(terminal), approvedBy(options)),
      );
      terminal.result(...(await describeChange('Refreshed', group, open)));
    }),
};

export const reshare: Command = {
  name: 'reshare',
  summary: 'Put the same key under another policy: add or remove parties, change the threshold',
  usage: 'POLICY --approval CODE [--key KEY] [--with PARTY,…] [--adopt]',
  positionals: [1, 1],
  options: {
    ...keyOption,
    ...withOption,
    adopt: {
      type: 'boolean',
      help: 'The server is new to the key, or behind it: the devices deal without its help',
    },
    repeats: repeatsOption,
    ...vaultOptions,
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    "keepset reshare 'thresh(2,server,phone,laptop)'",
    "keepset reshare 'and(server,phone)' --key 4osh",
    "keepset reshare 'and(server,or(phone,thresh(2,laptop,tablet)))' --with laptop",
    "keepset reshare 'thresh(2,server,phone,laptop)' --adopt --with laptop --approval CODE",
  ],
  run: async ({ positionals, options, terminal }) => {
    const policy = positionals[0] ?? '';
    refuseBelowMinimum(policy, options);
    await withDevice(options, terminal, async (open) => {
      const { device } = open;
      const keyId = await findKeyId(device.vault, textOption(options, 'key'));
      const group = await orSettle(device, terminal, () =>
        runReshare(device, keyId, policy, groupPrompts(terminal), approvedBy(options)),
      );
      terminal.result(...(await describeChange('Reshared', group, open)));
    });
  },
};

export const repair: Command = {
  name: 'repair',
  summary: 'Give a party that lost its share the share again, without assembling the key',
  usage: 'PARTY --approval CODE [--key KEY] [--with PARTY,…]',
  positionals: [1, 1],
  options: { ...keyOption, ...withOption, ...passphraseOptions, ...homeOptions },
  examples: ['keepset repair laptop                    # then `keepset join CODE` on the new laptop'],
  run: ({ positionals, options, terminal }) =>
    withDevice(options, terminal, async ({ device, unlocked }) => {
      const target = positionals[0] ?? '';
      if (target === device.party || target === device.serverParty)
        throw new KeepsetError(
          'input/unsupported',
          'Run this on a device that still has its share, for another device.',
        );
      const keyId = await findKeyId(device.vault, textOption(options, 'key'));
      const group = await orSettle(device, terminal, () =>
        runRepair(device, keyId, target, groupPrompts(terminal), approvedBy(options)),
      );
      terminal.result(...describeRepair(target, group, await renewCopies(unlocked, keyId)));
    }),
};

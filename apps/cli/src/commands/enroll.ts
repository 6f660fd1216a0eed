import { KeepsetError } from '@keepset/bytes';
import { wipeIdentity } from '@keepset/wire';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { openVault, unlockIdentity } from '../home/device.ts';
import { enrolHome, moveHome } from '../home/enrol.ts';
import { obtainNewPassphrase, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';

export const enroll: Command = {
  name: 'enroll',
  summary: 'Make this computer a device of a commitment server',
  usage: 'INVITATION [--party NAME] [--passphrase] | INVITATION --move [--abandon]',
  positionals: [1, 1],
  options: {
    party: { type: 'string', value: 'NAME', help: 'This device’s name in policies (default phone)' },
    passphrase: { type: 'boolean', help: 'Protect this device’s keys with a passphrase' },
    move: { type: 'boolean', help: 'Leave the present server for this one; keys, shares and name stay' },
    abandon: { type: 'boolean', help: 'With --move: give up what the old server never finished' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    "keepset enroll 'https://127.0.0.1:7443/#abcd2345efgh6722.pin'",
    "keepset enroll 'https://keys.example.com/#abcd2345efgh6722' --party laptop --passphrase",
    "keepset enroll 'https://new.example.com/#abcd2345efgh6722' --move",
  ],
  run: async (invocation) => {
    const { positionals, options, terminal } = invocation;
    const paths = homePaths(options);
    if (options['move'] === true) {
      await move(invocation);
      return;
    }
    const party = textOption(options, 'party') ?? 'phone';
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(party))
      throw new KeepsetError('input/invalid-argument', `${party} cannot name a party.`, {
        hint: 'Use small letters, digits and hyphens, starting with a letter.',
      });
    const passphrase =
      options['passphrase'] === true ? await obtainNewPassphrase(options, terminal) : undefined;
    const account = await enrolHome(paths, positionals[0] ?? '', party, passphrase);
    if (passphrase === undefined)
      terminal.note(
        'note: this device’s keys lie in its folder without a passphrase (`--passphrase` sets one).',
      );
    terminal.result({ server: account.server, device: account.device, party, home: paths.root }, [
      `Enrolled with ${account.server} as ${party}.`,
      `  server’s party  ${account.serverParty}`,
      `  device folder   ${paths.root}`,
      '',
      'Next: keepset keygen',
    ]);
  },
};

/** Another server for a device that has shares. */
const move = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  if (options['party'] !== undefined || options['passphrase'] === true)
    throw new KeepsetError(
      'input/invalid-argument',
      'A device that moves keeps its name and its passphrase.',
    );
  const paths = homePaths(options);
  const identity = await unlockIdentity(paths, options, terminal);
  try {
    const vault = await openVault(paths, identity);
    const abandon = options['abandon'] === true;
    const account = await moveHome(paths, positionals[0] ?? '', { identity, vault, abandon });
    const keys = await vault.list();
    terminal.result({ server: account.server, device: account.device, party: account.party, keys }, [
      `This device, ${account.party}, belongs to ${account.server} now. Move your other devices too,`,
      'with invitations that `keepset add-device` makes on this one. Then bring each key over:',
      ...keys.map((key) => `  keepset approve ${key} --adopt     # on the new server`),
      "  keepset reshare 'POLICY' --adopt --with PARTY,… --approval CODE",
    ]);
  } finally {
    wipeIdentity(identity);
  }
};

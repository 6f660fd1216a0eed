import { KeepsetError } from '@keepset/bytes';
import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { enrolHome } from '../home/enrol.ts';
import { obtainNewPassphrase, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';

export const enroll: Command = {
  name: 'enroll',
  summary: 'Make this computer a device of a commitment server',
  usage: 'INVITATION [--party NAME] [--passphrase]',
  positionals: [1, 1],
  options: {
    party: { type: 'string', value: 'NAME', help: 'This device’s name in policies (default phone)' },
    passphrase: { type: 'boolean', help: 'Protect this device’s keys with a passphrase' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    "keepset enroll 'https://127.0.0.1:7443/#abcd2345efgh6722.pin'",
    "keepset enroll 'https://keys.example.com/#abcd2345efgh6722' --party laptop --passphrase",
  ],
  run: async ({ positionals, options, terminal }) => {
    const paths = homePaths(options);
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

/** Taking a copy into the ledger: one whose entry is damaged or gone, or that another device of this party wrote. */
import type { Command } from '../command.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { olderOption } from '../places/kits-at-server.ts';
import { codeOptions } from '../places/recovery-code.ts';
import { rememberCopy } from '../recovery/remember.ts';

export const remember: Command = {
  name: 'remember',
  summary: 'Take a copy of this device’s share into its ledger, once it was opened with its code',
  usage: 'COPY|PICTURE…|--keyring --code CODE',
  positionals: [0, 100],
  options: {
    keyring: { type: 'boolean', help: 'The copy is in the keyring of this desktop' },
    key: { type: 'string', value: 'KEY', help: 'Which key, where there are copies of several' },
    kit: { type: 'string', value: 'KIT', help: 'Which container, where a stick has several' },
    cloud: {
      type: 'string',
      value: 'NAME',
      help: 'The folder is synchronised by this account, such as icloud',
    },
    ...codeOptions,
    ...copyPassphraseOption,
    ...olderOption,
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset remember /media/stick --code -           # after `keepset health` named a damaged entry',
    'keepset remember ~/Drive --cloud icloud --code -',
    'keepset remember page-1.png page-2.png --code -  # a printed kit',
  ],
  run: rememberCopy,
};

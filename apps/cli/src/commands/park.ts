/** A party whose share lies on a stick, in a cloud or on paper, and on no device: put there after it was made, fetched for a ceremony. */
import type { Command } from '../command.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { passkeyOptions } from '../passkey/way.ts';
import { olderOption } from '../places/kits-at-server.ts';
import { codeOptions } from '../places/recovery-code.ts';
import { parkShare, unparkShare } from '../recovery/parking.ts';

const options = {
  from: {
    type: 'string',
    value: 'COPY',
    help: 'The copy: stick, folder, Finder backup, file, or scanned sheet',
  },
  keyring: { type: 'boolean', help: 'The copy is in the keyring of this desktop' },
  key: { type: 'string', value: 'KEY', help: 'Which key, where there are copies of several' },
  ...codeOptions,
  ...copyPassphraseOption,
  kit: { type: 'string', value: 'KIT', help: 'Which container, where a stick has several' },
} as const;

export const park: Command = {
  name: 'park',
  summary: 'Take this device’s share off it, once a copy elsewhere was opened and is the same',
  usage: '--from COPY [PICTURE…] --code CODE',
  positionals: [0, 100],
  options: { ...options, ...passphraseOptions, ...homeOptions },
  examples: [
    'keepset usb create /media/stick --code-sheet code.pdf   # first write the copy',
    'keepset usb verify /media/stick --replugged              # after it was plugged in again',
    'keepset park --from /media/stick --code -               # then prove it, and take the share off',
  ],
  run: parkShare,
};

export const unpark: Command = {
  name: 'unpark',
  summary: 'Put a parked share back onto a device, for a refresh, repair or signature',
  usage: '--from COPY [PICTURE…] --code CODE | --passkey [--invite URL]',
  positionals: [0, 100],
  options: {
    ...options,
    ...passkeyOptions,
    ...olderOption,
    invite: {
      type: 'string',
      value: 'URL',
      help: 'Invitation for this computer, when it is not enrolled yet',
    },
    passphrase: { type: 'boolean', help: 'Protect this device’s keys with a passphrase' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset unpark --from /media/stick --code -',
    'keepset join keepset-join-a4dq…                         # then take part in a refresh',
    'keepset usb create /media/stick --again                 # and write, verify and park the new share',
  ],
  run: unparkShare,
};

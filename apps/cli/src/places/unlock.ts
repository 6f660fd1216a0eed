/** Unlocking a device's keys and shares without its server: what backups need. */
import { KeepsetError } from '@keepset/bytes';
import { shareFileVault, type ShareVault } from '@keepset/ceremony';
import { openFilePlace } from '@keepset/places';
import { openingKeyOf, signerOf, wipeIdentity, type DeviceIdentity, type FileSigner } from '@keepset/wire';
import type { OptionValues } from '../command.ts';
import { readIfThere } from '../home/files.ts';
import { fileJournal } from '../home/journal.ts';
import { openIdentityFile } from '../home/passphrase.ts';
import { homePaths, type HomePaths } from '../home/paths.ts';
import { lastSource } from './ledger.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** A device whose keys are in memory. */
export interface Unlocked {
  readonly paths: HomePaths;
  readonly vault: ShareVault;
  readonly signer: FileSigner;
}

/**
 * Unlocks the device of the home folder, runs `work`, and wipes the keys.
 * @throws KeepsetError `input/not-enrolled`, `input/wrong-passphrase` or of family `place/`
 */
export const withUnlocked = async <T>(
  options: OptionValues,
  terminal: Terminal,
  work: (unlocked: Unlocked) => Promise<T>,
): Promise<T> => {
  const paths = homePaths(options);
  const identity = await readIdentity(paths, options, terminal);
  try {
    if ((await fileJournal(paths.journal).list()).length > 0)
      terminal.note(
        'note: an earlier ceremony was cut off; the share may be about to change. `keepset keys` settles it.',
      );
    const signer = signerOf(identity);
    const vault = shareFileVault({
      place: await openFilePlace(paths.shares),
      recipient: identity.recipient,
      openingKey: openingKeyOf(identity),
      signer,
      now: () => new Date().toISOString(),
      lastGeneration: lastSource(paths),
    });
    return await work({ paths, vault, signer });
  } finally {
    wipeIdentity(identity);
  }
};

const readIdentity = async (
  paths: HomePaths,
  options: OptionValues,
  terminal: Terminal,
): Promise<DeviceIdentity> => {
  const file = await readIfThere(paths.identity);
  if (file === undefined)
    throw new KeepsetError('input/not-enrolled', `There is no device in ${paths.root}.`, {
      hint: 'Use the folder of an enrolled device with --home DIR.',
    });
  return openIdentityFile(file, options, terminal);
};

/** A failed consistency check costs a bit of the pair's secrets: the party that caused it gets no second try. */
import { KeepsetError } from '@keepset/bytes';
import type { Ban, DeviceParty } from './ports.ts';

/** The key whose pairwise set-up a session uses, and with whom. */
export interface SetupUse extends Pick<Ban, 'keyId' | 'epoch'> {
  readonly parties: readonly string[];
}

/** @throws KeepsetError `abort/banned` where one of the parties is banned. */
export const refuseBanned = async (
  device: DeviceParty,
  { keyId, epoch, parties }: SetupUse,
): Promise<void> => {
  const banned = await device.bans.list(keyId, epoch);
  const culprits = parties.filter((party) => banned.includes(party));
  if (culprits.length > 0)
    throw new KeepsetError(
      'abort/banned',
      `${culprits.join(' and ')} failed a consistency check with this device: nothing is signed with it any more.`,
      {
        culprits,
        hint: 'Find out why before you go on. `keepset refresh` makes a fresh set-up.',
      },
    );
};

/**
 * Runs one step of the own protocol, and makes a ban durable before anybody learns that the step failed.
 * What a peer merely reports is no reason for a ban.
 *
 * Whether there is a ban is asked once more here: the answer that the step takes may have been held back until a step
 * of another process has failed.
 */
export const banningCheats = async <T>(
  device: DeviceParty,
  use: SetupUse | undefined,
  step: () => T,
): Promise<T> => {
  if (use !== undefined) await refuseBanned(device, use);
  try {
    return step();
  } catch (error) {
    if (use !== undefined && error instanceof KeepsetError && error.code === 'abort/banned')
      await ban(device, use, error);
    throw error;
  }
};

/** Bans all who cheated, whichever of them can be noted. @throws KeepsetError `abort/banned` where one cannot */
const ban = async (device: DeviceParty, { keyId, epoch }: SetupUse, error: KeepsetError): Promise<void> => {
  const { culprits, message } = error;
  const noted = await Promise.allSettled(culprits.map((party) => device.bans.add({ keyId, epoch, party })));
  const failed = noted.find((each) => each.status === 'rejected');
  if (failed === undefined) return;
  throw new KeepsetError('abort/banned', `${message} This could not be noted on this device.`, {
    culprits,
    hint: `Sign nothing with ${culprits.join(' and ')} before \`keepset refresh\`: nothing else stops it.`,
    cause: failed.reason,
  });
};

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
      for (const party of error.culprits)
        await device.bans.add({ keyId: use.keyId, epoch: use.epoch, party });
    throw error;
  }
};

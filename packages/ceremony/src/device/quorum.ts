import { KeepsetError } from '@keepset/bytes';
import type { GroupKey } from '@keepset/threshold';
import type { DeviceParty } from './ports.ts';

/**
 * This device, the server where it holds a share, and `others` as a quorum of the key, in policy order.
 * @param what they do together, for the hint: `sign`, `open`
 * @throws KeepsetError `policy/unsatisfied` naming who else it takes.
 */
export const quorumWith = (
  device: DeviceParty,
  group: GroupKey,
  others: readonly string[],
  what: string,
): readonly string[] => {
  const isWitnessed = !group.parties.includes(device.serverParty);
  const present = [device.party, ...(isWitnessed ? [] : [device.serverParty]), ...others];
  for (const party of present)
    if (!group.parties.includes(party))
      throw new KeepsetError('policy/unsatisfied', `${party} holds no share of this key (${group.policy}).`);
  const quorum = group.parties.filter((party) => present.includes(party));
  if (quorum.length < group.threshold)
    throw new KeepsetError(
      'policy/unsatisfied',
      `${quorum.join(' and ')} are not enough for ${group.policy}.`,
      {
        hint: `Let other devices ${what} too: --with ${group.parties.filter((party) => !quorum.includes(party)).join(' or --with ')}.`,
      },
    );
  return quorum;
};

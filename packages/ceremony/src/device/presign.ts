/** Presignatures: most of an ECDSA signature's work done ahead, so that signing takes one request and little time. */
import { isQuorum } from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, readSharing, systemRng, type KeyShare, type Presignature } from '@keepset/threshold';
import { quorumAmong } from '../plan.ts';
import { openSessionChannel } from './channel.ts';
import type { DeviceParty } from './ports.ts';
import { runSession } from './session.ts';

/**
 * Makes `count` presignatures with the server and keeps this device's halves.
 * @param path non-hardened BIP 32 indices of the child key they are for; it cannot be chosen later.
 * @throws KeepsetError `input/unsupported` for keys that are not ECDSA
 */
export const runPresign = async (
  device: DeviceParty,
  keyId: string,
  count: number,
  path: readonly number[] = [],
): Promise<void> => {
  const share = await device.vault.open(keyId);
  try {
    for (let made = 0; made < count; made += 1) {
      device.onProgress?.({ step: made + 1, of: count, text: 'Making a presignature' });
      await device.presignatures.put(await presignOnce(device, share, path));
    }
  } finally {
    share.secret.wipe();
  }
};

const presignOnce = async (
  device: DeviceParty,
  share: KeyShare,
  path: readonly number[],
): Promise<Presignature> => {
  const { group } = share;
  const { presigning } = protocolFor(group.scheme);
  if (presigning === undefined)
    throw new KeepsetError(
      'input/unsupported',
      `Presignatures are for ECDSA keys; this one is ${group.scheme}.`,
    );
  const alone = [device.party, device.serverParty];
  if (!isQuorum(readSharing(group.policy).policy, alone))
    throw new KeepsetError(
      'policy/unsatisfied',
      `Presignatures are made with the server alone, which ${group.policy} does not allow.`,
    );
  const quorum = quorumAmong(group, alone);
  const channel = await openSessionChannel(device, (device.rng ?? systemRng)(32));
  const { keyId, epoch } = group;
  return runSession(device, {
    channel,
    start: { kind: 'presign', keyId, epoch, quorum, path },
    machine: presigning.startPresign({
      share,
      session: channel.session,
      quorum,
      path,
      ...(device.rng === undefined ? {} : { rng: device.rng }),
    }),
    setup: { keyId, epoch, parties: quorum },
    act: () => ({ kind: 'presign', keyId, epoch }),
  });
};

/**
 * The drill: a signature with a share from a backup copy, over a challenge that can be nothing else. It proves that the
 * copy still signs, and the key is not assembled for it.
 * @spec spec/health.md §6
 */
import { hashValue } from '@keepset/bytes';
import { systemRng, type GroupKey, type KeyShare, type SignRequest } from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { openSessionChannel } from './channel.ts';
import { gatherGroup } from './group.ts';
import type { DeviceParty } from './ports.ts';
import { makeSignature, quorumWith, type CoSigners, type SignOutcome } from './sign.ts';

/**
 * Signs the challenge of a fresh session with the given share. Takes no presignature: those hold a share of their own.
 * @param share from the copy that is tried; the caller wipes it.
 * @returns the signature, verified. It is of no use.
 * @throws KeepsetError as `signWith`.
 */
export const runDrill = async (
  device: DeviceParty,
  share: KeyShare,
  coSigners?: CoSigners,
): Promise<SignOutcome> => {
  const { group } = share;
  const quorum = quorumWith(device, group, coSigners);
  const session = (device.rng ?? systemRng)(32);
  const start: SignStart = {
    kind: 'sign',
    keyId: group.keyId,
    epoch: group.epoch,
    quorum,
    request: drillRequest(group, session),
  };
  if (coSigners === undefined || coSigners.parties.length === 0)
    return makeSignature(device, share, start, { channel: await openSessionChannel(device, session), start });
  const others = quorum.filter((party) => coSigners.parties.includes(party));
  const gathered = await gatherGroup(device, { session, start, others }, coSigners.prompts.announce);
  await coSigners.prompts.compare(gathered);
  return makeSignature(device, share, start, gathered);
};

/**
 * What is signed in a drill: a hash under a label of its own that binds key, epoch and session. Nobody can choose it, so
 * it is the hash of no transaction and of no document.
 */
export const drillRequest = (
  { scheme, keyId, epoch }: Pick<GroupKey, 'scheme' | 'keyId' | 'epoch'>,
  session: Uint8Array,
): SignRequest => ({
  message: hashValue('keepset/drill/v1', { keyId, epoch, session }),
  digest: scheme.startsWith('ecdsa-') ? 'sha256' : 'none',
});

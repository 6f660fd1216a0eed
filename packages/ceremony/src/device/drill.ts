/**
 * The drill: a signature with a share from a backup copy, over a challenge that can be nothing else; of a key that opens
 * files, an opening that opens nothing. It proves that the copy still works, and the key is not assembled for it.
 * @spec spec/health.md §6
 */
import { KeepsetError, bytesEqual, hashValue } from '@keepset/bytes';
import {
  protocolFor,
  systemRng,
  type GroupKey,
  type KeyShare,
  type OpeningChallenge,
  type SignRequest,
} from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { openSessionChannel } from './channel.ts';
import { gatherGroup } from './group.ts';
import { openInSession } from './open.ts';
import type { DeviceParty } from './ports.ts';
import { makeSignature, quorumWith, type CoSigners } from './sign.ts';

/**
 * Meets the challenge of a fresh session with the given share. Takes no presignature: those hold a share of their own.
 * @param share from the copy that is tried; the caller wipes it.
 * @throws KeepsetError as `signWith` and `runOpen`; `place/damaged` for a share that opens something else.
 */
export const runDrill = async (
  device: DeviceParty,
  share: KeyShare,
  coSigners?: CoSigners,
): Promise<void> => {
  const session = (device.rng ?? systemRng)(32);
  const opening = drillOpening(share.group, session);
  if (opening === undefined) return signChallenge(device, share, session, coSigners);
  const { ephemeral } = opening;
  const shared = await openInSession(device, share, { session, ephemeral }, coSigners);
  if (!bytesEqual(shared, opening.sharedWith(share.group.publicKey)))
    throw new KeepsetError('place/damaged', 'The share of this copy does not open what it should.');
};

const signChallenge = async (
  device: DeviceParty,
  share: KeyShare,
  session: Uint8Array,
  coSigners: CoSigners | undefined,
): Promise<void> => {
  const { group } = share;
  const { keyId, epoch } = group;
  const quorum = quorumWith(device, group, coSigners);
  const start: SignStart = { kind: 'sign', keyId, epoch, quorum, request: drillRequest(group, session) };
  const others = quorum.filter((party) => coSigners?.parties.includes(party) === true);
  if (coSigners === undefined || others.length === 0) {
    await makeSignature(device, share, start, { channel: await openSessionChannel(device, session), start });
    return;
  }
  const gathered = await gatherGroup(device, { session, start, others }, coSigners.prompts);
  await makeSignature(device, share, start, gathered);
};

type DrilledKey = Pick<GroupKey, 'scheme' | 'keyId' | 'epoch'>;

const challengeOf = ({ keyId, epoch }: DrilledKey, session: Uint8Array): Uint8Array =>
  hashValue('keepset/drill/v1', { keyId, epoch, session });

/**
 * What is signed in a drill: a hash under a label of its own that binds key, epoch and session. Nobody can choose it, so
 * it is the hash of no transaction and of no document.
 */
export const drillRequest = (key: DrilledKey, session: Uint8Array): SignRequest => ({
  message: challengeOf(key, session),
  digest: key.scheme.startsWith('ecdsa-') ? 'sha256' : 'none',
});

/** What is opened in a drill of a key that opens files: a point whose outcome everyone can compute. Else undefined. */
export const drillOpening = (key: DrilledKey, session: Uint8Array): OpeningChallenge | undefined =>
  protocolFor(key.scheme).opening?.challengeOf(challengeOf(key, session));

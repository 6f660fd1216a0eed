/**
 * The device's side of opening a sealed file: the quorum agrees with the file's ephemeral point, and this device learns
 * the outcome. With the server alone that is one request and one answer.
 */
import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import { protocolFor, systemRng, type KeyShare, type OpenedPoint } from '@keepset/threshold';
import type { OpenStart } from '@keepset/wire';
import { openSessionChannel } from './channel.ts';
import { gatherGroup, type Group } from './group.ts';
import type { DeviceParty } from './ports.ts';
import { orLeave, runSession, type SessionPlan } from './session.ts';
import { quorumWith, type CoSigners } from './sign.ts';

/**
 * Agrees with a file's ephemeral point as the key would.
 * @param ephemeral 65 bytes, uncompressed.
 * @param coOpeners other devices, where the server and this one are not enough.
 * @returns the shared point's x-coordinate, 32 bytes. The caller wipes it.
 * @throws KeepsetError `input/unsupported` for a key that opens no files, `input/malformed` for a point that is none,
 * `policy/unsatisfied` naming what is missing, and whatever the session brings.
 */
export const runOpen = (
  device: DeviceParty,
  share: KeyShare,
  ephemeral: Uint8Array,
  coOpeners?: CoSigners,
): Promise<Uint8Array> =>
  openInSession(device, share, { session: (device.rng ?? systemRng)(32), ephemeral }, coOpeners);

/** The same in a session of a given name, 32 fresh random bytes. */
export const openInSession = async (
  device: DeviceParty,
  share: KeyShare,
  { session, ephemeral }: { readonly session: Uint8Array; readonly ephemeral: Uint8Array },
  coOpeners?: CoSigners,
): Promise<Uint8Array> => {
  const { group } = share;
  const quorum = quorumWith(device, group, coOpeners);
  const { keyId, epoch } = group;
  const start: OpenStart = { kind: 'open', keyId, epoch, quorum, opener: device.party, ephemeral };
  const { shared } = await openTogether(device, share, start, async () => {
    const others = quorum.filter((party) => party !== device.party && party !== device.serverParty);
    if (coOpeners === undefined || others.length === 0)
      return { channel: await openSessionChannel(device, session), start };
    return gatherGroup(device, { session, start, others }, coOpeners.prompts);
  });
  if (shared === undefined) throw new KeepsetError('bug/invariant', 'The opener learned nothing.');
  return shared.reveal();
};

/**
 * Takes part in an opening that another device started; that device alone learns the outcome. The caller has made sure
 * that its owner wants the file with this ephemeral point opened.
 */
export const joinOpen = async (device: DeviceParty, share: KeyShare, group: Group): Promise<void> => {
  const { start, initiator } = group.roster;
  if (start.kind !== 'open') throw new KeepsetError('input/invalid-argument', 'This session opens no file.');
  if (start.opener !== initiator)
    throw new KeepsetError('policy/forbidden', `${initiator} wants ${start.opener} to learn the outcome.`);
  if (start.keyId !== share.group.keyId || start.epoch !== share.group.epoch)
    throw new KeepsetError('abort/wrong-epoch', 'The session is about another key or epoch than this share.');
  await openTogether(device, share, start, () => Promise.resolve(group));
};

type Session = Pick<SessionPlan<OpenedPoint>, 'channel' | 'start' | 'peers' | 'early'>;

const openTogether = async (
  device: DeviceParty,
  share: KeyShare,
  { keyId, epoch, quorum, opener, ephemeral }: OpenStart,
  gather: () => Promise<Session>,
): Promise<OpenedPoint> => {
  const { opening } = protocolFor(share.group.scheme);
  if (opening === undefined)
    throw new KeepsetError('input/unsupported', `A key of ${share.group.scheme} opens no files.`, {
      hint: 'Make one that does: keepset keygen --scheme ecdh-p256.',
    });
  const params = {
    share,
    quorum,
    opener,
    ephemeral,
    ...(device.rng === undefined ? {} : { rng: device.rng }),
  };
  // Before anybody is asked: what cannot be opened need not be logged.
  opening.checkOpen({ ...params, session: new Uint8Array(32) });
  const session = await gather();
  const others = quorum.filter((party) => party !== device.party).join(', ');
  device.onProgress?.({ step: 1, of: 2, text: `Opening with ${others}` });
  const opened = await orLeave(session, () =>
    runSession(device, {
      ...session,
      machine: opening.startOpen({ ...params, session: session.channel.session }),
      act: () => ({ kind: 'open', keyId, epoch, message: sha256(ephemeral) }),
    }),
  );
  device.onProgress?.({
    step: 2,
    of: 2,
    text: opener === device.party ? 'Partial decryptions and log proof verified' : 'Log proof verified',
  });
  return opened;
};

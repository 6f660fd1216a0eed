/**
 * The device's side of a signature with Party 1; for the Schnorr schemes one request and one answer.
 *
 * Nothing of the run is ever stored: the nonces live in one state machine that takes each answer once. A run that fails
 * or dies is simply over, and the next one starts with fresh nonces.
 */
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, systemRng, type GroupKey, type KeyShare, type SignRequest } from '@keepset/threshold';
import { sha256 } from '@noble/hashes/sha2.js';
import type { DeviceParty } from './ports.ts';
import { runSession } from './session.ts';

/** What to sign, with which key. */
export interface SignOrder {
  readonly keyId: string;
  readonly request: SignRequest;
}

/** A finished signature. */
export interface SignOutcome {
  readonly group: GroupKey;
  /** Ed25519 and BIP 340: 64 bytes. ECDSA: r ‖ s ‖ recovery id, 65 bytes. Verified. */
  readonly signature: Uint8Array;
}

const steps = 3;

/** Signs with the server. @throws KeepsetError */
export const runSign = async (device: DeviceParty, order: SignOrder): Promise<SignOutcome> => {
  device.onProgress?.({ step: 1, of: steps, text: 'Opening the share' });
  const share = await device.vault.open(order.keyId);
  return signWith(device, share, order.request);
};

/** Signs with a share that is already open; several signatures then cost one opening. */
export const signWith = async (
  device: DeviceParty,
  share: KeyShare,
  request: SignRequest,
): Promise<SignOutcome> => {
  const { group } = share;
  const session = (device.rng ?? systemRng)(32);
  const quorum = group.parties.filter((party) => party === device.party || party === device.serverParty);
  if (!group.parties.includes(device.serverParty) || quorum.length < group.threshold)
    throw new KeepsetError(
      'policy/unsatisfied',
      `${quorum.join(' and ')} cannot sign under ${group.policy}.`,
    );
  const machine = protocolFor(group.scheme).startSign({
    share,
    session,
    quorum,
    request,
    ...(device.rng === undefined ? {} : { rng: device.rng }),
  });
  device.onProgress?.({ step: 2, of: steps, text: 'Signing with the server' });
  const signature = await runSession(device, {
    session,
    start: { kind: 'sign', keyId: group.keyId, epoch: group.epoch, quorum, request },
    machine,
    act: () => ({ kind: 'sign', keyId: group.keyId, epoch: group.epoch, message: sha256(request.message) }),
  });
  device.onProgress?.({ step: 3, of: steps, text: 'Signature and log proof verified' });
  return { group, signature };
};

/**
 * The device's side of a signature; for the Schnorr schemes and two parties one request and one answer.
 *
 * Nothing of the run is ever stored: the nonces live in one state machine that takes each answer once. A run that fails
 * or dies is simply over, and the next one starts with fresh nonces.
 */
import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  idleMembers,
  protocolFor,
  systemRng,
  type GroupKey,
  type KeyShare,
  type Presignature,
  type SignRequest,
  type Step,
} from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { quorumAmong, selfAndServer } from '../plan.ts';
import { openSessionChannel } from './channel.ts';
import { gatherGroup, type Group, type GroupPrompts } from './group.ts';
import type { DeviceParty } from './ports.ts';
import { orLeave, runSession, type SessionPlan } from './session.ts';

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

/** Other devices that sign, or open, too. */
export interface CoSigners {
  readonly parties: readonly string[];
  readonly prompts: GroupPrompts;
}

/** Signs with the server alone. @throws KeepsetError */
export const runSign = async (device: DeviceParty, order: SignOrder): Promise<SignOutcome> => {
  const share = await device.vault.open(order.keyId);
  try {
    return await signWith(device, share, order.request);
  } finally {
    share.secret.wipe();
  }
};

/**
 * Signs with a share that is already open; several signatures then cost one opening.
 * @param coSigners other devices, where the server and this one are not enough.
 * @throws KeepsetError `policy/unsatisfied` naming what is missing, and whatever the session brings.
 */
export const signWith = async (
  device: DeviceParty,
  share: KeyShare,
  request: SignRequest,
  coSigners?: CoSigners,
): Promise<SignOutcome> => {
  const { group } = share;
  const quorum = quorumWith(device, group, coSigners);
  const session = (device.rng ?? systemRng)(32);
  const start: SignStart = { kind: 'sign', keyId: group.keyId, epoch: group.epoch, quorum, request };
  if (coSigners === undefined || coSigners.parties.length === 0) {
    const presignature = await device.presignatures.take({ ...group, quorum, path: request.path ?? [] });
    const channel = await openSessionChannel(device, session);
    if (presignature === undefined) return makeSignature(device, share, start, { channel, start });
    const presigned: SignStart = { ...start, presignature: presignature.id };
    try {
      return await makeSignature(device, share, presigned, { channel, start: presigned }, presignature);
    } catch (error) {
      if (!(error instanceof KeepsetError) || error.code !== 'store/session-burned') throw error;
      // The server's half went with a restart. Both halves are spent; sign as if there had been none.
      const again = await openSessionChannel(device, (device.rng ?? systemRng)(32));
      return makeSignature(device, share, start, { channel: again, start });
    }
  }
  const others = quorum.filter((party) => coSigners.parties.includes(party));
  const gathered = await gatherGroup(device, { session, start, others }, coSigners.prompts);
  return makeSignature(device, share, start, gathered);
};

/**
 * This device, the server if its share is of use, and the co-signers, in policy order. A server whose share is of no use
 * in this quorum only passes messages on.
 * @throws KeepsetError `policy/unsatisfied` naming what is missing.
 */
export const quorumWith = (
  device: DeviceParty,
  group: GroupKey,
  coSigners: CoSigners | undefined,
): readonly string[] => {
  const present = [...selfAndServer(device, group), ...(coSigners?.parties ?? [])];
  const isIdle = idleMembers(group, present).includes(device.serverParty);
  return quorumAmong(group, isIdle ? present.filter((party) => party !== device.serverParty) : present);
};

/** Takes part in a signature that another device started. The caller has shown its owner what is being signed. */
export const joinSign = (device: DeviceParty, share: KeyShare, group: Group): Promise<SignOutcome> => {
  const { start } = group.roster;
  if (start.kind !== 'sign')
    throw new KeepsetError('input/invalid-argument', 'This session is no signature.');
  if (start.keyId !== share.group.keyId || start.epoch !== share.group.epoch)
    throw new KeepsetError('abort/wrong-epoch', 'The session is about another key or epoch than this share.');
  return makeSignature(device, share, start, group);
};

/** Runs the protocol of a signature in a session that is open, or opens with its first step. */
export const makeSignature = (
  device: DeviceParty,
  share: KeyShare,
  start: SignStart,
  session: Session,
  presignature?: Presignature,
): Promise<SignOutcome> => orLeave(session, () => runProtocol(device, share, start, session, presignature));

type Session = Pick<SessionPlan<Uint8Array>, 'channel' | 'start' | 'peers' | 'early'>;

const runProtocol = async (
  device: DeviceParty,
  share: KeyShare,
  { quorum, request, keyId, epoch }: SignStart,
  session: Session,
  presignature?: Presignature,
): Promise<SignOutcome> => {
  const { group } = share;
  const protocol = protocolFor(group.scheme);
  const { presigning } = protocol;
  const machine =
    presignature === undefined || presigning === undefined
      ? protocol.startSign({
          share,
          session: session.channel.session,
          quorum,
          request,
          ...(device.rng === undefined ? {} : { rng: device.rng }),
        })
      : withoutFragment(presigning.startSign({ presignature, share, request }));
  const of = machine.status === 'running' ? machine.rounds : 1;
  const signature = await runSession(device, {
    ...session,
    machine,
    setup: { keyId, epoch, parties: quorum },
    act: () => ({ kind: 'sign', keyId, epoch, message: sha256(request.message) }),
    onRound: (round) =>
      device.onProgress?.({
        step: round,
        of,
        text: `Signing with ${quorum.filter((party) => party !== device.party).join(', ')}`,
      }),
  });
  device.onProgress?.({ step: of, of, text: 'Signature and log proof verified' });
  return { group, signature };
};

/**
 * Party 1 needs no fragment of this device to give its own. What it never gets, it can never combine with another one
 * of the same presignature.
 */
const withoutFragment = (state: Step<Uint8Array>): Step<Uint8Array> => ({ ...state, outgoing: [] });

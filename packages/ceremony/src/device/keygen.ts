/**
 * The device's side of a key generation with Party 1, crash-safe at every point.
 *
 * The server's commit, in answer to the last request, is the one moment at which the key comes to be. Before that
 * request is sent, the device has noted the session in its journal and made its own share durable, marked pending.
 * Whatever dies in between, `settleOpenSessions` asks the server later and the pending share is promoted or
 * destroyed: the key is usable on both sides or on neither.
 */
import { KeepsetError } from '@keepset/bytes';
import { protocolFor, systemRng, type GroupKey, type KeyShare, type Scheme } from '@keepset/threshold';
import { planKeygen } from '../plan.ts';
import type { DeviceParty, OpenSession } from './ports.ts';
import { runSession } from './session.ts';

/** What key to make. */
export interface KeygenOrder {
  readonly scheme: Scheme;
  readonly policy: string;
}

const stepTexts = ['Exchanging commitments with the server', 'Comparing transcripts and committing'];

/**
 * Makes a key together with the server and returns its public half once both sides hold it.
 *
 * @throws KeepsetError. If the connection broke after the last request was sent, the outcome is open:
 * `settleOpenSessions` finds it out.
 */
export const runKeygen = async (device: DeviceParty, order: KeygenOrder): Promise<GroupKey> => {
  const plan = planKeygen(order.policy, device.serverParty);
  if (!plan.parties.includes(device.party))
    throw new KeepsetError(
      'policy/unsupported',
      `The policy ${plan.policy} does not name this device, ${device.party}.`,
    );
  const session = (device.rng ?? systemRng)(32);
  const machine = protocolFor(order.scheme).startKeygen({
    ...plan,
    scheme: order.scheme,
    session,
    me: device.party,
    ...(device.rng === undefined ? {} : { rng: device.rng }),
  });
  const share = await runSession(device, {
    session,
    start: { kind: 'keygen', scheme: order.scheme, policy: plan.policy },
    machine,
    onPending: (pending) => holdPending(device, { session, kind: 'keygen' }, pending),
    act: ({ group }) => ({ kind: 'keygen', keyId: group.keyId, epoch: group.epoch }),
    onStep: (step) => device.onProgress?.({ step, of: 3, text: stepTexts[step - 1] ?? `Step ${step}` }),
  });
  device.onProgress?.({ step: 3, of: 3, text: 'Keeping the share' });
  await keepShare(device, session, share);
  return share.group;
};

/** Makes a share durable that is not final yet. */
export const holdPending = async (
  device: DeviceParty,
  about: Pick<OpenSession, 'session' | 'kind'>,
  share: KeyShare,
): Promise<void> => {
  const { keyId, epoch } = share.group;
  // The journal first: a pending share that no journal entry explains would never be settled.
  await device.journal.add({ ...about, keyId, epoch });
  await device.vault.putPending(share);
};

/** Makes a pending share final, now that the server has committed it. */
export const keepShare = async (device: DeviceParty, session: Uint8Array, share: KeyShare): Promise<void> => {
  await device.vault.promote(share.group.keyId, share.group.epoch);
  await device.journal.remove(session);
};

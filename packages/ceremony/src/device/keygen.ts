/**
 * The device's side of a key generation with Party 1: two requests, crash-safe at every point.
 *
 * The server's commit, in answer to the second request, is the one moment at which the key comes to be. Before
 * it is sent, the device has made its own share durable, marked pending, and noted the session in its journal.
 * Whatever dies in between, {@link settleOpenSessions} asks the server later and the pending share is promoted
 * or destroyed: the key is usable on both sides or on neither.
 */
import { KeepsetError, bytesEqual, invariant } from '@keepset/bytes';
import {
  protocolFor,
  systemRng,
  type GroupKey,
  type KeyShare,
  type Running,
  type Scheme,
  type Step,
} from '@keepset/threshold';
import type { StepResponse } from '@keepset/wire';
import { planKeygen } from '../plan.ts';
import { acceptEvidence } from './evidence.ts';
import type { DeviceParty } from './ports.ts';

/** What key to make. */
export interface KeygenOrder {
  readonly scheme: Scheme;
  readonly policy: string;
}

const steps = 4;

/**
 * Makes a key together with the server and returns its public half once both sides hold it.
 *
 * @throws KeepsetError. If the connection broke after the second request was sent, the error's hint says that the
 * outcome is open; {@link settleOpenSessions} finds it out.
 */
export const runKeygen = async (device: DeviceParty, order: KeygenOrder): Promise<GroupKey> => {
  const plan = planKeygen(order.policy, device.serverParty);
  if (!plan.parties.includes(device.party))
    throw new KeepsetError(
      'policy/unsupported',
      `The policy ${plan.policy} does not name this device, ${device.party}.`,
    );
  const session = (device.rng ?? systemRng)(32);
  const start = protocolFor(order.scheme).startKeygen({
    ...plan,
    scheme: order.scheme,
    session,
    me: device.party,
    ...(device.rng === undefined ? {} : { rng: device.rng }),
  });

  device.onProgress?.({ step: 1, of: steps, text: 'Exchanging commitments with the server' });
  const first = await device.transport.step({
    session,
    step: 1,
    start: { kind: 'keygen', scheme: order.scheme, policy: plan.policy },
    messages: running(start).outgoing,
  });
  device.onProgress?.({ step: 2, of: steps, text: 'Checking proofs and computing the share' });
  const waiting = running(running(start).advance(checkedMessages(first, session, 1)));
  const share = waiting.pending;
  invariant(share !== undefined, 'A key generation must show its result before it confirms it.');

  device.onProgress?.({ step: 3, of: steps, text: 'Storing the share, pending' });
  await holdPending(device, session, share);
  device.onProgress?.({ step: 4, of: steps, text: 'Comparing transcripts and committing' });
  return finish(device, session, share, waiting);
};

const holdPending = async (device: DeviceParty, session: Uint8Array, share: KeyShare): Promise<void> => {
  const { keyId, epoch } = share.group;
  // The journal first: a pending share that no journal entry explains would never be settled.
  await device.journal.add({ session, kind: 'keygen', keyId, epoch });
  await device.vault.putPending(share);
};

const finish = async (
  device: DeviceParty,
  session: Uint8Array,
  share: KeyShare,
  waiting: Running<KeyShare>,
): Promise<GroupKey> => {
  const { group } = share;
  const head = await device.logPin.load();
  const second = await device.transport.step({
    session,
    step: 2,
    messages: waiting.outgoing,
    ...(head === undefined ? {} : { head }),
  });
  const done = waiting.advance(checkedMessages(second, session, 2));
  invariant(done.status === 'done', 'A key generation ends with its second answer.');
  if (second.state !== 'committed')
    throw new KeepsetError('transport/bad-response', 'The server did not commit the key.');
  await acceptEvidence(
    device,
    second,
    { kind: 'keygen', session, keyId: group.keyId, epoch: group.epoch },
    head,
  );
  await device.vault.promote(group.keyId, group.epoch);
  await device.journal.remove(session);
  return group;
};

const running = <R>(step: Step<R>): Running<R> => {
  invariant(step.status === 'running', 'The protocol ended too early.');
  return step;
};

/** The messages of an answer that belongs to this very step. @throws KeepsetError `transport/bad-response` */
export const checkedMessages = (
  response: StepResponse,
  session: Uint8Array,
  step: number,
): StepResponse['messages'] => {
  if (!bytesEqual(response.session, session) || response.step !== step)
    throw new KeepsetError('transport/bad-response', 'The answer belongs to another step.');
  return response.messages;
};

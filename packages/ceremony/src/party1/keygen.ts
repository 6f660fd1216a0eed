import { KeepsetError, invariant } from '@keepset/bytes';
import { protocolFor, type KeyShare, type ProtocolMessage, type Running } from '@keepset/threshold';
import { encodeStepResponse, type KeygenStart } from '@keepset/wire';
import { planKeygen } from '../plan.ts';
import { answerAgain, type StepContext } from './handler.ts';

/** A key generation after its first step. */
export interface OpenedKeygen {
  readonly messages: readonly ProtocolMessage[];
  readonly commit: (context: StepContext) => Promise<Uint8Array>;
}

/** Step 1: Party 1 plans from the policy itself, not from what the device says follows from it. */
export const openKeygen = ({ party1, request }: StepContext, start: KeygenStart): OpenedKeygen => {
  const plan = planKeygen(start.policy, party1.party);
  if (plan.policy !== start.policy)
    throw new KeepsetError('policy/unsupported', `Send the policy in canonical form: ${plan.policy}.`);
  if (!party1.schemes.includes(start.scheme))
    throw new KeepsetError('input/unsupported', `This server makes no ${start.scheme} keys.`);
  const first = protocolFor(start.scheme).startKeygen({
    ...plan,
    scheme: start.scheme,
    session: request.session,
    me: party1.party,
    ...(party1.rng === undefined ? {} : { rng: party1.rng }),
  });
  invariant(first.status === 'running', 'A key generation needs two parties.');
  const second = first.advance(request.messages);
  invariant(second.status === 'running', 'A key generation has a second step.');
  if (second.round === 1)
    throw new KeepsetError('wire/malformed', 'The first step must carry the round 1 message.');
  return {
    messages: [...first.outgoing, ...second.outgoing],
    commit: (context) => commitKeygen(context, second),
  };
};

/** Step 2: verify, then make key, log entry and answer durable in one transaction. */
const commitKeygen = async (context: StepContext, waiting: Running<KeyShare>): Promise<Uint8Array> => {
  const { party1, caller, request, requestHash } = context;
  const done = waiting.advance(request.messages);
  if (done.status !== 'done')
    throw new KeepsetError('wire/malformed', 'The second step must carry the messages of rounds 2 and 3.');
  const share = done.result;
  const { keyId, epoch } = share.group;
  const written = await party1.store.commitKey(
    {
      caller,
      session: request.session,
      step: request.step,
      requestHash,
      act: { kind: 'keygen', ...caller, session: request.session, keyId, epoch },
      ...(request.head === undefined ? {} : { head: request.head }),
    },
    { group: share.group, sealedShare: await party1.sealer.seal(caller.tenant, share) },
    (evidence) =>
      encodeStepResponse({
        session: request.session,
        step: request.step,
        state: 'committed',
        messages: done.outgoing,
        evidence,
      }),
  );
  share.secret.wipe();
  return written.written ? written.value : answerAgain(written.row, context);
};

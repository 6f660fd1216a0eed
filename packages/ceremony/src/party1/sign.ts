import { KeepsetError, invariant } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import { protocolFor } from '@keepset/threshold';
import { encodeStepResponse, type SignStart } from '@keepset/wire';
import { answerAgain, type StepContext } from './handler.ts';
import type { KeyRow } from './ports.ts';

/**
 * Answers a signature's only step. The order is what protects the key: check everything that can be checked
 * without a nonce, write the act into log and session table durably, and only then draw nonces and compute.
 */
export const answerSign = async (context: StepContext): Promise<Uint8Array> => {
  const { party1, caller, request, requestHash } = context;
  const { start } = request;
  if (start?.kind !== 'sign' || request.step !== 1)
    throw new KeepsetError('wire/malformed', 'A signature has exactly one step.');
  const row = await party1.store.findKey(caller.tenant, start.keyId);
  if (row === undefined) throw new KeepsetError('input/unknown-key', `No key ${start.keyId} here.`);
  checkRules(row, start, party1.party);
  const share = await party1.sealer.open(caller.tenant, row);
  try {
    const written = await party1.store.consume({
      caller,
      session: request.session,
      step: request.step,
      requestHash,
      act: {
        kind: 'sign',
        ...caller,
        session: request.session,
        keyId: start.keyId,
        epoch: start.epoch,
        message: sha256(start.request.message),
      },
      ...(request.head === undefined ? {} : { head: request.head }),
    });
    if (!written.written) return answerAgain(written.row, context);
    const first = protocolFor(row.group.scheme).startSign({
      share,
      session: request.session,
      quorum: start.quorum,
      request: start.request,
      ...(party1.rng === undefined ? {} : { rng: party1.rng }),
    });
    invariant(first.status === 'running', 'Signing needs two parties.');
    const second = first.advance(request.messages);
    if (second.status === 'running' && second.round === 1)
      throw new KeepsetError('wire/malformed', 'The request must carry the round 1 message.');
    const answer = encodeStepResponse({
      session: request.session,
      step: request.step,
      state: 'committed',
      messages: [...first.outgoing, ...second.outgoing],
      evidence: written.value,
    });
    await party1.store.keepAnswer(caller.tenant, request.session, answer);
    return answer;
  } finally {
    share.secret.wipe();
  }
};

const checkRules = (row: KeyRow, start: SignStart, me: string): void => {
  if (row.state === 'frozen')
    throw new KeepsetError('policy/forbidden', `Key ${start.keyId} is frozen.`, {
      hint: 'It signs again once it is unfrozen or recovered.',
    });
  if (start.epoch !== row.group.epoch)
    throw new KeepsetError(
      'abort/wrong-epoch',
      `Epoch ${start.epoch} of the key is not current; ${row.group.epoch} is.`,
      {
        hint: 'This share is of an old epoch and can no longer sign. Recover the device.',
      },
    );
  if (!start.quorum.includes(me) || start.quorum.length !== 2)
    throw new KeepsetError('policy/unsupported', 'A quorum is this server and one device today.');
};

import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import { protocolFor } from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { answerAgain, type StepContext } from './handler.ts';
import type { Commit, Opening } from './open.ts';
import type { KeyRow } from './ports.ts';

/**
 * Opens a signature. The order is what protects the key: check everything that can be checked without a nonce,
 * write the act into log and session table durably, and only then draw nonces and compute.
 */
export const openSign = async (context: StepContext, start: SignStart): Promise<Opening<Uint8Array>> => {
  const { party1, caller, request, requestHash } = context;
  const row = await party1.store.findKey(caller.tenant, start.keyId);
  if (row === undefined) throw new KeepsetError('input/unknown-key', `No key ${start.keyId} here.`);
  checkRules(row, start, party1.party);
  const share = await party1.sealer.open(caller.tenant, row);
  const abandon = (): void => share.secret.wipe();
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
    if (!written.written) {
      abandon();
      return { answer: answerAgain(written.row, context) };
    }
    const machine = protocolFor(row.group.scheme).startSign({
      share,
      session: request.session,
      quorum: start.quorum,
      request: start.request,
      ...(party1.rng === undefined ? {} : { rng: party1.rng }),
    });
    // Whoever awaits the last round has contributed all it can: the device completes the signature, not Party 1.
    const isComplete = (state: typeof machine): boolean =>
      state.status === 'done' || state.round === state.rounds;
    return {
      machine,
      devices: start.quorum.filter((party) => party !== party1.party),
      abandon,
      conclude: (state) => (isComplete(state) ? keepSignature(abandon) : undefined),
    };
  } catch (error) {
    abandon();
    throw error;
  }
};

const keepSignature =
  (abandon: () => void): Commit =>
  async ({ party1, caller, request, requestHash }, answer) => {
    const { step, session, head } = request;
    const bytes = answer(await party1.store.prove(caller.tenant, session, head));
    await party1.store.keepAnswer(caller.tenant, session, { step, requestHash, answer: bytes });
    abandon();
    return bytes;
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
  if (!start.quorum.includes(me))
    throw new KeepsetError('policy/unsupported', `${me} does not stand in this quorum.`);
};

import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import { protocolFor, type KeyShare, type Scheme, type Step } from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { keepAnswer, sessionWrite, type ActSubject } from './commit.ts';
import { answerAgain, type StepContext } from './handler.ts';
import type { Opening } from './open.ts';
import { openKey, refuseBanned } from './rules.ts';
import { witnessUse } from './witness.ts';

/**
 * Opens a signature. The order is what protects the key: check everything that can be checked without a nonce,
 * write the act into log and session table durably, and only then draw nonces and compute.
 */
export const openSign = async (context: StepContext, start: SignStart): Promise<Opening<Uint8Array>> => {
  const { party1 } = context;
  const { keyId, epoch, quorum } = start;
  const subject: ActSubject = { kind: 'sign', keyId, epoch, message: sha256(start.request.message) };
  if (!quorum.includes(party1.party)) return witnessUse(context, quorum, subject, refuseOpening);
  await refuseBanned(context, start, quorum);
  const share = await openKey(context, start);
  const abandon = (): void => share.secret.wipe();
  try {
    refuseOpening(share.group.scheme);
    const written = await party1.store.consume(sessionWrite(context, subject));
    if (!written.written) {
      abandon();
      return { answer: answerAgain(written.row, context) };
    }
    const machine = startMachine(context, start, share);
    // Whoever awaits the last round has contributed all it can: the device completes the signature, not Party 1.
    const isComplete = (state: typeof machine): boolean =>
      state.status === 'done' || state.round === state.rounds;
    return {
      machine,
      devices: quorum.filter((party) => party !== party1.party),
      abandon,
      conclude: (state) => (isComplete(state) ? keepAnswer(abandon) : undefined),
    };
  } catch (error) {
    abandon();
    throw error;
  }
};

/** @throws KeepsetError `input/unsupported` for a key that opens files */
const refuseOpening = (scheme: Scheme): void => {
  if (protocolFor(scheme).opening !== undefined)
    throw new KeepsetError('input/unsupported', `A key of ${scheme} signs nothing.`);
};

/** A presignature is forgotten as it is taken, whether or not a signature comes of it. */
const startMachine = (
  { party1, caller, request, presignatures }: StepContext,
  { presignature: id, quorum, request: signRequest }: SignStart,
  share: KeyShare,
): Step<Uint8Array> => {
  const protocol = protocolFor(share.group.scheme);
  if (id === undefined)
    return protocol.startSign({
      share,
      session: request.session,
      quorum,
      request: signRequest,
      ...(party1.rng === undefined ? {} : { rng: party1.rng }),
    });
  const presignature = presignatures.take(caller.tenant, id);
  if (protocol.presigning === undefined || presignature.quorum.join() !== quorum.join())
    throw new KeepsetError('input/invalid-argument', 'This presignature is for another key or quorum.');
  return protocol.presigning.startSign({ presignature, share, request: signRequest });
};

import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  protocolFor,
  type KeyShare,
  type Presignature,
  type Scheme,
  type SchemeProtocol,
  type SignParams,
  type Step,
} from '@keepset/threshold';
import type { SignStart } from '@keepset/wire';
import { keepAnswer, sessionWrite, type ActSubject } from './commit.ts';
import { answerAgain, type StepContext } from './handler.ts';
import type { Opening } from './open.ts';
import { openKey, refuseBanned } from './rules.ts';
import { checkStanding, witnessUse } from './witness.ts';

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
    checkStanding(context, quorum);
    const begin = prepareStart(context, start, share);
    const written = await party1.store.consume(sessionWrite(context, subject));
    if (!written.written) {
      abandon();
      return { answer: answerAgain(written.row, context) };
    }
    const machine = begin();
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

/**
 * Checks the request against key and presignature, so that one that cannot be signed neither spends its session nor
 * stands in the log. A presignature is forgotten as it is taken, whether or not a signature comes of it.
 * @returns what starts the protocol, to be called once the session is spent.
 */
const prepareStart = (
  { party1, caller, request, presignatures }: StepContext,
  { presignature: id, quorum, request: signRequest }: SignStart,
  share: KeyShare,
): (() => Step<Uint8Array>) => {
  const protocol = protocolFor(share.group.scheme);
  const params: SignParams = {
    share,
    session: request.session,
    quorum,
    request: signRequest,
    ...(party1.rng === undefined ? {} : { rng: party1.rng }),
  };
  checkBeforeNonces(protocol, params);
  if (id === undefined) return () => protocol.startSign(params);
  const { presigning } = protocol;
  if (presigning === undefined)
    throw new KeepsetError('input/unsupported', `There are no presignatures for ${share.group.scheme}.`);
  const presignature = presignatures.take(caller.tenant, id);
  if (!fits(presignature, share, params)) {
    presignature.secret.wipe();
    throw new KeepsetError('input/invalid-argument', 'This presignature is for another key, quorum or path.');
  }
  return () => presigning.startSign({ presignature, share, request: signRequest });
};

const firstDraw = new Error('The protocol draws its first random bytes.');

/** Starts the protocol without any randomness: it ends where it would draw some, having checked all it can before. */
const checkBeforeNonces = (protocol: SchemeProtocol, params: SignParams): void => {
  const rng = (): never => {
    throw firstDraw;
  };
  try {
    protocol.startSign({ ...params, rng });
  } catch (error) {
    if (error !== firstDraw) throw error;
  }
};

const fits = (
  presignature: Presignature,
  { group, party }: KeyShare,
  { quorum, request }: SignParams,
): boolean =>
  presignature.keyId === group.keyId &&
  presignature.epoch === group.epoch &&
  presignature.party === party &&
  presignature.quorum.join() === quorum.join() &&
  presignature.path.join() === (request.path ?? []).join();

/**
 * Party 1's side of every session: what a device's step request leads to.
 *
 * What is durable decides. A session that has an end in the store is answered from there: the same step with the
 * same bytes gets the same answer, anything else is refused. Only sessions without an end live in memory, and a
 * restart makes them void.
 */
import { KeepsetError, bytesEqual, toHex } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  decodeStepRequest,
  encodeStepResponse,
  type KeySummary,
  type SessionOutcome,
  type StepRequest,
} from '@keepset/wire';
import { openKeygen } from './keygen.ts';
import { liveSessions, type LiveSession } from './live.ts';
import type { Caller, Party1, SessionRow } from './ports.ts';
import { answerSign } from './sign.ts';

/** Party 1 as the transport sees it. */
export interface Party1Handler {
  /**
   * Takes an encoded step request and returns the encoded answer.
   * @throws KeepsetError; the session is then as it was, unless the code is of family `abort/`, which ends it.
   */
  step(caller: Caller, session: Uint8Array, step: number, request: Uint8Array): Promise<Uint8Array>;
  /** Says what became of a session and makes it void unless it is committed. */
  resolve(caller: Caller, session: Uint8Array): Promise<SessionOutcome>;
  keys(caller: Caller): Promise<readonly KeySummary[]>;
}

/** One request on its way through Party 1. */
export interface StepContext {
  readonly party1: Party1;
  readonly caller: Caller;
  readonly request: StepRequest;
  readonly requestHash: Uint8Array;
}

export const party1Handler = (party1: Party1): Party1Handler => {
  const live = liveSessions(party1.now);
  return {
    step: async (caller, session, step, bytes) => {
      const request = decodeStepRequest(bytes);
      if (!bytesEqual(request.session, session) || request.step !== step)
        throw new KeepsetError(
          'wire/malformed',
          'The request names another session or step than its address.',
        );
      const context: StepContext = { party1, caller, request, requestHash: sha256(bytes) };
      return live.exclusively(caller.tenant, session, async () => {
        const row = await party1.store.findSession(caller.tenant, session);
        return row === undefined ? runStep(context, live) : answerAgain(row, context);
      });
    },
    resolve: async (caller, session) =>
      live.exclusively(caller.tenant, session, async () => {
        const row = await party1.store.voidSession(caller.tenant, session);
        live.drop(caller.tenant, session);
        // A consumed session without an answer can never be answered: its nonces died with the process.
        if (row.state !== 'committed') return { session, state: 'void' };
        return { session, state: 'committed', ...(row.keyId === undefined ? {} : { keyId: row.keyId }) };
      }),
    keys: async ({ tenant }) =>
      (await party1.store.listKeys(tenant)).map(({ group, state, createdAt }) => ({
        keyId: group.keyId,
        scheme: group.scheme,
        epoch: group.epoch,
        policy: group.policy,
        publicKey: group.publicKey,
        state,
        createdAt,
      })),
  };
};

/** Answers a session that already has an end. */
export const answerAgain = (row: SessionRow, { request, requestHash }: StepContext): Uint8Array => {
  const details = { session: toHex(request.session) };
  if (row.state === 'void')
    throw new KeepsetError('store/session-void', 'This session was ended without a result.', details);
  if (row.step !== request.step || !bytesEqual(row.requestHash, requestHash))
    throw new KeepsetError(
      'store/conflict',
      'This session was already completed with another request.',
      details,
    );
  if (row.answer === undefined)
    throw new KeepsetError(
      'store/session-burned',
      'This session was interrupted after its nonces were spent.',
      {
        ...details,
        hint: 'Start again: nothing was signed.',
      },
    );
  return row.answer;
};

type Live = ReturnType<typeof liveSessions>;

const runStep = async (context: StepContext, live: Live): Promise<Uint8Array> => {
  const { caller, request } = context;
  if (request.start?.kind === 'sign') return answerSign(context);
  const known = live.find(caller.tenant, request.session);
  if (known !== undefined && known.step === request.step) return repeatOf(known, context);
  if (request.start === undefined) return nextStep(context, live, known);
  if (known !== undefined || request.step !== 1)
    throw new KeepsetError('store/conflict', 'This session was already started.', {
      session: toHex(request.session),
    });
  const opened = openKeygen(context, request.start);
  const answer = encodeStepResponse({
    session: request.session,
    step: 1,
    state: 'open',
    messages: opened.messages,
  });
  live.keep(caller.tenant, request.session, {
    step: 1,
    requestHash: context.requestHash,
    answer,
    commit: opened.commit,
  });
  return answer;
};

const repeatOf = (known: LiveSession, { request, requestHash }: StepContext): Uint8Array => {
  if (bytesEqual(known.requestHash, requestHash)) return known.answer;
  throw new KeepsetError('store/conflict', 'This step was already taken with another request.', {
    session: toHex(request.session),
  });
};

const nextStep = async (
  context: StepContext,
  live: Live,
  known: LiveSession | undefined,
): Promise<Uint8Array> => {
  const { caller, request } = context;
  if (known === undefined || request.step !== known.step + 1)
    throw new KeepsetError('store/session-void', 'No such session is open here.', {
      session: toHex(request.session),
      hint: 'It may have expired. Start again.',
    });
  // Whatever happens next, this state is spent: a step that fails leaves nothing that could still commit.
  live.drop(caller.tenant, request.session);
  return known.commit(context);
};

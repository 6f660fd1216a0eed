/**
 * Party 1's side of every session: what a device's step request leads to.
 *
 * What is durable decides. A session that has an end in the store is answered from there: the same step with the
 * same bytes gets the same answer, anything else is refused. What lies between two steps lives in memory only, so a
 * restart makes it void.
 */
import { KeepsetError, bytesEqual, toHex } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  decodeStepRequest,
  type FrozenKey,
  type KeySummary,
  type LoggedExport,
  type ResolveRequest,
  type SessionOutcome,
  type StepRequest,
} from '@keepset/wire';
import { liveSessions, rouse, type LiveSessions } from './live.ts';
import { memberOf, takeLiveStep } from './member.ts';
import { openSession } from './open.ts';
import type { Caller, Party1, SessionRow } from './ports.ts';
import { presignatureStore, type PresignatureStore } from './presign.ts';

/** Party 1 as the transport sees it. */
export interface Party1Handler {
  /**
   * Takes an encoded step request and returns the encoded answer. Where several devices take part, it waits up to
   * ten seconds for something to answer.
   * @throws KeepsetError. After `abort/…` and any failure of the store the session is over.
   */
  step(caller: Caller, session: Uint8Array, step: number, request: Uint8Array): Promise<Uint8Array>;
  /** Says what became of a session and makes it void unless it is committed. */
  resolve(caller: Caller, session: Uint8Array, request?: ResolveRequest): Promise<SessionOutcome>;
  keys(caller: Caller): Promise<readonly KeySummary[]>;
  /** Stops a key: every device of its user may, and only the operator lets it go on. */
  freeze(caller: Caller, keyId: string, request?: ResolveRequest): Promise<FrozenKey>;
  /** Logs that a device of its user is about to put the key together. The key stays as it is. */
  announceExport(caller: Caller, keyId: string, request?: ResolveRequest): Promise<LoggedExport>;
}

/** One request on its way through Party 1. */
export interface StepContext {
  readonly party1: Party1;
  readonly caller: Caller;
  readonly request: StepRequest;
  readonly requestHash: Uint8Array;
  readonly presignatures: PresignatureStore;
}

export const party1Handler = (party1: Party1): Party1Handler => {
  const sessions = liveSessions(party1.now);
  const presignatures = presignatureStore();
  return {
    step: async (caller, session, step, bytes) => {
      const request = decodeStepRequest(bytes);
      if (!bytesEqual(request.session, session) || request.step !== step)
        throw new KeepsetError(
          'wire/malformed',
          'The request names another session or step than its address.',
        );
      return takeStep({ party1, caller, request, requestHash: sha256(bytes), presignatures }, sessions);
    },
    resolve: async (caller, session, { head } = {}) =>
      sessions.exclusively(caller.tenant, session, async () => {
        const live = sessions.find(caller.tenant, session);
        // What waits for the others in a session that is committed is still theirs.
        if (live?.committed === true) {
          live.left = true;
          rouse(live);
        } else sessions.drop(caller.tenant, session);
        const row = await party1.store.voidSession(caller.tenant, session);
        // A consumed session without an answer can never be answered: its nonces died with the process.
        if (row.state !== 'committed') return { session, state: 'void' };
        const evidence = await party1.store.prove(caller.tenant, session, head);
        return {
          session,
          state: 'committed',
          evidence,
          ...(row.keyId === undefined ? {} : { keyId: row.keyId }),
        };
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
    freeze: async (caller, keyId, { head } = {}) => ({
      keyId,
      ...(await party1.store.freeze(caller, keyId, head)),
    }),
    announceExport: async (caller, keyId, { head } = {}) => ({
      keyId,
      ...(await party1.store.logExport(caller, keyId, head)),
    }),
  };
};

const pollMs = 10_000;

/** Takes the step, and waits outside the session's lock while there is nothing to answer. */
const takeStep = async (context: StepContext, sessions: LiveSessions): Promise<Uint8Array> => {
  const { tenant } = context.caller;
  const { session } = context.request;
  const deadline = context.party1.now() + pollMs;
  let mayWait = true;
  for (;;) {
    const outcome = await sessions.exclusively(tenant, session, () =>
      takeStepOnce(context, sessions, mayWait),
    );
    if ('answer' in outcome) return outcome.answer;
    const left = Math.max(0, deadline - context.party1.now());
    mayWait = await Promise.race([
      outcome.woken.then(() => true),
      context.party1.sleep(left).then(() => false),
    ]);
  }
};

type Taken = { readonly answer: Uint8Array } | { readonly woken: Promise<void> };

const takeStepOnce = async (
  context: StepContext,
  sessions: LiveSessions,
  mayWait: boolean,
): Promise<Taken> => {
  const { party1, caller, request } = context;
  const known = sessions.find(caller.tenant, request.session);
  if (known !== undefined) return takeLiveStep(context, sessions, known, mayWait);
  const row = await party1.store.findSession(caller.tenant, request.session);
  if (row !== undefined) return { answer: answerAgain(row, context) };
  if (request.start === undefined || request.step !== 1)
    throw new KeepsetError('store/session-void', 'No such session is open here.', {
      ...about(request),
      hint: 'It may have expired, or another device ended it. Start again.',
    });
  const opened = await openSession(context, request.start);
  if ('answer' in opened) return opened;
  try {
    memberOf(context, opened);
    sessions.keep(caller.tenant, request.session, opened);
  } catch (error) {
    opened.abandon();
    throw error;
  }
  return takeLiveStep(context, sessions, opened, mayWait);
};

/** Answers a session that already has an end. */
export const answerAgain = (row: SessionRow, { request, requestHash }: StepContext): Uint8Array => {
  if (row.state === 'void')
    throw new KeepsetError('store/session-void', 'This session was ended without a result.', {
      ...about(request),
      hint: 'Another device gave it up, or the server was started anew. Start again.',
    });
  if (row.state === 'consumed')
    throw new KeepsetError(
      'store/session-burned',
      'This session was interrupted after its nonces were spent.',
      {
        ...about(request),
        hint: 'Start again. The server says that it had given no part of its own; its log notes the attempt either way.',
      },
    );
  if (row.answer === undefined || row.step !== request.step || !bytesEqual(row.requestHash, requestHash))
    throw goesOnNoMore(request);
  return row.answer;
};

/** Of a session that Party 1 has committed, and that others may have completed or given up. */
export const goesOnNoMore = (request: StepRequest): KeepsetError =>
  new KeepsetError('store/conflict', 'Party 1 has done its part in this session, and it goes on no more.', {
    ...about(request),
    hint: 'Another device gave up, the server was started anew, or it took too long. Look for the result first: a key with `keepset keys`, anything else on the device that started it.',
  });

/** The session an error is about. */
export const about = (request: StepRequest): { session: string } => ({ session: toHex(request.session) });

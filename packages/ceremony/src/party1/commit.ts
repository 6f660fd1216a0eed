import type { LogEvidence } from '@keepset/wire';
import type { SessionAct } from '../act.ts';
import { answerAgain, type StepContext } from './handler.ts';
import type { Commit } from './open.ts';
import type { KeyChange, SessionWrite } from './ports.ts';

/** What an act is about, apart from who asked for it and in which session. */
export type ActSubject = Omit<SessionAct, 'tenant' | 'device' | 'session'>;

/** The durable side of a step that ends a session, or that spends it. */
export const sessionWrite = (
  { caller, request, requestHash }: StepContext,
  subject: ActSubject,
): SessionWrite => {
  const { session, step, head } = request;
  const { tenant, device } = caller;
  return {
    caller,
    session,
    step,
    requestHash,
    act: { ...subject, tenant, device, session },
    ...(head === undefined ? {} : { head }),
  };
};

/** Ends a session with a change to a key. @returns the bytes of the answer. */
export const commitChange = async (
  context: StepContext,
  subject: ActSubject,
  change: KeyChange,
  answer: (evidence: LogEvidence) => Uint8Array,
): Promise<Uint8Array> => {
  const written = await context.party1.store.commit(sessionWrite(context, subject), change, answer);
  return written.written ? written.value : answerAgain(written.row, context);
};

/**
 * Ends a session whose act is written already: keeps the answer that carries Party 1's part.
 * @param wipe called once it is kept.
 */
export const keepAnswer =
  (wipe: () => void): Commit =>
  async ({ party1, caller, request, requestHash }, answer) => {
    const { step, session, head } = request;
    const bytes = answer(await party1.store.prove(caller.tenant, session, head));
    await party1.store.keepAnswer(caller.tenant, session, { step, requestHash, answer: bytes });
    wipe();
    return bytes;
  };

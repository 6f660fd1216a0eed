import { KeepsetError } from '@keepset/bytes';
import type { ProtocolMessage, Step } from '@keepset/threshold';
import { encodeStepResponse, type LogEvidence, type SessionStart } from '@keepset/wire';
import type { StepContext } from './handler.ts';
import { openKeygen } from './keygen.ts';
import type { Progressed } from './live.ts';
import { openSign } from './sign.ts';

/**
 * Makes the outcome of a session durable together with the answer.
 * @param answer encodes the last answer around the log evidence.
 * @returns the answer's bytes.
 */
export type Commit = (
  context: StepContext,
  answer: (evidence: LogEvidence) => Uint8Array,
) => Promise<Uint8Array>;

/** A kind of session, opened: the protocol, and when and how it ends. */
export interface Opened<R> {
  readonly machine: Step<R>;
  /** How to end the session if `state` is its end for Party 1; undefined while more steps must follow. */
  conclude(state: Step<R>): Commit | undefined;
  /** Called when the session ends without an outcome. */
  abandon(): void;
}

/** What can be opened, or the answer to a session that turned out to have an end already. */
export type Opening<R> = Opened<R> | { readonly answer: Uint8Array };

/** Takes the first step of a session. @throws KeepsetError */
export const openSession = async (context: StepContext, start: SessionStart): Promise<Progressed> => {
  switch (start.kind) {
    case 'keygen':
      return firstStep(context, openKeygen(context, start));
    case 'sign':
      return firstStep(context, await openSign(context, start));
    default:
      throw new KeepsetError('wire/malformed', 'Unknown kind of session.');
  }
};

const firstStep = <R>(context: StepContext, opening: Opening<R>): Promise<Progressed> =>
  'answer' in opening
    ? Promise.resolve(opening)
    : advance(context, opening, opening.machine, opening.machine.outgoing);

/** Gives the request's messages to the protocol and answers with what it sends. */
const advance = async <R>(
  context: StepContext,
  opened: Opened<R>,
  state: Step<R>,
  unsent: readonly ProtocolMessage[],
): Promise<Progressed> => {
  try {
    if (state.status !== 'running')
      throw new KeepsetError('bug/invariant', 'The protocol ended before its messages.');
    const next = state.advance(context.request.messages);
    const messages = [...unsent, ...next.outgoing];
    if (next.status === 'running' && next.round === state.round)
      throw new KeepsetError(
        'wire/malformed',
        `The request must carry the messages of round ${state.round}.`,
      );
    const commit = opened.conclude(next);
    if (commit !== undefined)
      return { answer: await commit(context, (evidence) => encodeAnswer(context, messages, evidence)) };
    const { requestHash, request } = context;
    const { step } = request;
    const answer = encodeAnswer(context, messages);
    return { live: { step, requestHash, answer, next: (following) => advance(following, opened, next, []) } };
  } catch (error) {
    opened.abandon();
    throw error;
  }
};

const encodeAnswer = (
  { request }: StepContext,
  messages: readonly ProtocolMessage[],
  evidence?: LogEvidence,
): Uint8Array =>
  encodeStepResponse({
    session: request.session,
    step: request.step,
    state: evidence === undefined ? 'open' : 'committed',
    messages,
    ...(evidence === undefined ? {} : { evidence }),
  });

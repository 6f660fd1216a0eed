/** The device's side of any session with Party 1: one request and one answer for each step of the protocol. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { ProtocolMessage, Step } from '@keepset/threshold';
import type { SessionStart, StepResponse } from '@keepset/wire';
import type { LoggedAct } from '../act.ts';
import { acceptEvidence } from './evidence.ts';
import type { DeviceParty } from './ports.ts';

/** What a session is about and what to do on the way. */
export interface SessionPlan<R> {
  /** 32 random bytes. */
  readonly session: Uint8Array;
  readonly start: SessionStart;
  /** The protocol, started. */
  readonly machine: Step<R>;
  /** Called with the result as it will be, before anything that could make it final is sent. */
  readonly onPending?: (pending: R) => Promise<void>;
  /** The log entry the server must prove. */
  readonly act: (result: R) => Omit<LoggedAct, 'tenant' | 'device' | 'session'>;
  /** Called before each step. */
  readonly onStep?: (step: number) => void;
}

/**
 * Runs a session to its end.
 * @returns the protocol's result, once Party 1 has committed the session and proven its log entry.
 * @throws KeepsetError of the protocol, the transport, or whatever Party 1 reports.
 */
export const runSession = async <R>(device: DeviceParty, plan: SessionPlan<R>): Promise<R> => {
  const { session, onPending } = plan;
  const head = await device.logPin.load();
  let state = plan.machine;
  for (let step = 1; state.status === 'running'; step += 1) {
    plan.onStep?.(step);
    const response = await device.transport.step({
      session,
      step,
      messages: state.outgoing,
      ...(step === 1 ? { start: plan.start } : {}),
      ...(head === undefined ? {} : { head }),
    });
    const next: Step<R> = state.advance(messagesOf(response, session, step));
    if (next.status === 'running' && next.pending !== undefined) await onPending?.(next.pending);
    if (next.status === 'done') {
      if (response.state !== 'committed')
        throw new KeepsetError('transport/bad-response', 'The server did not commit this session.');
      await acceptEvidence(device, response, { ...plan.act(next.result), session }, head);
    }
    state = next;
  }
  return state.result;
};

/** The messages of an answer that belongs to this very step. */
const messagesOf = (
  response: StepResponse,
  session: Uint8Array,
  step: number,
): readonly ProtocolMessage[] => {
  if (!bytesEqual(response.session, session) || response.step !== step)
    throw new KeepsetError('transport/bad-response', 'The answer belongs to another step.');
  return response.messages;
};

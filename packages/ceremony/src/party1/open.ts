import { KeepsetError } from '@keepset/bytes';
import type { Step } from '@keepset/threshold';
import type { LogEvidence, SessionStart } from '@keepset/wire';
import type { StepContext } from './handler.ts';
import { openKeygen } from './keygen.ts';
import { openRefresh, openRepair } from './life.ts';
import type { LiveMember, LiveSession } from './live.ts';
import { openOpening } from './opening.ts';
import { openPresign } from './presign.ts';
import { openReshare } from './reshare.ts';
import { openSign } from './sign.ts';

/**
 * Makes the outcome of a session durable together with the answer to the request that completed it.
 * @param answer encodes that answer around the log evidence.
 * @returns the answer's bytes.
 */
export type Commit = (
  context: StepContext,
  answer: (evidence: LogEvidence) => Uint8Array,
) => Promise<Uint8Array>;

/** A kind of session, opened: who takes part, the protocol, and when and how it ends. */
export interface Opened<R> {
  /** Every party but Party 1. */
  readonly devices: readonly string[];
  readonly machine: Step<R>;
  /** See {@link LiveSession.thaws}. */
  readonly thaws?: number | undefined;
  /** How to end the session if `state` is its end for Party 1; undefined while it must go on. */
  conclude(state: Step<R>): Commit | undefined;
  /** Wipes what the session holds. May be called more than once. */
  abandon(): void;
}

/** What can be opened, or the answer to a session that turned out to have an end already. */
export type Opening<R> = Opened<R> | { readonly answer: Uint8Array };

/** Opens a session. @throws KeepsetError */
export const openSession = async (
  context: StepContext,
  start: SessionStart,
): Promise<LiveSession | { readonly answer: Uint8Array }> => {
  switch (start.kind) {
    case 'keygen':
      return toLive(start, openKeygen(context, start));
    case 'sign':
      return toLive(start, await openSign(context, start));
    case 'open':
      return toLive(start, await openOpening(context, start));
    case 'presign':
      return toLive(start, await openPresign(context, start));
    case 'refresh':
      return toLive(start, await openRefresh(context, start));
    case 'reshare':
      return toLive(start, await openReshare(context, start));
    case 'repair':
      return toLive(start, await openRepair(context, start));
    default:
      throw new KeepsetError('bug/invariant', 'A kind of session that the wire knows and Party 1 does not.');
  }
};

const toLive = (
  start: SessionStart,
  opening: Opening<unknown>,
): LiveSession | { readonly answer: Uint8Array } => {
  if ('answer' in opening) return opening;
  const { machine, devices } = opening;
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
  return {
    about: 'keyId' in start ? { keyId: start.keyId, epoch: start.epoch } : undefined,
    thaws: opening.thaws,
    usesKey: start.kind === 'sign' || start.kind === 'open',
    usesSetup: start.kind === 'sign' || start.kind === 'presign',
    members: new Map(devices.map((party) => [party, newMember(party, machine)])),
    state: machine,
    // A session's states are all of its own kind: what `state` holds is what `conclude` takes.
    conclude: (state) => opening.conclude(state),
    abandon: () => opening.abandon(),
    committed: false,
    left: false,
    wake,
    woken,
  };
};

const newMember = (party: string, machine: Step<unknown>): LiveMember => ({
  party,
  device: undefined,
  step: 0,
  requestHash: new Uint8Array(0),
  answer: undefined,
  told: false,
  messages: machine.outgoing.filter((message) => message.to === party),
  relay: [],
});

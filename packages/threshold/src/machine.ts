/**
 * The shape of every protocol: a state machine without I/O and without a clock.
 *
 * A step takes messages and yields messages and either the next state or the result. A state that took a
 * step is consumed: it answers `abort/state-consumed` ever after, whether the step succeeded or not, so no
 * nonce or one-time secret inside it can serve twice.
 */
import { KeepsetError, bytesEqual, decodeAs, toHex, type Schema } from '@keepset/bytes';

/** Name of a party as it stands in the policy. */
export type PartyId = string;

/** One protocol message: in each round each party sends at most one to each peer. */
export interface ProtocolMessage {
  /** Hash of the ceremony's public context, 32 bytes: a message of another session never fits. */
  readonly context: Uint8Array;
  /** Protocol round, from 1. */
  readonly round: number;
  readonly from: PartyId;
  readonly to: PartyId;
  /** Canonical CBOR; its form depends on protocol and round. */
  readonly body: Uint8Array;
}

/** A machine that waits for messages. */
export interface Running<R> {
  readonly status: 'running';
  /** Messages to deliver. Persist {@link Running.pending} first where it is set. */
  readonly outgoing: readonly ProtocolMessage[];
  /** The round whose messages are awaited. */
  readonly round: number;
  /** The last round there is. A party that awaits it has sent all it contributes. */
  readonly rounds: number;
  /** Peers whose message of that round is still missing. */
  readonly awaiting: readonly PartyId[];
  /**
   * The result as it will be if every peer confirms it. Set in each state that awaits confirmations, always to the same
   * object: store it durably, marked pending, before sending the `outgoing` it first comes with. When the confirmations
   * were there already, there is no such state: the step yields the result.
   */
  readonly pending?: R;
  /**
   * Takes messages of the awaited or a later round and runs every round that is complete.
   *
   * Messages whose header does not fit (context, recipient, sender, round) are refused without touching the
   * state, so that a stray message cannot end a session. A fitting message with a wrong body is the sender's
   * fault and ends it.
   * @throws KeepsetError of family `abort/`, with the culprits where they can be named.
   */
  advance(incoming: readonly ProtocolMessage[]): Step<R>;
}

/** A machine that ended well. */
export interface Finished<R> {
  readonly status: 'done';
  /** Last messages: peers still need them. */
  readonly outgoing: readonly ProtocolMessage[];
  readonly result: R;
}

/** What a step yields. */
export type Step<R> = Running<R> | Finished<R>;

/** The messages of one complete round, one from each expected peer. */
export interface Inbox {
  /** The body of `from`'s message. */
  bytes(from: PartyId): Uint8Array;
  /** The body of `from`'s message, decoded and checked; a malformed one is `from`'s fault. */
  read<T>(from: PartyId, schema: Schema<T>): T;
}

/** What a round sends: a body for each recipient. */
export type Outbox = ReadonlyMap<PartyId, Uint8Array>;

/** What a protocol's own code returns from a round. */
export type Transition<R> =
  | { readonly send: Outbox; readonly pending?: R; readonly next: (inbox: Inbox) => Transition<R> }
  | { readonly send?: Outbox; readonly result: R };

/** Who takes part in a run and what it is bound to. */
export interface Participation {
  /** 32 bytes; see `contextHash`. */
  readonly context: Uint8Array;
  readonly me: PartyId;
  /** Everyone else in the run, in policy order. */
  readonly peers: readonly PartyId[];
  /** Number of rounds in which messages are received. */
  readonly rounds: number;
}

/** The same body for every peer. */
export const toAll = (peers: readonly PartyId[], body: Uint8Array): Outbox =>
  new Map(peers.map((peer) => [peer, body]));

/** Starts a protocol whose first transition is `begin`. */
export const startMachine = <R>(who: Participation, begin: () => Transition<R>): Step<R> =>
  settle(who, 0, begin(), new Map(), []);

type Buffer = Map<string, ProtocolMessage>;
const slot = (round: number, from: PartyId): string => `${round}/${from}`;

/** Runs transitions while their rounds are complete; `sentRound` is the round `transition.send` belongs to minus one. */
const settle = <R>(
  who: Participation,
  sentRound: number,
  transition: Transition<R>,
  buffer: Buffer,
  sentBefore: readonly ProtocolMessage[],
): Step<R> => {
  let round = sentRound + 1;
  let current = transition;
  const outgoing = [...sentBefore];
  for (;;) {
    for (const [to, body] of current.send ?? [])
      outgoing.push({ context: who.context, round, from: who.me, to, body });
    if ('result' in current) return { status: 'done', outgoing, result: current.result };
    const awaiting = who.peers.filter((peer) => !buffer.has(slot(round, peer)));
    if (awaiting.length > 0) return waiting(who, round, awaiting, current, buffer, outgoing);
    current = runRound(who, round, current.next, buffer);
    round += 1;
  }
};

const runRound = <R>(
  who: Participation,
  round: number,
  next: (inbox: Inbox) => Transition<R>,
  buffer: Buffer,
): Transition<R> => {
  const bytes = (from: PartyId): Uint8Array => {
    const message = buffer.get(slot(round, from));
    if (message === undefined)
      throw new KeepsetError('bug/invariant', `No message from ${from} in round ${round}.`);
    return message.body;
  };
  const read = <T>(from: PartyId, schema: Schema<T>): T => {
    try {
      return decodeAs(schema, bytes(from), `round ${round} message`);
    } catch (cause) {
      throw new KeepsetError(
        'abort/malformed-message',
        `${from} sent a malformed message in round ${round}.`,
        {
          culprits: [from],
          cause,
        },
      );
    }
  };
  try {
    return next({ bytes, read });
  } catch (error) {
    if (!(error instanceof KeepsetError)) throw error;
    throw new KeepsetError(error.code, error.message, {
      session: toHex(who.context),
      round,
      culprits: error.culprits,
      retry: error.retry,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error.cause,
    });
  }
};

const waiting = <R>(
  who: Participation,
  round: number,
  awaiting: readonly PartyId[],
  current: Extract<Transition<R>, { next: unknown }>,
  buffer: Buffer,
  outgoing: readonly ProtocolMessage[],
): Running<R> => {
  let consumed = false;
  return {
    status: 'running',
    outgoing,
    round,
    rounds: who.rounds,
    awaiting,
    ...(current.pending === undefined ? {} : { pending: current.pending }),
    advance(incoming) {
      if (consumed) throw abort(who, 'abort/state-consumed', 'This protocol state was already used.');
      const filled = new Map(buffer);
      for (const message of incoming) admit(who, round, filled, message);
      consumed = true;
      const missing = who.peers.filter((peer) => !filled.has(slot(round, peer)));
      if (missing.length > 0) return waiting(who, round, missing, current, filled, []);
      return settle(who, round, runRound(who, round, current.next, filled), filled, []);
    },
  };
};

/** Header checks. They run before the state is consumed. */
const admit = (who: Participation, round: number, buffer: Buffer, message: ProtocolMessage): void => {
  if (!bytesEqual(message.context, who.context))
    throw abort(who, 'abort/wrong-session', 'The message belongs to another session.');
  if (message.to !== who.me) throw abort(who, 'abort/wrong-session', `The message is for ${message.to}.`);
  if (!who.peers.includes(message.from))
    throw abort(who, 'abort/unknown-party', `${message.from} does not take part in this session.`);
  if (!Number.isInteger(message.round) || message.round < round || message.round > who.rounds)
    throw abort(who, 'abort/wrong-round', `Round ${message.round} is not awaited; round ${round} is.`);
  const key = slot(message.round, message.from);
  if (buffer.has(key))
    throw abort(who, 'abort/duplicate-message', `${message.from} sent round ${message.round} twice.`);
  buffer.set(key, message);
};

const abort = (
  who: Participation,
  code:
    | 'abort/state-consumed'
    | 'abort/wrong-session'
    | 'abort/unknown-party'
    | 'abort/wrong-round'
    | 'abort/duplicate-message',
  message: string,
): KeepsetError => new KeepsetError(code, message, { session: toHex(who.context) });

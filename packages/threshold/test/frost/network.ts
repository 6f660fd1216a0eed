/** Runs the machines of several parties against one another in memory, honestly or through a hostile network. */
import { createHash } from 'node:crypto';
import type { FROST } from '@noble/curves/abstract/frost.js';
import { ed25519_FROST } from '@noble/curves/ed25519.js';
import { secp256k1_FROST } from '@noble/curves/secp256k1.js';
import { KeepsetError, type ErrorCode } from '@keepset/bytes';
import { ed25519Suite, schnorrSuite, type FrostSuite } from '../../src/frost/suites.ts';
import { protocolFor } from '../../src/index.ts';
import { sharingFor } from '../policies.ts';
import type { KeyShare, PartyId, ProtocolMessage, Rng, Running, SignRequest, Step } from '../../src/index.ts';

export type FrostScheme = FrostSuite['scheme'];
export const frostSchemes: readonly FrostScheme[] = ['ed25519', 'schnorr-secp256k1'];
export const suiteOf = (scheme: FrostScheme): FrostSuite =>
  scheme === 'ed25519' ? ed25519Suite : schnorrSuite;

/** FROST as the library has it: key generation for one threshold. */
export const libraryOf = (scheme: FrostScheme): FROST =>
  scheme === 'ed25519' ? ed25519_FROST : secp256k1_FROST;

export const sha256 = (text: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(text).digest());
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Reproducible randomness: SHA-256 in counter mode. */
export const seededRng = (seed: string): Rng => {
  let counter = 0;
  return (length) => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () => sha256(`${seed}/${counter++}`));
    return Uint8Array.from(Buffer.concat(blocks)).slice(0, length);
  };
};

export const partyNames: readonly PartyId[] = ['phone', 'server', 'usb', 'cloud', 'paper'];

/** How each party starts. Starting again gives the same machine, since all randomness is seeded. */
export type Starts<R> = ReadonlyMap<PartyId, () => Step<R>>;

export const keygenStarts = (
  scheme: FrostScheme,
  threshold: number,
  parties: readonly PartyId[],
  seed: string,
  session: Uint8Array = sha256(`session ${seed}`),
): Starts<KeyShare> => keygenUnder(scheme, `thresh(${threshold},${parties.join(',')})`, seed, session);

export const keygenUnder = (
  scheme: FrostScheme,
  policy: string,
  seed: string,
  session: Uint8Array = sha256(`session ${seed}`),
): Starts<KeyShare> => {
  const { parties, threshold } = sharingFor(policy);
  return new Map(
    parties.map((me) => {
      const params = { scheme, session, policy, parties, threshold, me };
      return [me, () => protocolFor(scheme).startKeygen({ ...params, rng: seededRng(`${seed} ${me}`) })];
    }),
  );
};

export const plain = (message: Uint8Array): SignRequest => ({ message, digest: 'none' });

export const signStarts = (
  shares: ReadonlyMap<PartyId, KeyShare>,
  quorum: readonly PartyId[],
  request: SignRequest,
  seed: string,
  session: Uint8Array = sha256(`session ${seed}`),
): Starts<Uint8Array> =>
  new Map(
    quorum.map((me) => {
      const share = theOne(shares.get(me));
      const params = { share, session, quorum, request };
      return [
        me,
        () => protocolFor(share.group.scheme).startSign({ ...params, rng: seededRng(`${seed} ${me}`) }),
      ];
    }),
  );

export const theOne = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('nothing there');
  return value;
};

/** What a party showed as pending, and what came with it. */
export interface Exposure<R> {
  readonly pending: R;
  readonly round: number;
  readonly outgoing: number;
}

/** How a run ended for everyone. */
export interface Ended<R> {
  readonly results: ReadonlyMap<PartyId, R>;
  /** Errors that ended a party's run. */
  readonly failures: ReadonlyMap<PartyId, KeepsetError>;
  /** Errors of single messages that left the run going. */
  readonly refusals: readonly (readonly [PartyId, KeepsetError])[];
  readonly waiting: ReadonlyMap<PartyId, Running<R>>;
  readonly sent: readonly ProtocolMessage[];
  readonly exposures: ReadonlyMap<PartyId, readonly Exposure<R>[]>;
}

/** What the network makes of one message: nothing, itself, others. */
export type Wire = (message: ProtocolMessage) => readonly ProtocolMessage[];
/** A number from 0 to `below` - 1: decides who is served next and with what. */
export type Pick = (below: number) => number;

const headerCodes: readonly ErrorCode[] = [
  'abort/wrong-session',
  'abort/unknown-party',
  'abort/wrong-round',
  'abort/duplicate-message',
];
export const isRefusal = (error: KeepsetError): boolean => headerCodes.includes(error.code);

/**
 * Delivers until nothing is left. Without `pick` one message at a time in the order of sending; with it, batches of
 * random size in random order to random parties.
 */
export const run = <R>(
  starts: Starts<R>,
  options: { readonly wire?: Wire; readonly pick?: Pick } = {},
): Ended<R> => {
  const { wire = (message) => [message], pick } = options;
  const states = new Map<PartyId, Running<R>>();
  const results = new Map<PartyId, R>();
  const failures = new Map<PartyId, KeepsetError>();
  const refusals: [PartyId, KeepsetError][] = [];
  const exposures = new Map<PartyId, Exposure<R>[]>();
  const sent: ProtocolMessage[] = [];
  let mail: ProtocolMessage[] = [];
  const keep = (party: PartyId, step: Step<R>): void => {
    sent.push(...step.outgoing);
    mail.push(...step.outgoing.flatMap((message) => wire(message)));
    states.delete(party);
    if (step.status === 'done') {
      results.set(party, step.result);
      return;
    }
    states.set(party, step);
    if (step.pending !== undefined) {
      const exposure = { pending: step.pending, round: step.round, outgoing: step.outgoing.length };
      exposures.set(party, [...(exposures.get(party) ?? []), exposure]);
    }
  };
  for (const [party, start] of starts) keep(party, start());
  while (mail.length > 0) {
    const first = theOne(mail[pick === undefined ? 0 : pick(mail.length)]);
    const forHim = mail.filter((message) => message.to === first.to && message !== first);
    const batch = [first, ...(pick === undefined ? [] : forHim.filter(() => pick(2) === 0))];
    if (pick !== undefined && pick(2) === 0) batch.reverse();
    mail = mail.filter((message) => !batch.includes(message));
    const state = states.get(first.to);
    if (state === undefined) continue;
    try {
      keep(first.to, state.advance(batch));
    } catch (error) {
      if (!(error instanceof KeepsetError)) throw error;
      if (isRefusal(error)) refusals.push([first.to, error]);
      else {
        failures.set(first.to, error);
        states.delete(first.to);
      }
    }
  }
  return { results, failures, refusals, waiting: states, sent, exposures };
};

/** The results of a run in which nothing went wrong. */
export const resultsOf = <R>(starts: Starts<R>, pick?: Pick): ReadonlyMap<PartyId, R> => {
  const ended = run(starts, pick === undefined ? {} : { pick });
  for (const error of ended.failures.values()) throw error;
  // In the order of the parties, not in that in which they finished.
  return new Map([...starts.keys()].map((party) => [party, theOne(ended.results.get(party))]));
};

const keys = new Map<string, ReadonlyMap<PartyId, KeyShare>>();

/** A `threshold`-of-`n` key of the first n parties, made once. */
export const keyOf = (scheme: FrostScheme, threshold: number, n: number): ReadonlyMap<PartyId, KeyShare> =>
  keyUnder(scheme, `thresh(${threshold},${partyNames.slice(0, n).join(',')})`, `${scheme} ${threshold} ${n}`);

/** A key under a policy, made once. */
export const keyUnder = (
  scheme: FrostScheme,
  policy: string,
  seed = `${scheme} ${policy}`,
): ReadonlyMap<PartyId, KeyShare> => {
  const made = keys.get(seed) ?? resultsOf(keygenUnder(scheme, policy, seed));
  keys.set(seed, made);
  return made;
};

/** The public half; throws unless all shares carry the same one. */
export const groupOf = (shares: ReadonlyMap<PartyId, KeyShare>): KeyShare['group'] => {
  const [first, ...others] = shares.values();
  const group = theOne(first).group;
  if (others.some((other) => JSON.stringify(other.group) !== JSON.stringify(group)))
    throw new Error('parties ended with different keys');
  return group;
};

/** A run that went well, to take apart: any party can be brought back to any of its rounds. */
export interface Rehearsal<R> {
  readonly results: ReadonlyMap<PartyId, R>;
  /** The messages `party` is sent in `round`. */
  inbox(party: PartyId, round: number): readonly ProtocolMessage[];
  /** `party`, awaiting `round`, having sent what it sent in the run. */
  at(party: PartyId, round: number): Running<R>;
}

export const rehearse = <R>(starts: Starts<R>): Rehearsal<R> => {
  const { sent, results } = run(starts);
  const inbox = (party: PartyId, round: number): ProtocolMessage[] =>
    sent.filter((message) => message.to === party && message.round === round);
  return {
    results,
    inbox,
    at: (party, round) => {
      let step = theOne(starts.get(party))();
      for (let before = 1; before < round; before += 1) {
        if (step.status === 'done') throw new Error('no such round');
        step = step.advance(inbox(party, before));
      }
      if (step.status === 'done') throw new Error('no such round');
      return step;
    },
  };
};

/** Lets `party` take `messages` in `round` and, if it survives, the honest rest. The error that ends it, or none. */
export const endOf = <R>(
  rehearsal: Rehearsal<R>,
  party: PartyId,
  round: number,
  messages: readonly ProtocolMessage[],
): KeepsetError | undefined => {
  try {
    let step = rehearsal.at(party, round).advance(messages);
    for (let later = round + 1; step.status === 'running'; later += 1)
      step = step.advance(rehearsal.inbox(party, later));
    return undefined;
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
};

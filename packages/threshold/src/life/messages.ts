/** What refresh, repair and reshare have in common: bodies, blame, the setups of pairs, the way a run ends. */
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  bytesOfLength,
  encodeCbor,
  type ErrorCode,
  type Schema,
} from '@keepset/bytes';
import { checkTranscripts, type Rng } from '../ceremony.ts';
import type { CurvePort, GroupPoint } from '../curve/port.ts';
import { decodeScalars } from '../curve/scalars.ts';
import { toAll, type Inbox, type Participation, type PartyId, type Transition } from '../machine.ts';
import type { LifeSuite, PairStep } from './suite.ts';

/** Body of a round in which a transcript is compared. */
interface Confirmation {
  readonly transcript: Uint8Array;
  readonly pair?: Uint8Array;
}

/** A body of exactly the fields that have a schema here: the others must be absent. */
export const bodySchema = <T extends object>(fields: {
  readonly [K in keyof T]-?: Schema<Exclude<T[K], undefined>> | undefined;
}): Schema<T> => {
  const present = Object.entries(fields).filter(([, schema]) => schema !== undefined);
  // An array or a byte string without elements would pass for an object without fields.
  const isMap = v.check(
    (value: unknown) => !Array.isArray(value) && !(value instanceof Uint8Array),
    'expected a map',
  );
  return v.pipe(
    v.unknown(),
    isMap,
    v.strictObject(Object.fromEntries(present) as v.ObjectEntries),
  ) as unknown as Schema<T>;
};

/** A part of a pair's setup. */
export const pairPart: Schema<Uint8Array> = bytesBetween(1, 256 * 1024);

const confirmationSchema = (hasPair: boolean): Schema<Confirmation> =>
  bodySchema<Confirmation>({ transcript: bytesOfLength(32), pair: hasPair ? pairPart : undefined });

/** @throws KeepsetError `bug/invariant` */
export const valueOf = <T>(map: ReadonlyMap<PartyId, T>, party: PartyId): T => {
  const value = map.get(party);
  if (value === undefined) throw new KeepsetError('bug/invariant', `Nothing known of ${party}.`);
  return value;
};

export const blame = (code: ErrorCode, culprit: PartyId, what: string): KeepsetError =>
  new KeepsetError(code, `${culprit} ${what}`, { culprits: [culprit] });

/** Decodes a point from a peer. @throws KeepsetError `abort/malformed-message` naming the peer */
export const readPoint = (curve: CurvePort, from: PartyId, bytes: Uint8Array): GroupPoint => {
  const point = curve.decodePoint(bytes);
  if (point === undefined) throw blame('abort/malformed-message', from, 'sent a point that is none.');
  return point;
};

/** Decodes scalars from a peer. @throws KeepsetError `abort/malformed-message` naming the peer */
export const readScalars = (
  curve: CurvePort,
  from: PartyId,
  bytes: Uint8Array,
  count: number,
): readonly bigint[] => {
  const scalars = decodeScalars(curve, bytes, count);
  if (scalars === undefined) throw blame('abort/malformed-message', from, 'sent a scalar out of range.');
  return scalars;
};

/** Steps of the pairwise setups of one party, by peer; empty for schemes without. */
export type PairSteps<T> = ReadonlyMap<PartyId, PairStep<T>>;

/** Starts a setup with each of `peers`. @param order the key's order of parties */
export const startPairs = <S>(
  suite: LifeSuite<S>,
  { context, me }: Participation,
  order: readonly PartyId[],
  peers: readonly PartyId[],
  rng: Rng,
): PairSteps<PairStep<PairStep<S>>> => {
  const { startPair } = suite;
  if (startPair === undefined) return new Map();
  return new Map(
    peers.map((peer) => {
      const isEarlier = order.indexOf(me) < order.indexOf(peer);
      return [peer, startPair({ context, me, peer, isEarlier }, rng)] as const;
    }),
  );
};

/** Feeds each setup the part that its peer sent in this round. */
export const advancePairs = <T>(
  pairs: PairSteps<T>,
  bodies: ReadonlyMap<PartyId, { readonly pair?: Uint8Array }>,
): ReadonlyMap<PartyId, T> =>
  new Map(
    [...pairs].map(([peer, step]) => {
      const theirs = bodies.get(peer)?.pair;
      if (theirs === undefined) throw new KeepsetError('bug/invariant', `No pair part from ${peer}.`);
      return [peer, step.next(theirs)] as const;
    }),
  );

/** How a run ends. */
export interface Ending<S, R> {
  readonly who: Participation;
  /** Hash of all that must be the same for everyone. */
  readonly transcript: Uint8Array;
  /** The last steps of the setups. */
  readonly pairs: PairSteps<S>;
  /** Builds what the party gets. */
  readonly finish: (states: ReadonlyMap<PartyId, S>) => R;
}

/** Rounds of a run: a scheme with pairwise state needs one more, to say that the setups came to an end. */
export const roundsFor = <S>(suite: LifeSuite<S>): number => (suite.startPair === undefined ? 3 : 4);

/**
 * The last round or two: everyone says what it saw, and nothing is accepted unless all saw the same. The result is
 * pending from the moment it is known.
 */
export const endRun = <S, R>(suite: LifeSuite<S>, ending: Ending<S, R>): Transition<R> => {
  const { who, transcript, pairs, finish } = ending;
  if (suite.startPair === undefined) return confirm(who, transcript, finish(new Map()));
  const bodyFor = (peer: PartyId): Uint8Array => encodeCbor({ transcript, pair: pairs.get(peer)?.part });
  return {
    send: new Map(who.peers.map((peer) => [peer, bodyFor(peer)] as const)),
    next: (inbox) => {
      const said = new Map(
        who.peers.map((peer) => [peer, inbox.read(peer, confirmationSchema(pairs.has(peer)))] as const),
      );
      checkSaid(transcript, said);
      return confirm(who, transcript, finish(advancePairs(pairs, said)));
    },
  };
};

const confirm = <R>(who: Participation, transcript: Uint8Array, result: R): Transition<R> => ({
  send: toAll(who.peers, encodeCbor({ transcript })),
  pending: result,
  next: (inbox: Inbox) => {
    checkSaid(
      transcript,
      new Map(who.peers.map((peer) => [peer, inbox.read(peer, confirmationSchema(false))] as const)),
    );
    return { result };
  },
});

const checkSaid = (transcript: Uint8Array, said: ReadonlyMap<PartyId, Confirmation>): void => {
  checkTranscripts(
    transcript,
    new Map([...said].map(([peer, confirmation]) => [peer, confirmation.transcript] as const)),
  );
};

/**
 * The one protocol behind refresh and reshare: dealers deal sharings of values that everyone can compute the images
 * of, and the holders add up what they are dealt.
 *
 * Round 1: randomness; a dealer's commitment to the images of its coefficients.
 * Round 2: the images opened, without that of the dealt value; the recipient's sub-shares.
 * Round 3: hash of the whole transcript. Only when all are equal is anything accepted.
 *
 * Rounds 1 to 3 also carry the fresh setups between holders of a scheme that needs them; a fourth round then says
 * that they came to an end.
 *
 * Commit-then-open keeps a dealer from choosing its coefficients after it has seen the others': the new sharing is
 * uniform as soon as one dealer is honest.
 */
import * as v from 'valibot';
import { KeepsetError, bytesEqual, bytesOfLength, encodeCbor, hashValue, type Schema } from '@keepset/bytes';
import { sessionIdOf, type Rng } from '../ceremony.ts';
import { groupFields } from '../codec.ts';
import type { GroupPoint } from '../curve/port.ts';
import { encodeScalars } from '../curve/scalars.ts';
import type { GroupKey } from '../key.ts';
import {
  startMachine,
  type Inbox,
  type Participation,
  type PartyId,
  type Step,
  type Transition,
} from '../machine.ts';
import {
  allImagesVarTime,
  dealTo,
  imagesVarTime,
  placesOf,
  sharesOf,
  sharingOf,
  type KeySharing,
} from '../sharing.ts';
import type { Reshared, Sharing } from './ceremony.ts';
import { pointOf } from './group.ts';
import {
  advancePairs,
  blame,
  bodySchema,
  endRun,
  pairPart,
  readPoint,
  readScalars,
  roundsFor,
  startPairs,
  valueOf,
  type PairSteps,
} from './messages.ts';
import type { LifeSuite, PairStep } from './suite.ts';

/** What is dealt, by whom, to whom. */
export interface Redealing<S, R> {
  readonly suite: LifeSuite<S>;
  /** Stands in every label. */
  readonly kind: 'refresh' | 'reshare';
  readonly context: Uint8Array;
  readonly me: PartyId;
  readonly dealers: readonly PartyId[];
  /** The key as it is. */
  readonly group: GroupKey;
  /** The key as it shall be shared; its parties are the holders. */
  readonly next: Sharing;
  /** Image of what a dealer deals. */
  readonly constantOf: (dealer: PartyId) => GroupPoint;
  /** What this party deals; undefined if it does not. */
  readonly constant: bigint | undefined;
  /** The own old sub-shares, where the dealt are added to them; else empty. */
  readonly base: readonly bigint[];
  /** Images of the coefficients that the dealt ones are added to, without the key's; empty where there are none. */
  readonly baseImages: readonly Uint8Array[];
  readonly finish: (outcome: Reshared) => R;
  readonly rng: Rng;
}

interface Run<S, R> extends Redealing<S, R> {
  readonly who: Participation;
  readonly sharing: KeySharing;
  /** Everyone, in the order in which transcripts name them: the dealers, then the other holders. */
  readonly participants: readonly PartyId[];
  readonly pairs: PairSteps<PairStep<PairStep<S>>>;
}

interface Round1 {
  readonly random: Uint8Array;
  /** From dealers. */
  readonly commitment?: Uint8Array;
  readonly pair?: Uint8Array;
}
interface Opening {
  /** Images of the coefficients but that of column 0. */
  readonly points: readonly Uint8Array[];
  readonly salt: Uint8Array;
}
interface Round2 extends Partial<Opening> {
  /** From dealers to holders. */
  readonly share?: Uint8Array;
  readonly pair?: Uint8Array;
}

const round1Schema = (fromDealer: boolean, hasPair: boolean): Schema<Round1> =>
  bodySchema<Round1>({
    random: bytesOfLength(32),
    commitment: fromDealer ? bytesOfLength(32) : undefined,
    pair: hasPair ? pairPart : undefined,
  });

const round2Schema = <S, R>(run: Run<S, R>, from: PartyId): Schema<Round2> => {
  const { suite, next, sharing, dealers, who, pairs } = run;
  const { curve } = suite;
  const isDealer = dealers.includes(from);
  // Exactly one for each column but the first: more would silently change the policy.
  const points = v.pipe(v.array(bytesOfLength(curve.pointBytes)), v.length(sharing.columns - 1));
  return bodySchema<Round2>({
    points: isDealer ? points : undefined,
    salt: isDealer ? bytesOfLength(32) : undefined,
    share:
      isDealer && next.parties.includes(who.me)
        ? bytesOfLength(32 * sharesOf(curve, next, who.me))
        : undefined,
    pair: pairs.has(from) ? pairPart : undefined,
  });
};

/** Starts the run. @throws KeepsetError later: `abort/*` naming the culprits. */
export const startRedealing = <S, R>(redealing: Redealing<S, R>): Step<R> => {
  const { suite, me, dealers, next } = redealing;
  const participants = [...dealers, ...next.parties.filter((party) => !dealers.includes(party))];
  const who: Participation = {
    context: redealing.context,
    me,
    peers: participants.filter((party) => party !== me),
    rounds: roundsFor(suite),
  };
  return startMachine(who, () => {
    const partners = next.parties.includes(me) ? next.parties.filter((party) => party !== me) : [];
    const pairs = startPairs(suite, who, next.parties, partners, redealing.rng);
    return round1({ ...redealing, who, sharing: sharingOf(suite.curve, next.policy), participants, pairs });
  });
};

const commitmentOf = <S, R>(
  { kind, context }: Run<S, R>,
  dealer: PartyId,
  { points, salt }: Opening,
): Uint8Array => hashValue(`keepset/${kind}/opening/v1`, { context, dealer, points, salt });

interface Own {
  readonly random: Uint8Array;
  readonly dealing?: {
    readonly coefficients: readonly bigint[];
    readonly opening: Opening;
    readonly commitment: Uint8Array;
  };
}

const round1 = <S, R>(run: Run<S, R>): Transition<R> => {
  const { suite, who, constant, sharing, rng, pairs } = run;
  const { curve } = suite;
  let own: Own = { random: rng(32) };
  if (constant !== undefined) {
    const coefficients = [
      constant,
      ...Array.from({ length: sharing.columns - 1 }, () => curve.randomScalar(rng)),
    ];
    const points = curve.encodePoints(coefficients.slice(1).map((c) => curve.multiplyGenerator(c)));
    const opening: Opening = { points, salt: rng(32) };
    own = { ...own, dealing: { coefficients, opening, commitment: commitmentOf(run, who.me, opening) } };
  }
  const bodyFor = (peer: PartyId): Uint8Array =>
    encodeCbor({
      random: own.random,
      commitment: own.dealing?.commitment,
      pair: pairs.get(peer)?.part,
    });
  return {
    send: new Map(who.peers.map((peer) => [peer, bodyFor(peer)] as const)),
    next: (inbox) => round2(run, own, inbox),
  };
};

const round2 = <S, R>(run: Run<S, R>, own: Own, inbox: Inbox): Transition<R> => {
  const { suite, who, dealers, next, sharing, pairs } = run;
  const { curve } = suite;
  const firsts = new Map<PartyId, Round1>();
  for (const peer of who.peers)
    firsts.set(peer, inbox.read(peer, round1Schema(dealers.includes(peer), pairs.has(peer))));
  const answered = advancePairs(pairs, firsts);
  const subShareFor = (peer: PartyId): Uint8Array | undefined =>
    own.dealing === undefined || !next.parties.includes(peer)
      ? undefined
      : encodeScalars(curve, dealTo(curve, sharing, peer, own.dealing.coefficients));
  const bodyFor = (peer: PartyId): Uint8Array =>
    encodeCbor({ ...own.dealing?.opening, share: subShareFor(peer), pair: answered.get(peer)?.part });
  return {
    send: new Map(who.peers.map((peer) => [peer, bodyFor(peer)] as const)),
    next: (seconds) => round3(run, own, { firsts, answered }, seconds),
  };
};

interface AfterRound1<S> {
  readonly firsts: ReadonlyMap<PartyId, Round1>;
  readonly answered: PairSteps<PairStep<S>>;
}

const round3 = <S, R>(
  run: Run<S, R>,
  own: Own,
  { firsts, answered }: AfterRound1<S>,
  inbox: Inbox,
): Transition<R> => {
  const { suite, who, next } = run;
  const seconds = new Map<PartyId, Round2>();
  for (const peer of who.peers) seconds.set(peer, inbox.read(peer, round2Schema(run, peer)));
  const { group, shares } = addUp(run, own, firsts, seconds);
  const finish = (states: ReadonlyMap<PartyId, S>): R => {
    if (shares === undefined) return run.finish({ group });
    const ordered = next.parties.flatMap((party) => {
      const state = states.get(party);
      return state === undefined ? [] : ([[party, state]] as const);
    });
    const secret = suite.sealSecret({ shares, pairs: new Map(ordered) });
    return run.finish({ group, share: { group, party: who.me, secret } });
  };
  const transcript = transcriptOf(run, own, firsts, seconds, group);
  return endRun(suite, { who, transcript, pairs: advancePairs(answered, seconds), finish });
};

/** Checks every opening and sub-share. @returns the new public data and, for a holder, its new sub-shares. */
const addUp = <S, R>(
  run: Run<S, R>,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
  seconds: ReadonlyMap<PartyId, Round2>,
): { readonly group: GroupKey; readonly shares: readonly bigint[] | undefined } => {
  const { suite, who, dealers, next, sharing } = run;
  const { curve } = suite;
  const isHolder = next.parties.includes(who.me);
  let shares = run.base;
  let images: readonly GroupPoint[] = Array.from({ length: sharing.columns - 1 }, (_, i) =>
    run.baseImages.length === 0 ? curve.identity : pointOf(curve, run.baseImages[i]),
  );
  for (const dealer of dealers) {
    const points =
      dealer === who.me
        ? ownImages(run, own)
        : openDealing(run, dealer, valueOf(firsts, dealer), valueOf(seconds, dealer));
    images = images.map((sum, i) => curve.add(sum, points[i] ?? curve.identity));
    if (!isHolder) continue;
    const dealt =
      dealer === who.me
        ? dealTo(curve, sharing, dealer, own.dealing?.coefficients ?? [])
        : checkedSubShares(run, dealer, points, valueOf(seconds, dealer));
    shares = dealt.map((scalar, i) => curve.reduce((shares[i] ?? 0n) + scalar));
  }
  return { group: nextGroup(run, images), shares: isHolder ? shares : undefined };
};

const ownImages = <S, R>({ suite }: Run<S, R>, own: Own): readonly GroupPoint[] =>
  (own.dealing?.opening.points ?? []).map((point) => pointOf(suite.curve, point));

const openDealing = <S, R>(
  run: Run<S, R>,
  dealer: PartyId,
  { commitment }: Round1,
  { points, salt }: Round2,
): readonly GroupPoint[] => {
  if (commitment === undefined || points === undefined || salt === undefined)
    throw new KeepsetError('bug/invariant', `${dealer} deals nothing.`);
  if (!bytesEqual(commitmentOf(run, dealer, { points, salt }), commitment))
    throw blame('abort/bad-commitment', dealer, 'opened something else than it committed to.');
  return points.map((bytes) => readPoint(run.suite.curve, dealer, bytes));
};

/** Feldman's check, with a dealt value that the dealer has no say in. */
const checkedSubShares = <S, R>(
  run: Run<S, R>,
  dealer: PartyId,
  points: readonly GroupPoint[],
  { share }: Round2,
): readonly bigint[] => {
  const { suite, who, sharing } = run;
  const { curve } = suite;
  if (share === undefined) throw new KeepsetError('bug/invariant', `${dealer} dealt no share.`);
  const places = placesOf(sharing, who.me);
  const scalars = readScalars(curve, dealer, share, places.length);
  const images = imagesVarTime(curve, sharing, places, [run.constantOf(dealer), ...points]);
  if (!images.every((image, i) => curve.equals(curve.multiplyGenerator(scalars[i] ?? 0n), image)))
    throw blame('abort/bad-share', dealer, 'dealt a share that does not fit its commitment.');
  return scalars;
};

const nextGroup = <S, R>(run: Run<S, R>, images: readonly GroupPoint[]): GroupKey => {
  const { suite, group, next, sharing } = run;
  const { curve } = suite;
  const coefficients = [pointOf(curve, group.publicKey), ...images];
  const verifying = allImagesVarTime(curve, sharing, coefficients);
  // Everything was committed to before anything was opened, so this happens by chance only: never.
  if ([...images, ...verifying].some((point) => curve.isIdentity(point)))
    throw new KeepsetError('abort/bad-share', 'The dealt shares do not make a sharing of the key.');
  return {
    ...group,
    epoch: group.epoch + 1,
    policy: next.policy,
    parties: [...next.parties],
    threshold: next.threshold,
    commitments: [group.publicKey, ...curve.encodePoints(images)],
    verifyingShares: curve.encodePoints(verifying),
  };
};

/** Hash of all that must be the same for everyone. */
const transcriptOf = <S, R>(
  run: Run<S, R>,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
  seconds: ReadonlyMap<PartyId, Round2>,
  group: GroupKey,
): Uint8Array => {
  const { kind, who, participants, dealers } = run;
  const randoms = participants.map((party) =>
    party === who.me ? own.random : valueOf(firsts, party).random,
  );
  const openings = dealers.map((dealer) => {
    const { points, salt } = dealer === who.me ? (own.dealing?.opening ?? {}) : valueOf(seconds, dealer);
    return { points, salt };
  });
  return hashValue(`keepset/${kind}/transcript/v1`, {
    session: sessionIdOf(who.context, participants, randoms),
    openings,
    group: groupFields(group),
  });
};

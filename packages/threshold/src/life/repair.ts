/**
 * Repair: a quorum of helpers gives one party its share of the present epoch again. Each lost sub-share is a weighted
 * sum of the helpers'. Each helper cuts what it contributes into random parts, one for each helper; each helper sends
 * the target only the sum of the parts it got. No helper learns another's share or the target's, the target learns
 * nothing but its own, and the key is never assembled. A helper that is not needed for the sum contributes zero.
 *
 * Round 1: randomness; from a helper the images of its parts, and to each helper its part.
 * Round 2: hash of the transcript; from a helper to the target the sum of the parts.
 * Round 3: hash of the transcript again: the target holds its share.
 *
 * A scheme with pairwise state sets it up anew between the target and each helper; a fourth round ends that.
 *
 * A repair revokes nothing: the share comes back as it was, and a stolen copy of it is as good. After a theft, refresh or
 * reshare.
 *
 * @spec eprint 2017/1155 (enrolment protocol), where the party enrolled is one that had a place before
 * @deviation The parts' images are published: everyone checks that they sum up to the image of what the
 * helper contributes, each helper checks the part it got, and the target checks each sum, so that a wrong value names its sender.
 */
import * as v from 'valibot';
import { KeepsetError, bytesOfLength, encodeCbor, hashValue, invariant, type Schema } from '@keepset/bytes';
import { checkTranscripts, sessionIdOf, systemRng } from '../ceremony.ts';
import type { GroupPoint } from '../curve/port.ts';
import { encodeScalars } from '../curve/scalars.ts';
import type { KeyShare } from '../key.ts';
import {
  startMachine,
  type Inbox,
  type Participation,
  type PartyId,
  type Step,
  type Transition,
} from '../machine.ts';
import { repairImagesVarTime, repairShares, sharesOf } from '../sharing.ts';
import { checkRepairParams, repairContext, type RepairParams } from './ceremony.ts';
import { isSecretOf, openChecked, pointOf } from './group.ts';
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
import type { LifeSuite, OpenSecret, PairStep } from './suite.ts';

interface Run<S> {
  readonly suite: LifeSuite<S>;
  readonly params: RepairParams;
  readonly who: Participation;
  /** The helpers, then the target. */
  readonly participants: readonly PartyId[];
  /** How many sub-shares the target has. */
  readonly count: number;
  /** A helper's own secret. */
  readonly secret: OpenSecret<S> | undefined;
  readonly pairs: PairSteps<PairStep<PairStep<S>>>;
}

interface Round1 {
  readonly random: Uint8Array;
  /** From helpers: images of the parts, in the order of the helpers, each helper's together. */
  readonly images?: readonly Uint8Array[];
  /** From helpers to helpers: one scalar for each sub-share of the target. */
  readonly part?: Uint8Array;
  readonly pair?: Uint8Array;
}
interface Round2 {
  readonly transcript: Uint8Array;
  /** From helpers to the target: one scalar for each of its sub-shares. */
  readonly sum?: Uint8Array;
  readonly pair?: Uint8Array;
}

const round1Schema = <S>({ suite, params, who, count, pairs }: Run<S>, from: PartyId): Schema<Round1> => {
  const { helpers, target } = params;
  const images = v.pipe(v.array(bytesOfLength(suite.curve.pointBytes)), v.length(helpers.length * count));
  return bodySchema<Round1>({
    random: bytesOfLength(32),
    images: from === target ? undefined : images,
    part: from === target || who.me === target ? undefined : bytesOfLength(32 * count),
    pair: pairs.has(from) ? pairPart : undefined,
  });
};

const round2Schema = <S>({ params, pairs, who, count }: Run<S>, from: PartyId): Schema<Round2> =>
  bodySchema<Round2>({
    transcript: bytesOfLength(32),
    sum: who.me === params.target ? bytesOfLength(32 * count) : undefined,
    pair: pairs.has(from) ? pairPart : undefined,
  });

/**
 * Starts a repair. The target's result is its share; a helper's is its own share, in which a scheme with pairwise
 * state has replaced what it keeps for the target.
 * @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, `abort/wrong-epoch`, `policy/unsatisfied`,
 * `place/damaged`; later `abort/*` naming the culprits.
 */
export const startRepair = <S>(suite: LifeSuite<S>, params: RepairParams): Step<KeyShare> => {
  checkRepairParams(suite, params);
  const { group, helpers, target, me, share, rng = systemRng } = params;
  const participants = [...helpers, target];
  const who: Participation = {
    context: repairContext(group, params),
    me,
    peers: participants.filter((party) => party !== me),
    rounds: roundsFor(suite),
  };
  const secret = share === undefined ? undefined : openChecked(suite, share);
  return startMachine(who, () => {
    const pairs = startPairs(suite, who, group.parties, me === target ? helpers : [target], rng);
    const count = sharesOf(suite.curve, group, target);
    return round1({ suite, params, who, participants, count, secret, pairs });
  });
};

interface Own {
  readonly random: Uint8Array;
  /** A helper's. */
  readonly cut?: Cut;
}

/** What a helper contributes, cut into parts. */
interface Cut {
  /** For each helper in order, and for each sub-share of the target. */
  readonly parts: readonly (readonly bigint[])[];
  readonly images: readonly Uint8Array[];
}

const cutShare = <S>({ suite, params, who, count }: Run<S>, secret: OpenSecret<S>): Cut => {
  const { curve } = suite;
  const { group, helpers, rng = systemRng } = params;
  const whole = repairShares(curve, group, params, who.me, secret.shares);
  const random = helpers.map((helper) =>
    Array.from({ length: count }, () => (helper === who.me ? 0n : curve.randomScalar(rng))),
  );
  const rest = whole.map((value, i) =>
    curve.reduce(value - random.reduce((sum, part) => sum + (part[i] ?? 0n), 0n)),
  );
  const parts = random.map((part, i) => (helpers[i] === who.me ? rest : part));
  const images = curve.encodePoints(parts.flat().map((part) => curve.multiplyGenerator(part)));
  return { parts, images };
};

const round1 = <S>(run: Run<S>): Transition<KeyShare> => {
  const { suite, params, who, secret, pairs } = run;
  const { helpers, target, rng = systemRng } = params;
  const random = rng(32);
  const own: Own = secret === undefined ? { random } : { random, cut: cutShare(run, secret) };
  const partFor = (peer: PartyId): Uint8Array | undefined => {
    const part = own.cut?.parts[helpers.indexOf(peer)];
    return part === undefined || peer === target ? undefined : encodeScalars(suite.curve, part);
  };
  const bodyFor = (peer: PartyId): Uint8Array =>
    encodeCbor({
      random,
      images: own.cut?.images,
      part: partFor(peer),
      pair: pairs.get(peer)?.part,
    });
  return {
    send: new Map(who.peers.map((peer) => [peer, bodyFor(peer)] as const)),
    next: (inbox) => round2(run, own, inbox),
  };
};

const round2 = <S>(run: Run<S>, own: Own, inbox: Inbox): Transition<KeyShare> => {
  const { suite, params, who, pairs } = run;
  const { curve } = suite;
  const { helpers, target } = params;
  const firsts = new Map<PartyId, Round1>();
  for (const peer of who.peers) firsts.set(peer, inbox.read(peer, round1Schema(run, peer)));
  const images = new Map<PartyId, readonly GroupPoint[]>();
  for (const helper of helpers)
    images.set(
      helper,
      helper === who.me
        ? (own.cut?.images ?? []).map((image) => pointOf(curve, image))
        : checkedImages(run, helper, valueOf(firsts, helper)),
    );
  const sum = own.cut === undefined ? undefined : sumOfParts(run, own.cut.parts, firsts, images);
  const answered = advancePairs(pairs, firsts);
  const transcript = transcriptOf(run, own, firsts);
  const bodyFor = (peer: PartyId): Uint8Array =>
    encodeCbor({ transcript, sum: peer === target ? sum : undefined, pair: answered.get(peer)?.part });
  return {
    send: new Map(who.peers.map((peer) => [peer, bodyFor(peer)] as const)),
    next: (seconds) => round3(run, { transcript, images, answered }, seconds),
  };
};

/** The images of a helper's parts must sum up to the images of what it contributes. */
const checkedImages = <S>(run: Run<S>, helper: PartyId, { images = [] }: Round1): readonly GroupPoint[] => {
  const { suite, params, count } = run;
  const { curve } = suite;
  const points = images.map((bytes) => readPoint(curve, helper, bytes));
  const contributed = repairImagesVarTime(curve, params.group, params, helper);
  const sums = sumsOf(run, points);
  invariant(contributed.length === count, 'There is one contribution for each sub-share.');
  if (!contributed.every((image, i) => curve.equals(image, sums[i] ?? curve.identity)))
    throw blame('abort/bad-commitment', helper, 'cut something else than its share.');
  return points;
};

/** Sums over the helpers, one for each sub-share of the target. */
const sumsOf = <S>(
  { suite: { curve }, count }: Run<S>,
  points: readonly GroupPoint[],
): readonly GroupPoint[] =>
  Array.from({ length: count }, (_, i) =>
    points.filter((_point, at) => at % count === i).reduce((a, b) => curve.add(a, b), curve.identity),
  );

/** What a helper tells the target. */
const sumOfParts = <S>(
  run: Run<S>,
  ownParts: readonly (readonly bigint[])[],
  firsts: ReadonlyMap<PartyId, Round1>,
  images: ReadonlyMap<PartyId, readonly GroupPoint[]>,
): Uint8Array => {
  const { suite, params, who, count } = run;
  const { curve } = suite;
  const mine = params.helpers.indexOf(who.me);
  let sums = ownParts[mine] ?? [];
  for (const helper of params.helpers) {
    if (helper === who.me) continue;
    const { part } = valueOf(firsts, helper);
    if (part === undefined) throw new KeepsetError('bug/invariant', `${helper} sent no part.`);
    const scalars = readScalars(curve, helper, part, count);
    const expected = partsFor(run, valueOf(images, helper), mine);
    if (
      !scalars.every((scalar, i) =>
        curve.equals(curve.multiplyGenerator(scalar), expected[i] ?? curve.identity),
      )
    )
      throw blame('abort/bad-share', helper, 'sent a part that does not fit its image.');
    sums = sums.map((sum, i) => curve.reduce(sum + (scalars[i] ?? 0n)));
  }
  return encodeScalars(curve, sums);
};

/** Of the images of a helper's parts those for one helper. */
const partsFor = <S>(
  { count }: Run<S>,
  images: readonly GroupPoint[],
  index: number,
): readonly GroupPoint[] => images.slice(index * count, (index + 1) * count);

const transcriptOf = <S>(
  { params, who, participants }: Run<S>,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
): Uint8Array =>
  hashValue('keepset/repair/transcript/v1', {
    session: sessionIdOf(
      who.context,
      participants,
      participants.map((party) => (party === who.me ? own.random : valueOf(firsts, party).random)),
    ),
    images: params.helpers.map(
      (helper) => (helper === who.me ? own.cut?.images : valueOf(firsts, helper).images) ?? [],
    ),
  });

interface AfterRound1<S> {
  readonly transcript: Uint8Array;
  /** Of every helper's parts. */
  readonly images: ReadonlyMap<PartyId, readonly GroupPoint[]>;
  readonly answered: PairSteps<PairStep<S>>;
}

const round3 = <S>(
  run: Run<S>,
  { transcript, images, answered }: AfterRound1<S>,
  inbox: Inbox,
): Transition<KeyShare> => {
  const { suite, params, who } = run;
  const seconds = new Map<PartyId, Round2>();
  for (const peer of who.peers) seconds.set(peer, inbox.read(peer, round2Schema(run, peer)));
  checkTranscripts(
    transcript,
    new Map([...seconds].map(([peer, second]) => [peer, second.transcript] as const)),
  );
  const finish =
    who.me === params.target
      ? targetShare(run, images, seconds)
      : (states: ReadonlyMap<PartyId, S>) => helperShare(run, states);
  return endRun(suite, { who, transcript, pairs: advancePairs(answered, seconds), finish });
};

/** Checks every helper's sums and adds them up. @returns what makes the target's share once the pairs are set up */
const targetShare = <S>(
  run: Run<S>,
  images: ReadonlyMap<PartyId, readonly GroupPoint[]>,
  seconds: ReadonlyMap<PartyId, Round2>,
): ((states: ReadonlyMap<PartyId, S>) => KeyShare) => {
  const { suite, params, who, count } = run;
  const { curve } = suite;
  const { group, helpers } = params;
  let shares: readonly bigint[] = Array.from({ length: count }, () => 0n);
  helpers.forEach((helper, index) => {
    const { sum } = valueOf(seconds, helper);
    if (sum === undefined) throw new KeepsetError('bug/invariant', `${helper} sent no sum.`);
    const scalars = readScalars(curve, helper, sum, count);
    const expected = sumsOf(
      run,
      [...images.values()].flatMap((points) => partsFor(run, points, index)),
    );
    if (!expected.every((image, i) => curve.equals(curve.multiplyGenerator(scalars[i] ?? 0n), image)))
      throw blame('abort/bad-share', helper, 'sent a sum that does not fit its parts.');
    shares = shares.map((share, i) => curve.reduce(share + (scalars[i] ?? 0n)));
  });
  // Follows from the checks above: all images together are the target's verifying shares.
  invariant(isSecretOf(curve, group, who.me, shares), 'The repaired share is another one.');
  return (pairs) => ({ group, party: who.me, secret: suite.sealSecret({ shares, pairs }) });
};

/** A helper's share, with what it keeps for the target renewed. */
const helperShare = <S>({ suite, params, secret }: Run<S>, states: ReadonlyMap<PartyId, S>): KeyShare => {
  const { share } = params;
  if (share === undefined || secret === undefined)
    throw new KeepsetError('bug/invariant', 'A helper has a share.');
  if (states.size === 0) return share;
  const pairs = new Map(
    params.group.parties.flatMap((party) => {
      const state = states.get(party) ?? secret.pairs.get(party);
      return state === undefined ? [] : ([[party, state]] as const);
    }),
  );
  return { ...share, secret: suite.sealSecret({ ...secret, pairs }) };
};

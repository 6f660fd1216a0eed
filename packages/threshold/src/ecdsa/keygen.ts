/**
 * Distributed key generation for ECDSA: a relaxed (proof-free) commit-and-open dealing, and with every peer the
 * setup that signing needs.
 *
 * Round 1: randomness; commitments to the images of the coefficients and the chain-code part, and to each peer's
 * sub-shares.
 * Round 2: all of it opened.
 * Round 3: hash of what was seen. Rounds 1 to 3 also carry the three messages of each pair's setup.
 * Round 4: the share is held. Only when everyone holds one is the key accepted.
 *
 * @spec eprint 2023/765 Protocol 7.1, with the echo broadcast in round 3
 * @deviation Each dealer's sub-share is checked against that dealer's images (Feldman) and not only the sum, so
 * that a wrong one names its dealer. A key of this protocol must not be used for Schnorr signatures: there is no
 * proof of possession.
 */
import { KeepsetError, bytesEqual, encodeCbor, hashValue, type CborValue } from '@keepset/bytes';
import {
  checkKeygenParams,
  checkTranscripts,
  keygenContext,
  sessionIdOf,
  systemRng,
  type KeygenParams,
} from '../ceremony.ts';
import type { GroupPoint } from '../curve/port.ts';
import { decodeScalars, encodeScalars } from '../curve/scalars.ts';
import { keyIdOf, type GroupKey, type KeyShare } from '../key.ts';
import {
  startMachine,
  toAll,
  type Inbox,
  type Participation,
  type PartyId,
  type Step,
  type Transition,
} from '../machine.ts';
import { allImagesVarTime, dealTo, imagesVarTime, placesOf, sharingOf, type KeySharing } from '../sharing.ts';
import {
  round1Schema,
  round2Schema,
  round3Schema,
  round4Schema,
  type Opening,
  type PairOpening,
  type Round1,
  type Round2,
} from './keygen-messages.ts';
import type { BaseOtRequest } from './ot-base.ts';
import {
  answerSetup,
  completeSetup,
  finishSetup,
  requestSetup,
  setupIdOf,
  type AnsweredSetup,
  type PairDirections,
  type PairNames,
} from './pair-setup.ts';
import { encodeSecret, type PairState } from './secret.ts';
import type { EcdsaSuite } from './suites.ts';

/** The run as seen by one party. */
interface Run {
  readonly suite: EcdsaSuite;
  readonly params: KeygenParams;
  readonly sharing: KeySharing;
  readonly who: Participation;
}

/** What a party made in round 1. */
interface Own {
  readonly random: Uint8Array;
  readonly commitment: Uint8Array;
  readonly opening: Opening;
  readonly coefficients: readonly bigint[];
  readonly pairOpenings: ReadonlyMap<PartyId, PairOpening>;
  readonly requests: ReadonlyMap<PartyId, BaseOtRequest>;
}

/**
 * Starts a key generation for an ECDSA scheme. The form of the result's secret is in secret.ts.
 * @throws KeepsetError `input/invalid-argument`; later `abort/*` naming the culprits.
 */
export const startEcdsaKeygen = (suite: EcdsaSuite, params: KeygenParams): Step<KeyShare> => {
  checkKeygenParams(params);
  if (params.scheme !== suite.scheme)
    throw new KeepsetError(
      'input/invalid-argument',
      `This makes ${suite.scheme} keys, not ${params.scheme}.`,
    );
  const who: Participation = {
    context: keygenContext(params),
    me: params.me,
    peers: params.parties.filter((party) => party !== params.me),
    rounds: 4,
  };
  const run: Run = { suite, params, sharing: sharingOf(suite.curve, params.policy), who };
  return startMachine(who, () => round1(run));
};

const isEarlier = ({ params }: Run, party: PartyId, other: PartyId): boolean =>
  params.parties.indexOf(party) < params.parties.indexOf(other);

const pairOf = (run: Run, peer: PartyId): PairNames =>
  isEarlier(run, run.who.me, peer)
    ? { context: run.who.context, earlier: run.who.me, later: peer }
    : { context: run.who.context, earlier: peer, later: run.who.me };

const commitmentOf = (run: Run, party: PartyId, { points, chainPart, salt }: Opening): Uint8Array =>
  hashValue('keepset/ecdsa/keygen/opening/v1', { context: run.who.context, party, points, chainPart, salt });

const pairCommitmentOf = (
  run: Run,
  from: PartyId,
  to: PartyId,
  { share, zeroPart, pairSalt }: PairOpening,
): Uint8Array =>
  hashValue('keepset/ecdsa/keygen/pair-opening/v1', {
    context: run.who.context,
    from,
    to,
    share,
    zeroPart,
    pairSalt,
  });

const valueOf = <T>(map: ReadonlyMap<PartyId, T>, party: PartyId): T => {
  const value = map.get(party);
  if (value === undefined) throw new KeepsetError('bug/invariant', `Nothing known of ${party}.`);
  return value;
};

const blame = (
  code: 'abort/malformed-message' | 'abort/bad-proof' | 'abort/bad-share' | 'abort/bad-commitment',
  culprit: PartyId,
  what: string,
): KeepsetError => new KeepsetError(code, `${culprit} ${what}`, { culprits: [culprit] });

const round1 = (run: Run): Transition<KeyShare> => {
  const { suite, params, sharing, who } = run;
  const { curve } = suite;
  const rng = params.rng ?? systemRng;
  const random = rng(32);
  const coefficients = Array.from({ length: sharing.columns }, () => curve.randomScalar(rng));
  const opening: Opening = {
    points: curve.encodePoints(coefficients.map((coefficient) => curve.multiplyGenerator(coefficient))),
    chainPart: rng(32),
    salt: rng(32),
  };
  const commitment = commitmentOf(run, who.me, opening);
  const pairOpenings = new Map<PartyId, PairOpening>();
  const requests = new Map<PartyId, BaseOtRequest>();
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const pairOpening: PairOpening = {
      share: encodeScalars(curve, dealTo(curve, sharing, peer, coefficients)),
      zeroPart: rng(32),
      pairSalt: rng(32),
    };
    pairOpenings.set(peer, pairOpening);
    if (isEarlier(run, who.me, peer)) requests.set(peer, requestSetup(suite, pairOf(run, peer), random, rng));
    const pairCommitment = pairCommitmentOf(run, who.me, peer, pairOpening);
    send.set(peer, encodeCbor({ random, commitment, pairCommitment, request: requests.get(peer)?.message }));
  }
  const own: Own = { random, commitment, opening, coefficients, pairOpenings, requests };
  return { send, next: (inbox) => round2(run, own, inbox) };
};

/** The random contributions of a pair, the earlier party's first. */
const contributionsOf = (
  run: Run,
  own: Own,
  peer: PartyId,
  theirs: Uint8Array,
): readonly [Uint8Array, Uint8Array] =>
  isEarlier(run, run.who.me, peer) ? [own.random, theirs] : [theirs, own.random];

const round2 = (run: Run, own: Own, inbox: Inbox): Transition<KeyShare> => {
  const { suite, params, who } = run;
  const firsts = new Map<PartyId, Round1>();
  for (const peer of who.peers)
    firsts.set(peer, inbox.read(peer, round1Schema(suite.curve.pointBytes, isEarlier(run, peer, who.me))));
  const answered = new Map<PartyId, AnsweredSetup>();
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const { random, request } = valueOf(firsts, peer);
    if (request !== undefined) {
      const contributions = contributionsOf(run, own, peer, random);
      const answer = answerSetup(suite, pairOf(run, peer), contributions, request, params.rng ?? systemRng);
      if (answer === undefined)
        throw blame('abort/malformed-message', peer, 'sent points that are none for the base OTs.');
      answered.set(peer, answer);
    }
    send.set(
      peer,
      encodeCbor({
        ...own.opening,
        ...valueOf(own.pairOpenings, peer),
        setup: toCbor(answered.get(peer)?.message),
      }),
    );
  }
  return { send, next: (next) => round3(run, own, { firsts, answered }, next) };
};

const toCbor = (fields: object | undefined): CborValue | undefined =>
  fields === undefined ? undefined : { ...(fields as { readonly [key: string]: Uint8Array }) };

interface AfterRound1 {
  readonly firsts: ReadonlyMap<PartyId, Round1>;
  readonly answered: ReadonlyMap<PartyId, AnsweredSetup>;
}

const round3 = (run: Run, own: Own, before: AfterRound1, inbox: Inbox): Transition<KeyShare> => {
  const { suite, sharing, who } = run;
  const { curve } = suite;
  const count = placesOf(sharing, who.me).length;
  const seconds = new Map<PartyId, Round2>();
  for (const peer of who.peers)
    seconds.set(
      peer,
      inbox.read(peer, round2Schema(curve.pointBytes, sharing.columns, count, isEarlier(run, peer, who.me))),
    );
  const dealt = openDealings(run, own, before.firsts, seconds);
  const group = groupOf(run, own, seconds, dealt.commitments);
  const transcript = transcriptOf(run, own, before.firsts, seconds, group);

  const completed = new Map<PartyId, PairDirections>();
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const { setup } = valueOf(seconds, peer);
    if (setup === undefined) {
      send.set(peer, encodeCbor({ transcript }));
      continue;
    }
    const contributions = contributionsOf(run, own, peer, valueOf(before.firsts, peer).random);
    const done = completeSetup(suite, pairOf(run, peer), contributions, valueOf(own.requests, peer), setup);
    if (done === undefined) throw blame('abort/bad-proof', peer, 'failed a check of the OT setup.');
    completed.set(peer, done.directions);
    send.set(peer, encodeCbor({ transcript, setup: toCbor(done.message) }));
  }
  const after: AfterRound2 = { ...before, seconds, completed, group, transcript, shares: dealt.shares };
  return { send, next: (next) => round4(run, own, after, next) };
};

interface AfterRound2 extends AfterRound1 {
  readonly seconds: ReadonlyMap<PartyId, Round2>;
  readonly completed: ReadonlyMap<PartyId, PairDirections>;
  readonly group: GroupKey;
  readonly transcript: Uint8Array;
  readonly shares: readonly bigint[];
}

/** Checks all openings and sub-shares. @returns the own sub-shares and the images of the joint coefficients. */
const openDealings = (
  run: Run,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
  seconds: ReadonlyMap<PartyId, Round2>,
): { readonly shares: readonly bigint[]; readonly commitments: readonly GroupPoint[] } => {
  const { suite, sharing, who } = run;
  const { curve } = suite;
  const places = placesOf(sharing, who.me);
  let shares = dealTo(curve, sharing, who.me, own.coefficients);
  let commitments = own.coefficients.map((coefficient) => curve.multiplyGenerator(coefficient));
  for (const peer of who.peers) {
    const first = valueOf(firsts, peer);
    const second = valueOf(seconds, peer);
    if (
      !bytesEqual(commitmentOf(run, peer, second), first.commitment) ||
      !bytesEqual(pairCommitmentOf(run, peer, who.me, second), first.pairCommitment)
    )
      throw blame('abort/bad-commitment', peer, 'opened something else than it committed to.');
    const images = second.points.map((bytes) => {
      const point = curve.decodePoint(bytes);
      if (point === undefined) throw blame('abort/malformed-message', peer, 'dealt a point that is none.');
      return point;
    });
    const dealt = decodeScalars(curve, second.share, places.length);
    if (dealt === undefined) throw blame('abort/malformed-message', peer, 'dealt a share that is no scalar.');
    const expected = imagesVarTime(curve, sharing, places, images);
    if (!expected.every((image, i) => curve.equals(curve.multiplyGenerator(dealt[i] ?? 0n), image)))
      throw blame('abort/bad-share', peer, 'dealt a share that does not fit its commitment.');
    shares = shares.map((sum, i) => curve.reduce(sum + (dealt[i] ?? 0n)));
    commitments = commitments.map((sum, i) => curve.add(sum, images[i] ?? curve.identity));
  }
  return { shares, commitments };
};

const groupOf = (
  run: Run,
  own: Own,
  seconds: ReadonlyMap<PartyId, Round2>,
  commitments: readonly GroupPoint[],
): GroupKey => {
  const { suite, params, who } = run;
  const { curve } = suite;
  const images = allImagesVarTime(curve, run.sharing, commitments);
  // Everything was committed to before anything was opened, so this happens by chance only: never.
  if ([...commitments, ...images].some((point) => curve.isIdentity(point)))
    throw new KeepsetError('abort/bad-share', 'The dealt shares do not make a key.');
  const encoded = curve.encodePoints(commitments);
  const publicKey = encoded[0] as Uint8Array;
  const parts = params.parties.map((party) =>
    party === who.me ? own.opening.chainPart : valueOf(seconds, party).chainPart,
  );
  return {
    scheme: suite.scheme,
    keyId: keyIdOf(suite.scheme, publicKey),
    epoch: 0,
    policy: params.policy,
    parties: [...params.parties],
    threshold: params.threshold,
    publicKey,
    commitments: encoded,
    verifyingShares: curve.encodePoints(images),
    chainCode: hashValue('keepset/keygen/chain-code/v1', { parts }),
  };
};

/** Hash of all that must be the same for everyone. */
const transcriptOf = (
  run: Run,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
  seconds: ReadonlyMap<PartyId, Round2>,
  group: GroupKey,
): Uint8Array => {
  const { params, who } = run;
  const ofParty = (party: PartyId): { random: Uint8Array; commitment: Uint8Array; opening: Opening } =>
    party === who.me
      ? { random: own.random, commitment: own.commitment, opening: own.opening }
      : { ...valueOf(firsts, party), opening: valueOf(seconds, party) };
  const all = params.parties.map(ofParty);
  return hashValue('keepset/ecdsa/keygen/transcript/v1', {
    session: sessionIdOf(
      who.context,
      params.parties,
      all.map(({ random }) => random),
    ),
    commitments: all.map(({ commitment }) => commitment),
    openings: all.map(({ opening: { points, chainPart, salt } }) => ({ points, chainPart, salt })),
    publicKey: group.publicKey,
    verifyingShares: group.verifyingShares,
    chainCode: group.chainCode,
  });
};

const round4 = (run: Run, own: Own, before: AfterRound2, inbox: Inbox): Transition<KeyShare> => {
  const { suite, who } = run;
  const thirds = who.peers.map(
    (peer) => [peer, inbox.read(peer, round3Schema(isEarlier(run, peer, who.me)))] as const,
  );
  checkTranscripts(
    before.transcript,
    new Map(thirds.map(([peer, { transcript }]) => [peer, transcript] as const)),
  );
  const pairs = new Map<PartyId, PairState>();
  for (const [peer, { setup }] of thirds) {
    const contributions = contributionsOf(run, own, peer, valueOf(before.firsts, peer).random);
    const directions =
      setup === undefined
        ? valueOf(before.completed, peer)
        : finishSetup(suite, pairOf(run, peer), contributions, valueOf(before.answered, peer), setup);
    if (directions === undefined) throw blame('abort/bad-proof', peer, 'failed a check of the OT setup.');
    const parts = [valueOf(own.pairOpenings, peer).zeroPart, valueOf(before.seconds, peer).zeroPart];
    if (!isEarlier(run, who.me, peer)) parts.reverse();
    const zeroSeed = hashValue('keepset/ecdsa/zero-seed/v1', {
      setup: setupIdOf(pairOf(run, peer), contributions),
      parts,
    });
    pairs.set(peer, { zeroSeed, ...directions });
  }
  const share: KeyShare = {
    group: before.group,
    party: who.me,
    secret: encodeSecret(suite.curve, { shares: before.shares, pairs }),
  };
  return {
    send: toAll(who.peers, encodeCbor({ transcript: before.transcript })),
    pending: share,
    next: (confirmations) => {
      const said = who.peers.map(
        (peer) => [peer, confirmations.read(peer, round4Schema).transcript] as const,
      );
      checkTranscripts(before.transcript, new Map(said));
      return { result: share };
    },
  };
};

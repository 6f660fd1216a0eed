/**
 * Distributed key generation for the Schnorr schemes and `ecdh-p256`: FROST's DKG over the sharing matrix of a policy, between an
 * exchange that agrees a chain code and a last round in which all parties compare what they saw.
 *
 * Round 1: randomness, images of the coefficients, proof of possession, commitment to the chain-code part.
 * Round 2: the recipient's sub-shares, the chain-code part opened.
 * Round 3: hash of the whole transcript. Only when all are equal is the key accepted.
 *
 * @spec eprint 2020/852 (FROST) Figure 1
 */
import * as v from 'valibot';
import {
  KeepsetError,
  Secret,
  bytesEqual,
  bytesOfLength,
  encodeCbor,
  hashValue,
  type Schema,
} from '@keepset/bytes';
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
import { deal, forgetDealing, provenImages, type Dealing } from './dealing.ts';
import type { ScalarSuite } from './suites.ts';

/** The run as seen by one party. */
interface Run {
  readonly suite: ScalarSuite;
  readonly params: KeygenParams;
  readonly sharing: KeySharing;
  readonly who: Participation;
}

interface Round1 {
  readonly random: Uint8Array;
  readonly commitments: Uint8Array[];
  readonly proof: Uint8Array;
  readonly chainCommitment: Uint8Array;
}
interface Round2 {
  readonly share: Uint8Array;
  readonly chainPart: Uint8Array;
}
interface Round3 {
  readonly transcript: Uint8Array;
}

const round1Schema = ({ suite: { curve }, sharing }: Run): Schema<Round1> =>
  v.strictObject({
    random: bytesOfLength(32),
    // Exactly one for each column: more would silently change the policy.
    commitments: v.pipe(v.array(bytesOfLength(curve.pointBytes)), v.length(sharing.columns)),
    // R ‖ z
    proof: bytesOfLength(curve.pointBytes + 32),
    chainCommitment: bytesOfLength(32),
  });
const round2Schema = ({ sharing, who }: Run): Schema<Round2> =>
  v.strictObject({
    share: bytesOfLength(32 * placesOf(sharing, who.me).length),
    chainPart: bytesOfLength(32),
  });
const round3Schema: Schema<Round3> = v.strictObject({ transcript: bytesOfLength(32) });

/**
 * Starts a key generation for a Schnorr scheme or `ecdh-p256`. The result's secret is the party's sub-shares.
 * @throws KeepsetError `input/invalid-argument`, `policy/syntax`, `policy/unsupported`; later `abort/*` naming the culprits.
 */
export const startFrostKeygen = (suite: ScalarSuite, params: KeygenParams): Step<KeyShare> => {
  checkKeygenParams(params);
  if (params.scheme !== suite.scheme)
    throw new KeepsetError(
      'input/invalid-argument',
      `This makes ${suite.scheme} keys, not ${params.scheme}.`,
    );
  const context = keygenContext(params);
  const who: Participation = {
    context,
    me: params.me,
    peers: params.parties.filter((p) => p !== params.me),
    rounds: 3,
  };
  const run: Run = { suite, params, sharing: sharingOf(suite.curve, params.policy), who };
  return startMachine(who, () => round1(run));
};

const identifierOf = ({ params }: Run, party: PartyId): number => params.parties.indexOf(party) + 1;

const chainCommitmentOf = (context: Uint8Array, party: PartyId, chainPart: Uint8Array): Uint8Array =>
  hashValue('keepset/keygen/chain-part/v1', { context, party, chainPart });

interface Own {
  readonly dealing: Dealing;
  readonly message: Round1;
  readonly chainPart: Uint8Array;
}

const round1 = (run: Run): Transition<KeyShare> => {
  const { suite, params, sharing, who } = run;
  const rng = params.rng ?? systemRng;
  const random = rng(32);
  const chainPart = rng(32);
  const dealing = deal(suite, sharing.columns, identifierOf(run, who.me), rng);
  const message: Round1 = {
    random,
    commitments: dealing.commitments,
    proof: dealing.proof,
    chainCommitment: chainCommitmentOf(who.context, who.me, chainPart),
  };
  const own: Own = { dealing, message, chainPart };
  return {
    send: toAll(who.peers, encodeCbor({ ...message })),
    next: (inbox) => forgetIfThrown(own, () => round2(run, own, inbox)),
  };
};

/** What the sharing is made of goes as soon as it is no longer needed, here because the run ended. */
const forgetIfThrown = <T>({ dealing }: Own, step: () => T): T => {
  try {
    return step();
  } catch (error) {
    forgetDealing(dealing);
    throw error;
  }
};

const round2 = (run: Run, own: Own, inbox: Inbox): Transition<KeyShare> => {
  const { suite, sharing, who } = run;
  const firsts = new Map<PartyId, Round1>();
  for (const peer of who.peers) firsts.set(peer, inbox.read(peer, round1Schema(run)));
  const images = checkProofs(run, firsts);
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const share = encodeScalars(suite.curve, dealTo(suite.curve, sharing, peer, own.dealing.coefficients));
    send.set(peer, encodeCbor({ share, chainPart: own.chainPart }));
    share.fill(0);
  }
  return { send, next: (next) => forgetIfThrown(own, () => round3(run, own, { firsts, images }, next)) };
};

/** @returns the images of every peer's coefficients */
const checkProofs = (
  run: Run,
  firsts: ReadonlyMap<PartyId, Round1>,
): ReadonlyMap<PartyId, readonly GroupPoint[]> => {
  const images = new Map<PartyId, readonly GroupPoint[]>();
  for (const [peer, first] of firsts) {
    const proven = provenImages(run.suite, identifierOf(run, peer), first);
    if (proven !== undefined) images.set(peer, proven);
  }
  const culprits = run.who.peers.filter((peer) => !images.has(peer));
  if (culprits.length > 0)
    throw new KeepsetError('abort/bad-proof', 'A commitment or its proof of possession is wrong.', {
      culprits,
    });
  return images;
};

interface AfterRound1 {
  readonly firsts: ReadonlyMap<PartyId, Round1>;
  /** Of every peer's coefficients. */
  readonly images: ReadonlyMap<PartyId, readonly GroupPoint[]>;
}

const round3 = (run: Run, own: Own, before: AfterRound1, inbox: Inbox): Transition<KeyShare> => {
  const { params, who } = run;
  const { firsts } = before;
  const seconds = new Map<PartyId, Round2>();
  for (const peer of who.peers) seconds.set(peer, inbox.read(peer, round2Schema(run)));
  const shares = addUp(run, own, before, seconds);
  const chainParts = params.parties.map((party) =>
    party === who.me ? own.chainPart : valueOf(seconds, party).chainPart,
  );
  const group = groupOf(run, own, before, chainParts);
  forgetDealing(own.dealing);
  for (const { share } of seconds.values()) share.fill(0);
  const share: KeyShare = {
    group,
    party: who.me,
    secret: new Secret(encodeScalars(run.suite.curve, shares)),
  };
  const ordered = params.parties.map((party) => (party === who.me ? own.message : valueOf(firsts, party)));
  const session = sessionIdOf(
    who.context,
    params.parties,
    ordered.map((message) => message.random),
  );
  const transcript = hashValue('keepset/keygen/transcript/v1', {
    session,
    round1: ordered.map((message) => ({ ...message })),
    chainParts,
    publicKey: group.publicKey,
    verifyingShares: group.verifyingShares,
  });
  return {
    send: toAll(who.peers, encodeCbor({ transcript })),
    pending: share,
    next: (confirmations) => {
      const said = who.peers.map(
        (peer) => [peer, confirmations.read(peer, round3Schema).transcript] as const,
      );
      checkTranscripts(transcript, new Map(said));
      return { result: share };
    },
  };
};

const valueOf = <T>(map: ReadonlyMap<PartyId, T>, party: PartyId): T => {
  const value = map.get(party);
  if (value === undefined) throw new KeepsetError('bug/invariant', `Nothing received from ${party}.`);
  return value;
};

/**
 * Checks every opening and every sub-share. @returns the own sub-shares of the key
 * @spec RFC 9591 Appendix C.2 vss_verify
 */
const addUp = (
  { suite: { curve }, sharing, who }: Run,
  { dealing }: Own,
  { firsts, images }: AfterRound1,
  seconds: ReadonlyMap<PartyId, Round2>,
): readonly bigint[] => {
  const places = placesOf(sharing, who.me);
  let shares = dealTo(curve, sharing, who.me, dealing.coefficients);
  for (const peer of who.peers) {
    const { share, chainPart } = valueOf(seconds, peer);
    if (!bytesEqual(chainCommitmentOf(who.context, peer, chainPart), valueOf(firsts, peer).chainCommitment))
      throw new KeepsetError(
        'abort/bad-commitment',
        `${peer} opened another chain-code part than it committed to.`,
        { culprits: [peer] },
      );
    const dealt = decodeScalars(curve, share, places.length);
    const expected = imagesVarTime(curve, sharing, places, valueOf(images, peer));
    if (
      dealt === undefined ||
      !expected.every((image, i) => curve.equals(curve.multiplyGenerator(dealt[i] ?? 0n), image))
    )
      throw new KeepsetError('abort/bad-share', `${peer} dealt a share that does not fit its commitment.`, {
        culprits: [peer],
      });
    shares = shares.map((sum, i) => curve.reduce(sum + (dealt[i] ?? 0n)));
  }
  return shares;
};

const groupOf = (
  { suite, params, sharing }: Run,
  own: Own,
  { images }: AfterRound1,
  chainParts: readonly Uint8Array[],
): GroupKey => {
  const { curve, scheme } = suite;
  const commitments = own.dealing.coefficients.map((coefficient, column) =>
    [...images.values()].reduce(
      (sum, points) => curve.add(sum, points[column] ?? curve.identity),
      curve.multiplyGenerator(coefficient),
    ),
  );
  const verifying = allImagesVarTime(curve, sharing, commitments);
  // Every part was checked alone: what can still go wrong is a sum that is nothing. Only parties that conspired can
  // bring that about, and nothing shows which.
  if ([...commitments, ...verifying].some((point) => curve.isIdentity(point)))
    throw new KeepsetError('abort/bad-share', 'The dealt shares do not make a key.');
  const encoded = curve.encodePoints(commitments);
  const [publicKey = new Uint8Array()] = encoded;
  return {
    scheme,
    keyId: keyIdOf(scheme, publicKey),
    epoch: 0,
    policy: params.policy,
    parties: [...params.parties],
    threshold: params.threshold,
    publicKey,
    commitments: encoded,
    verifyingShares: curve.encodePoints(verifying),
    chainCode: hashValue('keepset/keygen/chain-code/v1', { parts: [...chainParts] }),
  };
};

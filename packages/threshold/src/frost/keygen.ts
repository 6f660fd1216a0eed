/**
 * Distributed key generation for the schemes whose shares are plain scalars: FROST's DKG in the form of its authors' library, between
 * an exchange that agrees a chain code and a last round in which all parties compare what they saw.
 *
 * Round 1: randomness, commitment to the polynomial, proof of possession, commitment to the chain-code part.
 * Round 2: the recipient's sub-share, the chain-code part opened.
 * Round 3: hash of the whole transcript. Only when all are equal is the key accepted.
 */
import * as v from 'valibot';
import type { DKG_Round1, DKG_Secret, Key } from '@noble/curves/abstract/frost.js';
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
import { groupPoint, type ScalarSuite } from './suites.ts';

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

const round1Schema = (suite: ScalarSuite, threshold: number): Schema<Round1> =>
  v.strictObject({
    random: bytesOfLength(32),
    // Exactly the threshold: a longer polynomial would silently raise it.
    commitments: v.pipe(v.array(bytesOfLength(suite.pointBytes)), v.length(threshold)),
    // R ‖ z
    proof: bytesOfLength(suite.pointBytes + 32),
    chainCommitment: bytesOfLength(32),
  });
const round2Schema: Schema<Round2> = v.strictObject({
  share: bytesOfLength(32),
  chainPart: bytesOfLength(32),
});
const round3Schema: Schema<Round3> = v.strictObject({ transcript: bytesOfLength(32) });

/**
 * Starts a key generation for a Schnorr scheme or `ecdh-p256`. The result's secret is the share scalar.
 * @throws KeepsetError `input/invalid-argument`; later `abort/*` naming the culprits.
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
  return startMachine(who, () => round1(suite, params, who));
};

const identifierOf = (suite: ScalarSuite, parties: readonly PartyId[], party: PartyId): string =>
  suite.keygen.Identifier.fromNumber(parties.indexOf(party) + 1);

const chainCommitmentOf = (context: Uint8Array, party: PartyId, chainPart: Uint8Array): Uint8Array =>
  hashValue('keepset/keygen/chain-part/v1', { context, party, chainPart });

interface Own {
  readonly secret: DKG_Secret;
  readonly message: Round1;
  readonly chainPart: Uint8Array;
}

const round1 = (suite: ScalarSuite, params: KeygenParams, who: Participation): Transition<KeyShare> => {
  const rng = params.rng ?? systemRng;
  const random = rng(32);
  const chainPart = rng(32);
  const signers = { min: params.threshold, max: params.parties.length };
  const dkg = suite.keygen.DKG.round1(
    identifierOf(suite, params.parties, who.me),
    signers,
    undefined,
    (n = 32) => Uint8Array.from(rng(n)),
  );
  const message: Round1 = {
    random,
    commitments: dkg.public.commitment,
    proof: dkg.public.proofOfKnowledge,
    chainCommitment: chainCommitmentOf(who.context, who.me, chainPart),
  };
  const own: Own = { secret: dkg.secret, message, chainPart };
  return {
    send: toAll(who.peers, encodeCbor({ ...message })),
    next: (inbox) => forgetIfThrown(suite, own, () => round2(suite, params, who, own, inbox)),
  };
};

/** What the polynomial is made of goes as soon as it is no longer needed, here because the run ended. */
const forgetIfThrown = <T>(suite: ScalarSuite, own: Own, step: () => T): T => {
  try {
    return step();
  } catch (error) {
    suite.keygen.DKG.clean(own.secret);
    throw error;
  }
};

const round2 = (
  suite: ScalarSuite,
  params: KeygenParams,
  who: Participation,
  own: Own,
  inbox: Inbox,
): Transition<KeyShare> => {
  const received = new Map<PartyId, Round1>();
  for (const peer of who.peers) received.set(peer, inbox.read(peer, round1Schema(suite, params.threshold)));
  const packages = who.peers.map((peer) => toPackage(suite, params.parties, peer, valueOf(received, peer)));
  const shares = dealShares(suite, params, who, own.secret, packages);
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const share = shares[identifierOf(suite, params.parties, peer)];
    if (share === undefined) throw new KeepsetError('bug/invariant', `No share dealt to ${peer}.`);
    send.set(peer, encodeCbor({ share: share.signingShare, chainPart: own.chainPart }));
    share.signingShare.fill(0);
  }
  return {
    send,
    next: (next) =>
      forgetIfThrown(suite, own, () => round3(suite, params, who, own, received, packages, next)),
  };
};

const toPackage = (
  suite: ScalarSuite,
  parties: readonly PartyId[],
  from: PartyId,
  message: Round1,
): DKG_Round1 => ({
  identifier: identifierOf(suite, parties, from),
  commitment: message.commitments.map((commitment) => Uint8Array.from(commitment)),
  proofOfKnowledge: Uint8Array.from(message.proof),
});

const dealShares = (
  suite: ScalarSuite,
  params: KeygenParams,
  who: Participation,
  secret: DKG_Secret,
  packages: readonly DKG_Round1[],
): Record<string, { signingShare: Uint8Array }> => {
  try {
    return suite.keygen.DKG.round2(secret, [...packages]);
  } catch (cause) {
    const culprits = who.peers.filter((_, i) => !isGoodPackage(suite, params, packages[i]));
    throw new KeepsetError('abort/bad-proof', 'A commitment or its proof of possession is wrong.', {
      culprits,
      cause,
    });
  }
};

/**
 * Whether one package alone passes the library's checks, found by running round 2 of a throw-away key generation
 * in which it is the only foreign package. Only used to name culprits once something is wrong.
 */
const isGoodPackage = (
  suite: ScalarSuite,
  params: KeygenParams,
  suspect: DKG_Round1 | undefined,
): boolean => {
  if (suspect === undefined) return false;
  const signers = { min: params.threshold, max: params.parties.length };
  const others = params.parties
    .map((party) => identifierOf(suite, params.parties, party))
    .filter((identifier) => identifier !== suspect.identifier)
    .map((identifier) => suite.keygen.DKG.round1(identifier, signers));
  const [judge, ...honest] = others;
  if (judge === undefined) return false;
  try {
    suite.keygen.DKG.round2(judge.secret, [suspect, ...honest.map((other) => other.public)]);
    return true;
  } catch {
    return false;
  }
};

const round3 = (
  suite: ScalarSuite,
  params: KeygenParams,
  who: Participation,
  own: Own,
  firsts: ReadonlyMap<PartyId, Round1>,
  packages: readonly DKG_Round1[],
  inbox: Inbox,
): Transition<KeyShare> => {
  const received = new Map<PartyId, Round2>();
  for (const peer of who.peers) received.set(peer, inbox.read(peer, round2Schema));
  checkOpenings(suite, params, who, firsts, received);
  const key = finishDkg(suite, params, who, own.secret, packages, received);
  for (const { share } of received.values()) share.fill(0);
  const chainParts = params.parties.map((party) =>
    party === who.me ? own.chainPart : valueOf(received, party).chainPart,
  );
  const share = toKeyShare(suite, params, who.me, key, chainParts);
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
    publicKey: share.group.publicKey,
    verifyingShares: share.group.verifyingShares,
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

const checkOpenings = (
  suite: ScalarSuite,
  params: KeygenParams,
  who: Participation,
  firsts: ReadonlyMap<PartyId, Round1>,
  received: ReadonlyMap<PartyId, Round2>,
): void => {
  for (const peer of who.peers) {
    const first = valueOf(firsts, peer);
    const second = valueOf(received, peer);
    if (!bytesEqual(chainCommitmentOf(who.context, peer, second.chainPart), first.chainCommitment))
      throw new KeepsetError(
        'abort/bad-commitment',
        `${peer} opened another chain-code part than it committed to.`,
        {
          culprits: [peer],
        },
      );
    if (!isShareOf(suite, params, who.me, first.commitments, second.share))
      throw new KeepsetError('abort/bad-share', `${peer} dealt a share that does not fit its commitment.`, {
        culprits: [peer],
      });
  }
};

/** @spec RFC 9591 Appendix C.2 vss_verify */
const isShareOf = (
  suite: ScalarSuite,
  params: KeygenParams,
  party: PartyId,
  commitments: readonly Uint8Array[],
  share: Uint8Array,
): boolean => {
  const signers = { min: params.threshold, max: params.parties.length };
  const secret = { identifier: identifierOf(suite, params.parties, party), signingShare: share };
  try {
    suite.keygen.validateSecret(secret, { signers, commitments: [...commitments], verifyingShares: {} });
    return true;
  } catch {
    return false;
  }
};

const finishDkg = (
  suite: ScalarSuite,
  params: KeygenParams,
  who: Participation,
  secret: DKG_Secret,
  packages: readonly DKG_Round1[],
  received: ReadonlyMap<PartyId, Round2>,
): Key => {
  const shares = who.peers.map((peer) => ({
    identifier: identifierOf(suite, params.parties, peer),
    signingShare: valueOf(received, peer).share,
  }));
  // Every part was checked alone: what can still go wrong is a sum that is zero or at infinity. Only parties that
  // conspired can bring that about, and nothing shows which.
  const refuse = (cause?: unknown): KeepsetError =>
    new KeepsetError('abort/bad-share', 'The dealt shares do not make a key.', { cause });
  let key: Key;
  try {
    key = suite.keygen.DKG.round3(secret, [...packages], shares);
  } catch (cause) {
    throw refuse(cause);
  }
  const images = [...key.public.commitments, ...Object.values(key.public.verifyingShares)];
  if (images.some(isEd25519Identity)) throw refuse();
  return key;
};

/** Sums of group elements are group elements. Only the identity is none to use; SEC 1 points never look like this. */
const isEd25519Identity = (image: Uint8Array): boolean =>
  image.every((byte, i) => byte === (i === 0 ? 1 : 0));

const toKeyShare = (
  suite: ScalarSuite,
  params: KeygenParams,
  me: PartyId,
  key: Key,
  chainParts: readonly Uint8Array[],
): KeyShare => {
  const publicKey = groupPoint(key.public);
  const group: GroupKey = {
    scheme: suite.scheme,
    keyId: keyIdOf(suite.scheme, publicKey),
    epoch: 0,
    policy: params.policy,
    parties: [...params.parties],
    threshold: params.threshold,
    publicKey,
    commitments: key.public.commitments,
    verifyingShares: params.parties.map((party) => {
      const image = key.public.verifyingShares[identifierOf(suite, params.parties, party)];
      if (image === undefined) throw new KeepsetError('bug/invariant', `No verifying share for ${party}.`);
      return image;
    }),
    chainCode: hashValue('keepset/keygen/chain-code/v1', { parts: [...chainParts] }),
  };
  return { group, party: me, secret: new Secret(key.secret.signingShare) };
};

/**
 * The two rounds of signing that do not need the message: the parties agree on a nonce point R and come to shares
 * u_i and v_i with Σu = r·φ and Σv = sk·φ, where φ = Σφ_i.
 *
 *     round 1   R_i = r_i·G committed; with each peer, Bob's message of a multiplication with factor χ_{i,j}
 *     round 2   R_i opened; (r_i, sk_i) multiplied as Alice with each peer, giving c^u, c^v;
 *               Γ^u = c^u·G, Γ^v = c^v·G, pk_i = sk_i·G, ψ_{i,j} = φ_i − χ_{i,j}
 *     then      χ_{i,j}·R_j − Γ^u_{j,i} = d^u·G,  χ_{i,j}·pk_j − Γ^v_{j,i} = d^v·G,  Σpk_j = pk
 *               u_i = r_i·(φ_i + Σψ_{j,i}) + Σ(c^u + d^u),  v_i = sk_i·(φ_i + Σψ_{j,i}) + Σ(c^v + d^v)
 *
 * A failed check of the OT extension, of a multiplication or of the Γ equations depends on secrets of the pair. It
 * is thrown as `abort/banned` and is terminal: persist the ban before answering anything, and end every session
 * with that peer. All other failures depend on public values only.
 *
 * @spec eprint 2023/765 Protocol 3.6 steps 5 to 8
 * @deviation The commitment to R_i is the same for every peer and part of the session id, which round 2 repeats:
 * no fragment is released unless all parties saw the same commitments.
 */
import { KeepsetError, bytesEqual, encodeCbor, hashValue } from '@keepset/bytes';
import { sessionIdOf, systemRng, type Rng } from '../ceremony.ts';
import type { GroupPoint } from '../curve/port.ts';
import { hedgedRng } from '../hedge.ts';
import type { Inbox, Participation, PartyId, Transition } from '../machine.ts';
import { wordsOf } from './bits.ts';
import { extendAsReceiver, extendAsSender } from './ot-extension.ts';
import { checkBits, multiplicationOts } from './parameters.ts';
import { factorOf, multiplyAsAlice, multiplyAsBob, readProduct, type Pair } from './rvole.ts';
import type { PairState } from './secret.ts';
import { round1Schema, round2Schema, type Round1, type Round2 } from './sign-messages.ts';
import type { EcdsaSuite } from './suites.ts';
import { zeroShare } from './zero-sharing.ts';

/** A run of signing or presigning as seen by one party. */
export interface SigningRun {
  readonly suite: EcdsaSuite;
  readonly who: Participation;
  readonly quorum: readonly PartyId[];
  /** The key to sign with, derived already. */
  readonly publicKey: GroupPoint;
  /** This party's additive share of it. */
  readonly additiveShare: bigint;
  readonly pairs: ReadonlyMap<PartyId, PairState>;
  readonly rng: Rng;
}

/** What the two rounds come to. Secret but for the nonce. */
export interface Prepared {
  /** Hash of everyone's round 1. */
  readonly session: Uint8Array;
  /** R */
  readonly nonce: GroupPoint;
  /** φ_i */
  readonly mask: bigint;
  /** u_i */
  readonly nonceShare: bigint;
  /** v_i */
  readonly keyShare: bigint;
}

/** Bob's side of the multiplication with one peer. */
interface Factor {
  readonly choices: Uint8Array;
  readonly rows: Int32Array;
  /** χ */
  readonly factor: bigint;
}

interface Own {
  readonly random: Uint8Array;
  readonly commitment: Uint8Array;
  readonly salt: Uint8Array;
  /** r_i */
  readonly nonce: bigint;
  /** φ_i */
  readonly mask: bigint;
  readonly noncePoint: Uint8Array;
  readonly factors: ReadonlyMap<PartyId, Factor>;
}

const valueOf = <T>(map: ReadonlyMap<PartyId, T>, party: PartyId): T => {
  const value = map.get(party);
  if (value === undefined) throw new KeepsetError('bug/invariant', `Nothing known of ${party}.`);
  return value;
};

const banned = (culprit: PartyId, what: string): KeepsetError =>
  new KeepsetError('abort/banned', `${culprit} ${what}`, {
    culprits: [culprit],
    hint: `Nothing may be signed with ${culprit} again until a refresh has renewed the setup with it.`,
  });

const malformed = (culprit: PartyId, what: string): KeepsetError =>
  new KeepsetError('abort/malformed-message', `${culprit} ${what}`, { culprits: [culprit] });

const commitmentOf = (
  { who }: SigningRun,
  party: PartyId,
  noncePoint: Uint8Array,
  salt: Uint8Array,
): Uint8Array => hashValue('keepset/ecdsa/sign/nonce/v1', { context: who.context, party, noncePoint, salt });

/** Tells in public which setup of a pair a party holds: a share restored from before a repair holds another. */
const setupTag = ({ who }: SigningRun, { zeroSeed }: PairState): Uint8Array =>
  hashValue('keepset/ecdsa/sign/setup/v1', { context: who.context, zeroSeed });

/** The extension's nonce: bound to the receiver's own fresh randomness, known to both from the first message on. */
const extensionNonce = (
  run: SigningRun,
  pair: PairState,
  receiver: PartyId,
  sender: PartyId,
  random: Uint8Array,
): Uint8Array =>
  hashValue('keepset/ecdsa/sign/extension/v1', { setup: setupTag(run, pair), receiver, sender, random });

const batchOf = (session: Uint8Array, alice: PartyId, bob: PartyId): Uint8Array =>
  hashValue('keepset/ecdsa/sign/batch/v1', { session, alice, bob });

/** The run with its randomness mixed with the share. A generator given for vectors is left as it is. */
const hedged = (run: SigningRun): SigningRun => {
  if (run.rng !== systemRng) return run;
  const secret = run.suite.curve.encodeScalar(run.additiveShare);
  const rng = hedgedRng(systemRng, secret, run.who.context);
  secret.fill(0);
  return { ...run, rng };
};

/** Round 1. @param finish what to do with the outcome, when round 2 is complete. */
export const prepareNonce = <R>(
  given: SigningRun,
  finish: (prepared: Prepared) => Transition<R>,
): Transition<R> => {
  const run = hedged(given);
  const { suite, who, rng } = run;
  const { curve } = suite;
  const random = rng(32);
  const salt = rng(32);
  const nonce = curve.randomScalar(rng);
  const mask = curve.randomScalar(rng);
  const noncePoint = curve.encodePoint(curve.multiplyGenerator(nonce));
  const commitment = commitmentOf(run, who.me, noncePoint, salt);
  const factors = new Map<PartyId, Factor>();
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const pair = valueOf(run.pairs, peer);
    const choices = rng(multiplicationOts / 8);
    const { message, rows } = extendAsReceiver(
      suite.hash,
      pair.receiver,
      extensionNonce(run, pair, who.me, peer, random),
      choices,
      rng(checkBits / 8),
    );
    factors.set(peer, { choices, rows, factor: factorOf(suite, choices) });
    send.set(peer, encodeCbor({ random, commitment, setup: setupTag(run, pair), ...message }));
  }
  const own: Own = { random, commitment, salt, nonce, mask, noncePoint, factors };
  return { send, next: (inbox) => multiply(run, own, inbox, finish) };
};

/** The session id: hash of everyone's randomness and nonce commitment, in the order of the quorum. */
const sessionOf = (
  { who, quorum }: SigningRun,
  all: readonly Pick<Round1, 'random' | 'commitment'>[],
): Uint8Array =>
  hashValue('keepset/ecdsa/sign/session/v1', {
    id: sessionIdOf(
      who.context,
      quorum,
      all.map(({ random }) => random),
    ),
    commitments: all.map(({ commitment }) => commitment),
  });

interface Sent {
  readonly session: Uint8Array;
  readonly firsts: ReadonlyMap<PartyId, Round1>;
  /** sk_i */
  readonly key: bigint;
  readonly keyPoint: GroupPoint;
  /** c^u and c^v with each peer. */
  readonly shares: ReadonlyMap<PartyId, Pair>;
}

/** Round 2. */
const multiply = <R>(
  run: SigningRun,
  own: Own,
  inbox: Inbox,
  finish: (prepared: Prepared) => Transition<R>,
): Transition<R> => {
  const { suite, who, quorum, pairs, rng } = run;
  const { curve } = suite;
  const firsts = new Map<PartyId, Round1>();
  for (const peer of who.peers) firsts.set(peer, inbox.read(peer, round1Schema));
  // Before any check that bans: with different setups all those checks fail between honest parties too.
  for (const [peer, { setup }] of firsts)
    if (!bytesEqual(setup, setupTag(run, valueOf(pairs, peer))))
      throw new KeepsetError('abort/wrong-epoch', `${peer} holds another setup for signing with ${who.me}.`, {
        hint: 'One of the two shares is out of date. Use the latest copy of it, or refresh the key.',
      });
  const session = sessionOf(
    run,
    quorum.map((party) => (party === who.me ? own : valueOf(firsts, party))),
  );
  const seeds = new Map(who.peers.map((peer) => [peer, valueOf(pairs, peer).zeroSeed] as const));
  const key = curve.reduce(run.additiveShare + zeroShare(suite, session, quorum, who.me, seeds));
  const keyPoint = curve.multiplyGenerator(key);
  const shares = new Map<PartyId, Pair>();
  const send = new Map<PartyId, Uint8Array>();
  for (const peer of who.peers) {
    const first = valueOf(firsts, peer);
    const pair = valueOf(pairs, peer);
    const nonce = extensionNonce(run, pair, peer, who.me, first.random);
    const rows = extendAsSender(suite.hash, pair.sender, nonce, multiplicationOts, first);
    if (rows === undefined) throw banned(peer, 'failed the consistency check of the OT extension.');
    const product = multiplyAsAlice(
      suite,
      batchOf(session, who.me, peer),
      rows,
      wordsOf(pair.sender.delta),
      [own.nonce, key],
      rng,
    );
    rows.fill(0);
    shares.set(peer, product.shares);
    const [encodedKey, nonceCheck, keyCheck] = curve.encodePoints([
      keyPoint,
      curve.multiplyGenerator(product.shares[0]),
      curve.multiplyGenerator(product.shares[1]),
    ]);
    send.set(
      peer,
      encodeCbor({
        session,
        noncePoint: own.noncePoint,
        salt: own.salt,
        keyPoint: encodedKey,
        ...product.message,
        nonceCheck,
        keyCheck,
        adjustment: curve.encodeScalar(curve.reduce(own.mask - valueOf(own.factors, peer).factor)),
      }),
    );
  }
  const sent: Sent = { session, firsts, key, keyPoint, shares };
  return { send, next: (next) => finish(combine(run, own, sent, next)) };
};

/** What a peer sent in round 2, checked. */
interface Contribution {
  readonly noncePoint: GroupPoint;
  readonly keyPoint: GroupPoint;
  /** ψ_{j,i} */
  readonly adjustment: bigint;
  /** d^u and d^v */
  readonly shares: Pair;
}

const combine = (run: SigningRun, own: Own, sent: Sent, inbox: Inbox): Prepared => {
  const { suite, who } = run;
  const { curve } = suite;
  const seconds = new Map<PartyId, Round2>();
  for (const peer of who.peers) seconds.set(peer, inbox.read(peer, round2Schema(curve.pointBytes)));
  // Likewise: where the sessions differ, the checks below fail between honest parties too.
  for (const [peer, second] of seconds)
    if (!bytesEqual(second.session, sent.session))
      throw new KeepsetError('abort/transcript-mismatch', `${peer} saw a different first round.`);
  const contributions = new Map<PartyId, Contribution>();
  for (const peer of who.peers)
    contributions.set(peer, checkContribution(run, own, sent, peer, valueOf(seconds, peer)));

  let nonce = curve.multiplyGenerator(own.nonce);
  let publicKey = sent.keyPoint;
  let mask = own.mask;
  let crossNonce = 0n;
  let crossKey = 0n;
  for (const [peer, { noncePoint, keyPoint, adjustment, shares }] of contributions) {
    const [cu, cv] = valueOf(sent.shares, peer);
    nonce = curve.add(nonce, noncePoint);
    publicKey = curve.add(publicKey, keyPoint);
    mask += adjustment;
    crossNonce += cu + shares[0];
    crossKey += cv + shares[1];
  }
  if (!curve.equals(publicKey, run.publicKey)) throw wrongKey(who.peers);
  if (curve.isIdentity(nonce)) throw new KeepsetError('abort/bad-commitment', 'The nonces cancel out.');
  return {
    session: sent.session,
    nonce,
    mask: own.mask,
    nonceShare: curve.reduce(own.nonce * mask + crossNonce),
    keyShare: curve.reduce(sent.key * mask + crossKey),
  };
};

/** A single peer is at fault alone; among several, which of the key points is wrong cannot be told. */
const wrongKey = (peers: readonly PartyId[]): KeepsetError => {
  const what = 'The key points do not sum up to the public key.';
  const [only, ...others] = peers;
  return only === undefined || others.length > 0
    ? new KeepsetError('abort/bad-share', what)
    : banned(only, 'sent a key point that does not make the public key.');
};

/** Opens the commitment, finishes the multiplication as Bob and checks that its inputs are those of R_j and pk_j. */
const checkContribution = (
  run: SigningRun,
  own: Own,
  sent: Sent,
  peer: PartyId,
  second: Round2,
): Contribution => {
  const { suite, who } = run;
  const { curve } = suite;
  const { commitment } = valueOf(sent.firsts, peer);
  if (!bytesEqual(commitmentOf(run, peer, second.noncePoint, second.salt), commitment))
    throw new KeepsetError('abort/bad-commitment', `${peer} opened another nonce than it committed to.`, {
      culprits: [peer],
    });
  const pointOf = (bytes: Uint8Array): GroupPoint => {
    const point = curve.decodePoint(bytes);
    if (point === undefined) throw malformed(peer, 'sent a point that is none.');
    return point;
  };
  const noncePoint = pointOf(second.noncePoint);
  const keyPoint = pointOf(second.keyPoint);
  const nonceCheck = pointOf(second.nonceCheck);
  const keyCheck = pointOf(second.keyCheck);
  const adjustment = curve.decodeScalar(second.adjustment);
  const product = readProduct(suite, second);
  if (adjustment === undefined || product === undefined) throw malformed(peer, 'sent a scalar out of range.');
  const { choices, rows, factor } = valueOf(own.factors, peer);
  const shares = multiplyAsBob(suite, batchOf(sent.session, peer, who.me), rows, choices, product);
  if (shares === undefined) throw banned(peer, 'failed the consistency check of the multiplication.');
  const fits = (point: GroupPoint, check: GroupPoint, share: bigint): boolean =>
    curve.equals(curve.subtract(curve.multiply(point, factor), check), curve.multiplyGenerator(share));
  rows.fill(0);
  choices.fill(0);
  const isNonceRight = fits(noncePoint, nonceCheck, shares[0]);
  const isKeyRight = fits(keyPoint, keyCheck, shares[1]);
  if (!isNonceRight || !isKeyRight) throw banned(peer, 'multiplied other values than it showed.');
  return { noncePoint, keyPoint, adjustment, shares };
};

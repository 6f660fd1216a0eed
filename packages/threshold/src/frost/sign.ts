/**
 * FROST signing in two rounds, in which every party may aggregate.
 *
 * Round 1: fresh nonce commitments. Round 2: hash of all that round 1 brought, and the signature share. A party that
 * answers a single peer sends both in one message, which makes a 2-of-2 signature one request and one response.
 *
 * @spec RFC 9591 §5
 */
import * as v from 'valibot';
import type { FrostPublic, FrostSecret, NonceCommitments, Nonces } from '@noble/curves/abstract/frost.js';
import { KeepsetError, bytesEqual, bytesOfLength, encodeCbor, hashValue, type Schema } from '@keepset/bytes';
import { checkSignParams, sessionIdOf, signContext, systemRng, type SignParams } from '../ceremony.ts';
import type { GroupKey, KeyShare } from '../key.ts';
import {
  startMachine,
  toAll,
  type Inbox,
  type Participation,
  type PartyId,
  type Step,
  type Transition,
} from '../machine.ts';
import { deriveShareOf } from '../life/derive.ts';
import { frostLife } from '../life/frost.ts';
import { additiveImageVarTime, additiveShare } from '../sharing.ts';
import { groupPoint, type FrostSuite } from './suites.ts';

interface Round1 {
  readonly random: Uint8Array;
  readonly hiding: Uint8Array;
  readonly binding: Uint8Array;
}
interface Round2 {
  readonly transcript: Uint8Array;
  readonly share: Uint8Array;
}

const round1Schema = (suite: FrostSuite): Schema<Round1> =>
  v.strictObject({
    random: bytesOfLength(32),
    hiding: bytesOfLength(suite.pointBytes),
    binding: bytesOfLength(suite.pointBytes),
  });
const round2Schema: Schema<Round2> = v.strictObject({
  transcript: bytesOfLength(32),
  share: bytesOfLength(32),
});

/**
 * Starts signing with a Schnorr scheme. The result is the 64-byte signature, verified.
 * @throws KeepsetError `input/invalid-argument`, `policy/unsatisfied`, `place/damaged` for a secret that is no share
 * scalar; later `abort/*` naming the culprits.
 */
export const startFrostSign = (suite: FrostSuite, params: SignParams): Step<Uint8Array> => {
  checkSignParams(params);
  const { group, party } = params.share;
  if (group.scheme !== suite.scheme)
    throw new KeepsetError('input/invalid-argument', `This is a ${group.scheme} key.`);
  if (frostLife(suite).openSecret(params.share).shares.includes(0n))
    throw new KeepsetError('place/damaged', `The secret of ${party}'s share is damaged.`);
  const who: Participation = {
    context: signContext(group, params),
    me: party,
    peers: params.quorum.filter((other) => other !== party),
    rounds: 2,
  };
  return startMachine(who, () => round1(suite, params, who));
};

const identifierOf = (suite: FrostSuite, group: GroupKey, party: PartyId): string =>
  suite.signing.Identifier.fromNumber(group.parties.indexOf(party) + 1);

/**
 * A quorum's additive shares in the form of the FROST library, which knows no sharing but Shamir's: divided by the
 * Lagrange coefficient that it will multiply them with. For a key of one threshold they are the shares themselves.
 */
const scaleFor = (suite: FrostSuite, group: GroupKey, quorum: readonly PartyId[], party: PartyId): bigint => {
  const { curve } = suite;
  const place = (name: PartyId): bigint => BigInt(group.parties.indexOf(name) + 1);
  let [above, below] = [1n, 1n];
  for (const other of quorum) {
    if (other === party) continue;
    above = curve.reduce(above * (place(other) - place(party)));
    below = curve.reduce(below * place(other));
  }
  return curve.reduce(above * curve.invert(below));
};

/** The public data of a quorum in the form of the FROST library. */
export const toFrostPublic = (
  suite: FrostSuite,
  group: GroupKey,
  quorum: readonly PartyId[],
): FrostPublic => {
  const { curve } = suite;
  const images = quorum.map((party) =>
    additiveImageVarTime(curve, group, quorum, party, scaleFor(suite, group, quorum, party)),
  );
  if (images.some((image) => curve.isIdentity(image)))
    throw new KeepsetError('place/damaged', 'The verifying shares of this key are damaged.');
  const encoded = curve.encodePoints(images);
  return {
    signers: { min: group.threshold, max: group.parties.length },
    commitments: group.commitments.map((commitment) => Uint8Array.from(commitment)),
    verifyingShares: Object.fromEntries(
      quorum.map((party, i) => [identifierOf(suite, group, party), Uint8Array.from(encoded[i] ?? [])]),
    ),
  };
};

/** This party's part of {@link toFrostPublic}. Holds a secret: wipe it. */
const toFrostSecret = (suite: FrostSuite, share: KeyShare, quorum: readonly PartyId[]): FrostSecret => {
  const { curve } = suite;
  const { group, party } = share;
  const additive = additiveShare(curve, group, quorum, party, frostLife(suite).openSecret(share).shares);
  const scaled = curve.reduce(additive * scaleFor(suite, group, quorum, party));
  const signingShare = new Uint8Array(32);
  curve.writeInteger(new DataView(signingShare.buffer), 0, scaled);
  return { identifier: identifierOf(suite, group, party), signingShare };
};

interface Own {
  readonly pub: FrostPublic;
  readonly secret: FrostSecret;
  readonly nonces: Nonces;
  readonly message: Round1;
}

const round1 = (suite: FrostSuite, params: SignParams, who: Participation): Transition<Uint8Array> => {
  const rng = params.rng ?? systemRng;
  const path = params.request.path ?? [];
  // First the child of the path, then its Taproot output key.
  const share = path.length === 0 ? params.share : deriveShareOf(frostLife(suite), params.share, path);
  const random = rng(32);
  const untweaked = toFrostSecret(suite, share, params.quorum);
  if (path.length > 0) share.secret.wipe();
  const { pub, secret: signer } = suite.tweak(
    toFrostPublic(suite, share.group, params.quorum),
    untweaked,
    params.request.taproot,
  );
  if (signer !== untweaked) untweaked.signingShare.fill(0);
  const { nonces, commitments } = suite.signing.commit(signer, (n = 32) => Uint8Array.from(rng(n)));
  const message: Round1 = { random, hiding: commitments.hiding, binding: commitments.binding };
  const own: Own = { pub, secret: signer, nonces, message };
  return {
    send: toAll(who.peers, encodeCbor({ ...message })),
    next: (inbox) => {
      try {
        return round2(suite, params, who, own, inbox);
      } finally {
        // Used or not: this run needs them no more.
        for (const secret of [nonces.hiding, nonces.binding, signer.signingShare]) secret.fill(0);
      }
    },
  };
};

const round2 = (
  suite: FrostSuite,
  params: SignParams,
  who: Participation,
  own: Own,
  inbox: Inbox,
): Transition<Uint8Array> => {
  const { group } = params.share;
  const ordered = params.quorum.map((party) =>
    party === who.me ? own.message : inbox.read(party, round1Schema(suite)),
  );
  checkCommitments(suite, params, ordered);
  const commitments: NonceCommitments[] = params.quorum.map((party, i) => {
    const message = ordered[i] ?? own.message;
    return {
      identifier: identifierOf(suite, group, party),
      hiding: Uint8Array.from(message.hiding),
      binding: Uint8Array.from(message.binding),
    };
  });
  // Covers the nonce commitments: were they only hashed into the challenge, a party that sends different ones to
  // different peers would make their honest shares look wrong to one another.
  const transcript = hashValue('keepset/sign/transcript/v1', {
    session: sessionIdOf(
      who.context,
      params.quorum,
      ordered.map((message) => message.random),
    ),
    round1: ordered.map((message) => ({ ...message })),
  });
  const share = suite.signing.signShare(own.secret, own.pub, own.nonces, commitments, params.request.message);
  return {
    send: toAll(who.peers, encodeCbor({ transcript, share })),
    next: (shares) => aggregate(suite, params, who, { own, commitments, transcript, share }, shares),
  };
};

/** Every nonce commitment must be a point of the prime-order group and not the identity. @spec RFC 9591 §3.1 */
const checkCommitments = (suite: FrostSuite, params: SignParams, ordered: readonly Round1[]): void => {
  params.quorum.forEach((party, i) => {
    const message = ordered[i];
    if (message === undefined || !suite.isPoint(message.hiding) || !suite.isPoint(message.binding))
      throw new KeepsetError('abort/bad-commitment', `${party} sent an invalid nonce commitment.`, {
        culprits: [party],
      });
  });
};

interface Sent {
  readonly own: Own;
  readonly commitments: NonceCommitments[];
  readonly transcript: Uint8Array;
  readonly share: Uint8Array;
}

const aggregate = (
  suite: FrostSuite,
  params: SignParams,
  who: Participation,
  sent: Sent,
  inbox: Inbox,
): Transition<Uint8Array> => {
  const { group } = params.share;
  const { message } = params.request;
  const shares: Record<string, Uint8Array> = {};
  for (const party of params.quorum) {
    if (party === who.me) {
      shares[identifierOf(suite, group, party)] = sent.share;
      continue;
    }
    const received = inbox.read(party, round2Schema);
    if (!bytesEqual(received.transcript, sent.transcript))
      throw new KeepsetError('abort/transcript-mismatch', `${party} saw a different first round.`);
    shares[identifierOf(suite, group, party)] = received.share;
  }
  const signature = combine(suite, params, sent, shares);
  if (!suite.verify(signature, message, groupPoint(sent.own.pub)))
    throw new KeepsetError('abort/bad-signature', 'The aggregate signature does not verify.');
  return { result: signature };
};

const combine = (
  suite: FrostSuite,
  params: SignParams,
  sent: Sent,
  shares: Record<string, Uint8Array>,
): Uint8Array => {
  const { message } = params.request;
  try {
    return suite.signing.aggregate(sent.own.pub, sent.commitments, message, shares);
  } catch (cause) {
    const culprits = params.quorum.filter((party) => {
      const identifier = identifierOf(suite, params.share.group, party);
      return !isGoodShare(suite, sent, message, identifier, shares[identifier]);
    });
    throw new KeepsetError('abort/bad-share', 'A signature share is wrong.', { culprits, cause });
  }
};

/** @spec RFC 9591 §5.4 */
const isGoodShare = (
  suite: FrostSuite,
  sent: Sent,
  message: Uint8Array,
  identifier: string,
  share: Uint8Array | undefined,
): boolean => {
  if (share === undefined) return false;
  try {
    return suite.signing.verifyShare(sent.own.pub, sent.commitments, message, identifier, share);
  } catch {
    // Not even a canonical scalar.
    return false;
  }
};

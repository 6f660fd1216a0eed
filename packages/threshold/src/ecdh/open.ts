/**
 * Opening a file sealed to a group key: a quorum computes the ECDH of the key with the file's ephemeral point E,
 * without the key, and one of them, the opener, learns the outcome.
 *
 * Round 1, from everyone to the opener: A_i = a_i·E, where the a_i are the quorum's additive shares of the key, with a
 * proof that a_i is the logarithm of its public image. The opener checks every proof and adds the A_i up.
 *
 * Nothing in it is random but the proofs' nonces, so there is nothing one run could take from another: see
 * spec/vault-files.md.
 */
import * as v from 'valibot';
import { KeepsetError, Secret, bytesOfLength, encodeCbor, hashValue, type Schema } from '@keepset/bytes';
import { checkSession, systemRng, type Rng } from '../ceremony.ts';
import type { GroupPoint } from '../curve/port.ts';
import type { GroupKey, KeyShare } from '../key.ts';
import { frostLife } from '../life/frost.ts';
import { checkGroup, openChecked } from '../life/group.ts';
import { startMachine, type Inbox, type Participation, type PartyId, type Step } from '../machine.ts';
import { additiveImageVarTime, additiveShare, checkQuorum } from '../sharing.ts';
import { proveEquality, verifyEqualityVarTime, type EqualityProof } from './proof.ts';
import type { EcdhSuite } from './suite.ts';

/** What an opening is about. */
export interface OpenParams {
  readonly share: KeyShare;
  /** 32 random bytes from the opener. */
  readonly session: Uint8Array;
  /** Parties that open, in policy order: a quorum. */
  readonly quorum: readonly PartyId[];
  /** The one of the quorum that learns the outcome. */
  readonly opener: PartyId;
  /** The ephemeral point the file was sealed with: 65 bytes, uncompressed. */
  readonly ephemeral: Uint8Array;
  readonly rng?: Rng;
}

/** What an opening comes to. */
export interface OpenedPoint {
  /** x-coordinate of the shared point, 32 bytes, big-endian. Only the opener has it. */
  readonly shared?: Secret;
}

interface Partial extends EqualityProof {
  /** A_i */
  readonly partial: Uint8Array;
}

const partialSchema: Schema<Partial> = v.strictObject({
  partial: bytesOfLength(33),
  challenge: bytesOfLength(32),
  response: bytesOfLength(32),
});

/**
 * Whether an opening can be started like this: everything that can be known before the share is used.
 * @throws KeepsetError `input/invalid-argument`, `input/malformed` for a point that is none, `abort/unknown-party`,
 * `policy/unsatisfied`
 */
export const checkOpenParams = (suite: EcdhSuite, params: OpenParams): void => {
  const { share, session, quorum, opener, ephemeral } = params;
  checkSession(session);
  checkGroup(frostLife(suite), share.group);
  checkQuorum(share.group, quorum);
  for (const party of [share.party, opener])
    if (!quorum.includes(party))
      throw new KeepsetError('abort/unknown-party', `${party} is not in the quorum.`);
  peerOf(suite, ephemeral);
};

/**
 * Starts an opening. The opener waits for the others' partial decryptions; everyone else is done at once.
 * @throws KeepsetError as {@link checkOpenParams}, `place/damaged`; later `abort/*` naming the culprits.
 */
export const startOpen = (suite: EcdhSuite, params: OpenParams): Step<OpenedPoint> => {
  checkOpenParams(suite, params);
  const { share, quorum, opener, rng = systemRng } = params;
  const { curve } = suite;
  const { group, party: me } = share;
  const context = openContext(group, params);
  const base = peerOf(suite, params.ephemeral);
  const secret = additiveShare(curve, group, quorum, me, openChecked(frostLife(suite), share).shares);
  const power = curve.multiply(base, secret);
  const who: Participation = {
    context,
    me,
    peers: me === opener ? quorum.filter((party) => party !== me) : [opener],
    rounds: 1,
  };
  if (me === opener)
    return startMachine(who, () => ({
      send: new Map(),
      next: (inbox) => ({ result: combine(suite, params, { who, base, power }, inbox) }),
    }));
  const image = curve.multiplyGenerator(secret);
  const proof = proveEquality(curve, { context, party: me, image, base, power }, secret, rng);
  const body = encodeCbor({ partial: curve.encodePoint(power), ...proof });
  return startMachine(who, () => ({ send: new Map([[opener, body]]), result: {} }));
};

/** Binds every message of an opening to key, epoch, sharing, quorum, opener and the file's ephemeral point. */
export const openContext = (
  group: Pick<GroupKey, 'keyId' | 'epoch' | 'scheme' | 'commitments'>,
  params: Pick<OpenParams, 'session' | 'quorum' | 'opener' | 'ephemeral'>,
): Uint8Array =>
  hashValue('keepset/context/open/v1', {
    scheme: group.scheme,
    keyId: group.keyId,
    epoch: group.epoch,
    // Two runs that both advanced the key to this epoch made different sharings: their partials must not meet.
    sharing: group.commitments,
    session: params.session,
    quorum: params.quorum,
    opener: params.opener,
    ephemeral: params.ephemeral,
  });

const peerOf = (suite: EcdhSuite, ephemeral: Uint8Array): GroupPoint => {
  const point = suite.decodePeer(ephemeral);
  if (point === undefined)
    throw new KeepsetError('input/malformed', 'The ephemeral key is not a point of P-256.');
  return point;
};

interface Run {
  readonly who: Participation;
  /** E */
  readonly base: GroupPoint;
  /** The opener's own A. */
  readonly power: GroupPoint;
}

const combine = (suite: EcdhSuite, params: OpenParams, run: Run, inbox: Inbox): OpenedPoint => {
  const { curve } = suite;
  const { peers } = run.who;
  const partials = peers.map((peer) => readPartial(suite, peer, inbox));
  const culprits = peers.filter((peer, i) => !isProven(suite, params, run, peer, partials[i]));
  if (culprits.length > 0)
    throw new KeepsetError('abort/bad-proof', `${culprits.join(' and ')} sent a wrong partial decryption.`, {
      culprits,
    });
  const sum = partials.reduce((total, { power }) => curve.add(total, power), run.power);
  // The images sum up to the public key, so this is its multiple of E: not the identity, since neither factor is.
  return { shared: new Secret(curve.encodePoint(sum).slice(1)) };
};

interface ReadPartial {
  readonly power: GroupPoint;
  readonly proof: EqualityProof;
}

const readPartial = ({ curve }: EcdhSuite, peer: PartyId, inbox: Inbox): ReadPartial => {
  const { partial, ...proof } = inbox.read(peer, partialSchema);
  const power = curve.decodePoint(partial);
  if (power === undefined)
    throw new KeepsetError('abort/malformed-message', `${peer} sent a point that is none.`, {
      culprits: [peer],
    });
  return { power, proof };
};

const isProven = (
  suite: EcdhSuite,
  { share, quorum }: OpenParams,
  { who, base }: Run,
  party: PartyId,
  partial: ReadPartial | undefined,
): boolean => {
  if (partial === undefined) return false;
  const image = additiveImageVarTime(suite.curve, share.group, quorum, party);
  const statement = { context: who.context, party, image, base, power: partial.power };
  return verifyEqualityVarTime(suite.curve, statement, partial.proof);
};

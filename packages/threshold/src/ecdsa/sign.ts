/**
 * ECDSA signing in three rounds: the two of prepare.ts, then the fragments of the signature.
 *
 *     round 3   w_i = m·φ_i + r^x·v_i and u_i
 *     then      s = Σw / Σu
 *
 * Every party may put the signature together. In the two-party layout of §3.5 one request and one response carry
 * all that the asking party needs; it may keep the message of its finished step to itself.
 *
 * @spec eprint 2023/765 Protocol 3.6 steps 8 to 10
 */
import { KeepsetError, encodeCbor } from '@keepset/bytes';
import { checkSignParams, signContext, systemRng, type SignParams, type SignRequest } from '../ceremony.ts';
import type { GroupPoint } from '../curve/port.ts';
import { deriveChild } from '../derive.ts';
import { ecdsaLife } from '../life/ecdsa.ts';
import { openChecked } from '../life/group.ts';
import {
  startMachine,
  toAll,
  type Inbox,
  type Participation,
  type PartyId,
  type Step,
  type Transition,
} from '../machine.ts';
import { additiveShare } from '../sharing.ts';
import { prepareNonce, type Prepared, type SigningRun } from './prepare.ts';
import { round3Schema } from './sign-messages.ts';
import { assembleSignature, checkDigest, messageScalar, nonceFacts, type Fragment } from './signature.ts';
import type { EcdsaSuite } from './suites.ts';

/**
 * Starts signing with an ECDSA scheme. The result is r ‖ s ‖ recovery id, 65 bytes, low-s, verified.
 * @throws KeepsetError `input/invalid-argument`, `policy/unsatisfied`, `place/damaged`; later `abort/*` naming the
 * culprits, among which `abort/banned` is terminal for the pair.
 */
export const startEcdsaSign = (suite: EcdsaSuite, params: SignParams): Step<Uint8Array> => {
  checkSignParams(params);
  checkDigest(suite, params.request);
  const { group } = params.share;
  const run = signingRun(suite, params, params.request.path ?? [], {
    context: signContext(group, params),
    me: params.share.party,
    peers: params.quorum.filter((other) => other !== params.share.party),
    rounds: 3,
  });
  return startMachine(run.who, () =>
    prepareNonce(run, (prepared) => exchangeFragments(suite, { ...run, prepared, request: params.request })),
  );
};

/**
 * Opens the share for one run.
 * @throws KeepsetError `input/invalid-argument` or `place/damaged`
 */
export const signingRun = (
  suite: EcdsaSuite,
  params: Pick<SignParams, 'share' | 'quorum' | 'rng'>,
  path: readonly number[],
  who: Participation,
): SigningRun => {
  const { share, quorum, rng = systemRng } = params;
  const { curve } = suite;
  const { group, party } = share;
  if (group.scheme !== suite.scheme)
    throw new KeepsetError('input/invalid-argument', `This is a ${group.scheme} key.`);
  // With a share that is not its own a party fails the peer's checks, and in a quorum of two each would ban the other.
  const secret = openChecked(ecdsaLife(suite), share);
  const stranger = quorum.find((other) => other !== party && !secret.pairs.has(other));
  if (stranger !== undefined)
    throw new KeepsetError('input/invalid-argument', `${party} has no setup with ${stranger}.`, {
      hint: `${party}'s share was repaired without ${stranger}. Sign with those who helped, or refresh the key.`,
    });
  const child = deriveChild(curve, group, path);
  const publicKey = curve.decodePoint(child.publicKey);
  if (publicKey === undefined) throw new KeepsetError('place/damaged', 'The public key is damaged.');
  const own = additiveShare(curve, group, quorum, party, secret.shares);
  return {
    suite,
    who,
    quorum,
    publicKey,
    // One party adds the whole tweak: additive shares sum up.
    additiveShare: curve.reduce(own + (quorum[0] === party ? child.tweak : 0n)),
    pairs: secret.pairs,
    rng,
  };
};

/** What the last round needs. */
export interface FragmentRun {
  readonly who: Participation;
  readonly publicKey: GroupPoint;
  readonly prepared: Omit<Prepared, 'session'>;
  readonly request: SignRequest;
}

/** The last round: sends the own fragment, then puts the signature together. */
export const exchangeFragments = (
  suite: EcdsaSuite,
  { who, publicKey, prepared, request }: FragmentRun,
): Transition<Uint8Array> => {
  const { curve } = suite;
  const message = messageScalar(suite, request);
  const nonce = nonceFacts(curve, prepared.nonce);
  const own: Fragment = {
    numerator: curve.reduce(message * prepared.mask + nonce.r * prepared.keyShare),
    denominator: prepared.nonceShare,
  };
  const body = encodeCbor({
    numerator: curve.encodeScalar(own.numerator),
    denominator: curve.encodeScalar(own.denominator),
  });
  const readFragment = (inbox: Inbox, peer: PartyId): Fragment => {
    const read = inbox.read(peer, round3Schema);
    const numerator = curve.decodeScalar(read.numerator);
    const denominator = curve.decodeScalar(read.denominator);
    if (numerator === undefined || denominator === undefined)
      throw new KeepsetError('abort/malformed-message', `${peer} sent a scalar out of range.`, {
        culprits: [peer],
      });
    return { numerator, denominator };
  };
  return {
    send: toAll(who.peers, body),
    next: (inbox) => {
      const fragments = [own, ...who.peers.map((peer) => readFragment(inbox, peer))];
      const signature = assembleSignature(suite, publicKey, nonce, message, fragments);
      if (signature === undefined) throw badSignature(who.peers);
      return { result: signature };
    },
  };
};

/** After the checks of round 2 only a fragment can be wrong: of a single peer, or of one that cannot be told. */
const badSignature = (peers: readonly PartyId[]): KeepsetError =>
  new KeepsetError('abort/bad-signature', 'The fragments do not make a valid signature.', {
    culprits: peers.length === 1 ? peers : [],
  });

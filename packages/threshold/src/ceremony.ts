import { KeepsetError, bytesEqual, hashValue } from '@keepset/bytes';
import { randomBytes } from '@noble/hashes/utils.js';
import { curveOf } from './curve/noble.ts';
import { checkPath } from './derive.ts';
import type { GroupKey, KeyShare, Scheme } from './key.ts';
import { curveForDerivation } from './life/derive.ts';
import type { PartyId } from './machine.ts';
import { checkQuorum, checkedSharing, sharingOfKey } from './sharing.ts';

/** Source of randomness. Replaced only to generate test vectors. */
export type Rng = (length: number) => Uint8Array;

/** The runtime's cryptographic generator. */
export const systemRng: Rng = (length) => randomBytes(length);

/** What a keygen is about. Every party derives the same context hash from it, or nothing fits. */
export interface KeygenParams {
  readonly scheme: Scheme;
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** Says who may act together; `parties` and `threshold` are its, see {@link GroupKey}. */
  readonly policy: string;
  readonly parties: readonly PartyId[];
  readonly threshold: number;
  readonly me: PartyId;
  readonly rng?: Rng;
}

/** How ECDSA turns the message into the 32 bytes it signs. Schnorr schemes take the message itself: `none`. */
export type Digest = 'none' | 'sha256' | 'sha256d' | 'keccak256';

/** Taproot output key of BIP 341: 0 bytes commit to no script path (BIP 86), 32 bytes are a Merkle root. */
export interface TaprootTweak {
  readonly merkleRoot: Uint8Array;
}

/** What is signed, and under which key derived from the group key. All parties must agree on every field. */
export interface SignRequest {
  readonly message: Uint8Array;
  readonly digest: Digest;
  /** Only for `schnorr-secp256k1`. */
  readonly taproot?: TaprootTweak;
  /** Non-hardened BIP 32 indices of the child key to sign with; absent or empty is the key itself. Not for `ed25519`. */
  readonly path?: readonly number[];
}

/** What a signature is about. */
export interface SignParams {
  readonly share: KeyShare;
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** Signing parties in policy order: a quorum in which each is needed for its part of the policy. */
  readonly quorum: readonly PartyId[];
  readonly request: SignRequest;
  readonly rng?: Rng;
}

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, `policy/syntax`, `policy/unsupported` */
export const checkKeygenParams = (params: KeygenParams): void => {
  const { parties, me, session } = params;
  checkSession(session);
  checkedSharing(curveOf(params.scheme), params);
  if (!parties.includes(me)) throw new KeepsetError('abort/unknown-party', `${me} is not among the parties.`);
};

/** @throws KeepsetError `input/invalid-argument` */
export const checkSession = (session: Uint8Array): void => {
  if (session.length !== 32) throw invalid('A session id has 32 bytes.');
};

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party` or `policy/unsatisfied` */
export const checkSignParams = (params: SignParams): void => {
  const { share, session, quorum, request } = params;
  const { scheme } = share.group;
  checkSession(session);
  if (!quorum.includes(share.party))
    throw new KeepsetError('abort/unknown-party', `${share.party} is not in the quorum.`);
  sharingOfKey(curveOf(scheme), share.group);
  checkQuorum(share.group, quorum);
  if (request.taproot !== undefined && scheme !== 'schnorr-secp256k1')
    throw invalid('A Taproot tweak belongs to schnorr-secp256k1 only.');
  if (request.taproot !== undefined && ![0, 32].includes(request.taproot.merkleRoot.length))
    throw invalid('A Taproot Merkle root has 0 or 32 bytes.');
  const isEcdsa = scheme === 'ecdsa-secp256k1' || scheme === 'ecdsa-p256';
  if (!isEcdsa && request.digest !== 'none')
    throw invalid(`${scheme} signs the message itself; digest must be none.`);
  checkPath(request.path ?? []);
  if ((request.path ?? []).length > 0) curveForDerivation(scheme);
};

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

/** Binds every message of a keygen to what all parties must agree on beforehand. */
export const keygenContext = (params: Omit<KeygenParams, 'me' | 'rng'>): Uint8Array =>
  hashValue('keepset/context/keygen/v1', {
    scheme: params.scheme,
    session: params.session,
    policy: params.policy,
    parties: params.parties,
    threshold: params.threshold,
  });

/** Binds every message of a signature to key, epoch, quorum and what is signed. */
export const signContext = (
  group: Pick<GroupKey, 'keyId' | 'epoch' | 'scheme' | 'commitments'>,
  params: Pick<SignParams, 'session' | 'quorum' | 'request'>,
): Uint8Array =>
  hashValue('keepset/context/sign/v1', {
    scheme: group.scheme,
    keyId: group.keyId,
    epoch: group.epoch,
    session: params.session,
    quorum: params.quorum,
    message: params.request.message,
    digest: params.request.digest,
    taproot: params.request.taproot?.merkleRoot,
    path: (params.request.path ?? []).length === 0 ? undefined : params.request.path,
    // Two runs that both advanced the key to this epoch made different polynomials: their shares must not meet.
    sharing: group.epoch === 0 ? undefined : group.commitments,
  });

/**
 * The session id proper: binds fresh randomness of every party, so that no party alone can make two runs equal.
 * @param contributions 32 bytes from each party, in the order of `parties`.
 */
export const sessionIdOf = (
  context: Uint8Array,
  parties: readonly PartyId[],
  contributions: readonly Uint8Array[],
): Uint8Array => hashValue('keepset/session-id/v1', { context, parties, contributions });

/**
 * Compares what each peer says of the transcript with one's own.
 * @throws KeepsetError `abort/transcript-mismatch`. It names no culprit: a mismatch shows that someone equivocated, not who.
 */
export const checkTranscripts = (own: Uint8Array, theirs: ReadonlyMap<PartyId, Uint8Array>): void => {
  for (const [party, transcript] of theirs)
    if (!bytesEqual(own, transcript))
      throw new KeepsetError('abort/transcript-mismatch', `${party} saw a different run.`, {
        hint: 'Nothing was accepted. Start again; if it happens again, one of the parties is dishonest.',
      });
};

/**
 * Presignatures: the two rounds that do not need the message, run ahead and kept, so that signing costs one message
 * each way and a few scalar operations.
 *
 * A presignature fixes the nonce point before the message. It is bound to key, epoch, quorum and derivation path,
 * is never re-randomised, and serves once: mark it as consumed durably, before the first byte derived from it
 * leaves. Two signatures from one presignature reveal the key.
 *
 * The pipelined form of §3.3 and §3.5 is the same machine used at once: the responder answers with its round-2
 * message only together with its fragment for the message it was asked to sign, so the nonce is not known before
 * the message is fixed.
 *
 * @spec eprint 2023/765 §3.3, §3.5; eprint 2021/1330 for what presigning costs in security
 */
import * as v from 'valibot';
import { policyLimits } from '@keepset/access';
import {
  KeepsetError,
  Secret,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  hashValue,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { checkSignParams, type Rng, type SignRequest } from '../ceremony.ts';
import { decodeScalars, encodeScalars } from '../curve/scalars.ts';
import type { KeyShare } from '../key.ts';
import { startMachine, type Participation, type PartyId, type Step } from '../machine.ts';
import { checkQuorum } from '../sharing.ts';
import { prepareNonce } from './prepare.ts';
import { exchangeFragments, signingRun } from './sign.ts';
import { checkDigest } from './signature.ts';
import type { EcdsaSuite } from './suites.ts';

/** What a presignature is about. */
export interface PresignParams {
  readonly share: KeyShare;
  /** 32 random bytes from the initiator. */
  readonly session: Uint8Array;
  /** Signing parties in policy order: a quorum in which each is needed for its part of the policy. */
  readonly quorum: readonly PartyId[];
  /** Non-hardened BIP 32 indices of the child key. */
  readonly path?: readonly number[];
  readonly rng?: Rng;
}

/** One party's half-made signature. */
export interface Presignature {
  /** 32 bytes, the same for all parties of the quorum. */
  readonly id: Uint8Array;
  readonly scheme: EcdsaSuite['scheme'];
  readonly keyId: string;
  readonly epoch: number;
  readonly party: PartyId;
  readonly quorum: readonly PartyId[];
  readonly path: readonly number[];
  /** The key it signs for, derived along `path`; 33 bytes. */
  readonly publicKey: Uint8Array;
  /** Nonce point R, 33 bytes. */
  readonly nonce: Uint8Array;
  /** φ_i ‖ u_i ‖ v_i, 32 bytes each; wiped by the signature it makes. */
  readonly secret: Secret;
}

/** Binds every message of a presigning run to key, epoch, sharing, quorum and path. */
const presignContext = (params: PresignParams): Uint8Array =>
  hashValue('keepset/ecdsa/context/presign/v1', {
    scheme: params.share.group.scheme,
    keyId: params.share.group.keyId,
    epoch: params.share.group.epoch,
    sharing: params.share.group.commitments,
    session: params.session,
    quorum: params.quorum,
    path: params.path ?? [],
  });

/**
 * Starts the two rounds of presigning. The result is this party's presignature.
 * @throws KeepsetError `input/invalid-argument`, `policy/unsatisfied`, `place/damaged`; later `abort/*` naming the
 * culprits, among which `abort/banned` is terminal for the pair.
 */
export const startEcdsaPresign = (suite: EcdsaSuite, params: PresignParams): Step<Presignature> => {
  const { share, quorum, path = [] } = params;
  const [digest = 'sha256'] = suite.digests;
  checkSignParams({ ...params, request: { message: new Uint8Array(), digest, path } });
  const run = signingRun(suite, params, path, {
    context: presignContext(params),
    me: share.party,
    peers: quorum.filter((other) => other !== share.party),
    rounds: 2,
  });
  const { curve } = suite;
  return startMachine(run.who, () =>
    prepareNonce(run, (prepared) => {
      const nonce = curve.encodePoint(prepared.nonce);
      return {
        result: {
          id: hashValue('keepset/ecdsa/presignature/v1', { session: prepared.session, nonce }),
          scheme: suite.scheme,
          keyId: share.group.keyId,
          epoch: share.group.epoch,
          party: share.party,
          quorum: [...quorum],
          path: [...path],
          publicKey: curve.encodePoint(run.publicKey),
          nonce,
          secret: new Secret(encodeScalars(curve, [prepared.mask, prepared.nonceShare, prepared.keyShare])),
        },
      };
    }),
  );
};

/** What a presigned signature is about. */
export interface PresignedParams {
  /** Consumed once it is found to fit, whether or not a signature comes of it. */
  readonly presignature: Presignature;
  /** The key at its present epoch. */
  readonly share: Pick<KeyShare, 'group' | 'party'>;
  readonly request: SignRequest;
}

/**
 * Starts signing with a presignature: one round, after which every party has the signature, verified.
 * @throws KeepsetError `abort/state-consumed` for a presignature used before, `abort/wrong-epoch` for one of another
 * epoch, `input/invalid-argument` where it does not fit key, party or path, `policy/unsatisfied` and
 * `abort/unknown-party` where its quorum is none of the key; later `abort/*`.
 */
export const startEcdsaSignPresigned = (suite: EcdsaSuite, params: PresignedParams): Step<Uint8Array> => {
  const { presignature, share, request } = params;
  const { curve } = suite;
  checkFits(suite, params);
  const scalars = takeScalars(suite, presignature);
  const publicKey = curve.decodePoint(presignature.publicKey);
  const nonce = curve.decodePoint(presignature.nonce);
  if (publicKey === undefined || nonce === undefined) throw damaged();
  const who: Participation = {
    context: hashValue('keepset/ecdsa/context/sign-presigned/v1', {
      presignature: presignature.id,
      keyId: presignature.keyId,
      epoch: presignature.epoch,
      quorum: presignature.quorum,
      path: presignature.path,
      message: request.message,
      digest: request.digest,
    }),
    me: share.party,
    peers: presignature.quorum.filter((other) => other !== share.party),
    rounds: 1,
  };
  return startMachine(who, () =>
    exchangeFragments(suite, {
      who,
      publicKey,
      prepared: { nonce, mask: scalars[0], nonceShare: scalars[1], keyShare: scalars[2] },
      request,
    }),
  );
};

const damaged = (): KeepsetError => new KeepsetError('place/damaged', 'This presignature is damaged.');

const checkFits = (suite: EcdsaSuite, { presignature, share, request }: PresignedParams): void => {
  const invalid = (what: string): KeepsetError => new KeepsetError('input/invalid-argument', what);
  checkDigest(suite, request);
  if (request.taproot !== undefined) throw invalid('A Taproot tweak belongs to schnorr-secp256k1 only.');
  if (presignature.scheme !== suite.scheme || presignature.keyId !== share.group.keyId)
    throw invalid('This presignature belongs to another key.');
  if (presignature.epoch !== share.group.epoch)
    throw new KeepsetError('abort/wrong-epoch', 'This presignature belongs to another epoch of the key.');
  if (presignature.party !== share.party) throw invalid('This presignature belongs to another party.');
  const path = request.path ?? [];
  if (path.length !== presignature.path.length || path.some((index, i) => index !== presignature.path[i]))
    throw invalid('This presignature belongs to another derivation path.');
  // Two runs that both advanced the key to this epoch may have given it different policies.
  checkQuorum(share.group, presignature.quorum);
};

/** Reads the secret and wipes it. */
const takeScalars = (
  { curve }: EcdsaSuite,
  presignature: Presignature,
): readonly [bigint, bigint, bigint] => {
  const [mask, nonceShare, keyShare] = decodeScalars(curve, presignature.secret.reveal(), 3) ?? [];
  presignature.secret.wipe();
  if (mask === undefined || nonceShare === undefined || keyShare === undefined) throw damaged();
  return [mask, nonceShare, keyShare];
};

interface Encoded {
  readonly version: 1;
  readonly id: Uint8Array;
  readonly scheme: EcdsaSuite['scheme'];
  readonly keyId: string;
  readonly epoch: number;
  readonly party: PartyId;
  readonly quorum: readonly PartyId[];
  readonly path: readonly number[];
  readonly publicKey: Uint8Array;
  readonly nonce: Uint8Array;
  readonly secret: Uint8Array;
}

const schema: Schema<Encoded> = v.strictObject({
  version: v.literal(1),
  id: bytesOfLength(32),
  scheme: v.picklist(['ecdsa-secp256k1', 'ecdsa-p256']),
  keyId: v.string(),
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  party: v.string(),
  quorum: v.pipe(v.array(v.string()), v.minLength(2), v.maxLength(policyLimits.parties)),
  path: v.pipe(v.array(integerBetween(0, 0x7fffffff)), v.maxLength(255)),
  publicKey: bytesOfLength(33),
  nonce: bytesOfLength(33),
  secret: bytesOfLength(96),
});

/** The presignature as secret bytes, to be kept sealed. @throws KeepsetError `abort/state-consumed` once it is used. */
export const encodePresignature = (presignature: Presignature): Secret =>
  new Secret(encodeCbor({ version: 1, ...presignature, secret: presignature.secret.reveal() }));

/** @throws KeepsetError `place/damaged` */
export const decodePresignature = (bytes: Uint8Array): Presignature => {
  let encoded: Encoded;
  try {
    encoded = decodeAs(schema, bytes, 'presignature');
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'This presignature is damaged.', { cause });
  }
  const { version: _, secret, ...rest } = encoded;
  return { ...rest, secret: new Secret(secret.slice()) };
};

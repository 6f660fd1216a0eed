import { KeepsetError } from '@keepset/bytes';
import type { Digest, KeygenParams, SignParams, SignRequest } from './ceremony.ts';
import { deriveChild } from './derive.ts';
import { openingChallenge, type OpeningChallenge } from './ecdh/challenge.ts';
import { checkOpenParams, startOpen, type OpenParams, type OpenedPoint } from './ecdh/open.ts';
import { ecdhP256Suite } from './ecdh/suite.ts';
import { isConsistentEcdsaShare } from './ecdsa/consistency.ts';
import { startEcdsaKeygen } from './ecdsa/keygen.ts';
import {
  startEcdsaPresign,
  startEcdsaSignPresigned,
  type PresignParams,
  type Presignature,
  type PresignedParams,
} from './ecdsa/presign.ts';
import { startEcdsaSign } from './ecdsa/sign.ts';
import { verifyEcdsa } from './ecdsa/signature.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite, type EcdsaSuite } from './ecdsa/suites.ts';
import { isConsistentFrostShare } from './frost/consistency.ts';
import { startFrostKeygen } from './frost/keygen.ts';
import { startFrostSign } from './frost/sign.ts';
import { ed25519Suite, schnorrSuite, taprootOutputKey } from './frost/suites.ts';
import type { GroupKey, KeyShare, Scheme } from './key.ts';
import type { RefreshParams, RepairParams, Reshared, ReshareParams } from './life/ceremony.ts';
import { deriveShareOf } from './life/derive.ts';
import { ecdsaLife } from './life/ecdsa.ts';
import { frostLife } from './life/frost.ts';
import { startRefresh } from './life/refresh.ts';
import { startRepair } from './life/repair.ts';
import { startReshare } from './life/reshare.ts';
import type { LifeSuite } from './life/suite.ts';
import type { Step } from './machine.ts';

/** The one face every scheme has. */
export interface SchemeProtocol {
  readonly scheme: Scheme;
  /** Digests a {@link SignRequest} may name. */
  readonly digests: readonly Digest[];
  startKeygen(params: KeygenParams): Step<KeyShare>;
  startSign(params: SignParams): Step<Uint8Array>;
  /** Whether `signature` is valid for the request under the key; false for anything malformed. */
  verify(
    group: Pick<GroupKey, 'publicKey' | 'chainCode'>,
    request: SignRequest,
    signature: Uint8Array,
  ): boolean;
  /** New shares for the same parties at the next epoch; an old one is worth nothing beside them. */
  startRefresh(params: RefreshParams): Step<KeyShare>;
  /** A lost share again, from a quorum of helpers. A helper's result is its own share. */
  startRepair(params: RepairParams): Step<KeyShare>;
  /** The same key under a new policy at the next epoch, dealt by a quorum of the old parties. */
  startReshare(params: ReshareParams): Step<Reshared>;
  /**
   * The share of a child key. An ECDSA child keeps the pairwise setups of its parent: a ban for one is a ban for both.
   * @throws KeepsetError as {@link deriveGroup}
   */
  deriveShare(share: KeyShare, path: readonly number[]): KeyShare;
  /** Whether the share fits the key's public data, and the public data fit one another; false for anything malformed. */
  checkShare(share: KeyShare): boolean;
  /** Only ECDSA schemes: signing with most of the work done ahead. */
  readonly presigning?: PresigningProtocol;
  /** Only `ecdh-p256`, whose keys open sealed files and sign nothing: `startSign` throws `input/unsupported`. */
  readonly opening?: OpeningProtocol;
}

/** Rounds that run before the message is known, and the one that needs it. */
export interface PresigningProtocol {
  startPresign(params: PresignParams): Step<Presignature>;
  startSign(params: PresignedParams): Step<Uint8Array>;
}

/** ECDH of the key with a file's ephemeral point, by a quorum. */
export interface OpeningProtocol {
  /**
   * Everything that can be checked before the share is used.
   * @throws KeepsetError as `startOpen`, except `place/damaged`
   */
  checkOpen(params: OpenParams): void;
  startOpen(params: OpenParams): Step<OpenedPoint>;
  /** An opening that opens nothing, for drills. */
  challengeOf(seed: Uint8Array): OpeningChallenge;
}

const falseIfThrows = (check: () => boolean): boolean => {
  try {
    return check();
  } catch {
    return false;
  }
};

const lifeOf = <S>(
  suite: LifeSuite<S>,
): Pick<SchemeProtocol, 'startRefresh' | 'startRepair' | 'startReshare' | 'deriveShare'> => ({
  startRefresh: (params) => startRefresh(suite, params),
  startRepair: (params) => startRepair(suite, params),
  startReshare: (params) => startReshare(suite, params),
  deriveShare: (share, path) => deriveShareOf(suite, share, path),
});

const ed25519Protocol: SchemeProtocol = {
  ...lifeOf(frostLife(ed25519Suite)),
  scheme: 'ed25519',
  digests: ['none'],
  startKeygen: (params) => startFrostKeygen(ed25519Suite, params),
  startSign: (params) => startFrostSign(ed25519Suite, params),
  checkShare: (share) => falseIfThrows(() => isConsistentFrostShare(ed25519Suite, share)),
  verify: ({ publicKey }, request, signature) =>
    falseIfThrows(
      () => (request.path ?? []).length === 0 && ed25519Suite.verify(signature, request.message, publicKey),
    ),
};

const schnorrProtocol: SchemeProtocol = {
  ...lifeOf(frostLife(schnorrSuite)),
  scheme: 'schnorr-secp256k1',
  digests: ['none'],
  startKeygen: (params) => startFrostKeygen(schnorrSuite, params),
  startSign: (params) => startFrostSign(schnorrSuite, params),
  checkShare: (share) => falseIfThrows(() => isConsistentFrostShare(schnorrSuite, share)),
  verify: (group, request, signature) =>
    falseIfThrows(() => {
      const { publicKey } = deriveChild(schnorrSuite.curve, group, request.path ?? []);
      const key = request.taproot === undefined ? publicKey : taprootOutputKey(publicKey, request.taproot);
      return schnorrSuite.verify(signature, request.message, key);
    }),
};

const ecdsaProtocol = (suite: EcdsaSuite): SchemeProtocol => ({
  ...lifeOf(ecdsaLife(suite)),
  scheme: suite.scheme,
  digests: suite.digests,
  startKeygen: (params) => startEcdsaKeygen(suite, params),
  startSign: (params) => startEcdsaSign(suite, params),
  checkShare: (share) => falseIfThrows(() => isConsistentEcdsaShare(suite, share)),
  presigning: {
    startPresign: (params) => startEcdsaPresign(suite, params),
    startSign: (params) => startEcdsaSignPresigned(suite, params),
  },
  verify: (group, request, signature) =>
    falseIfThrows(() => {
      const { publicKey } = deriveChild(suite.curve, group, request.path ?? []);
      return verifyEcdsa(suite, publicKey, request, signature);
    }),
});

const ecdhProtocol: SchemeProtocol = {
  ...lifeOf(frostLife(ecdhP256Suite)),
  scheme: 'ecdh-p256',
  digests: [],
  startKeygen: (params) => startFrostKeygen(ecdhP256Suite, params),
  startSign: () => {
    throw new KeepsetError('input/unsupported', 'An ecdh-p256 key opens sealed files; it does not sign.', {
      hint: 'Seal with `keepset seal`, open with `keepset open`. To sign, make a key of another scheme.',
    });
  },
  checkShare: (share) => falseIfThrows(() => isConsistentFrostShare(ecdhP256Suite, share)),
  opening: {
    checkOpen: (params) => checkOpenParams(ecdhP256Suite, params),
    startOpen: (params) => startOpen(ecdhP256Suite, params),
    challengeOf: openingChallenge,
  },
  verify: () => false,
};

const protocols: ReadonlyMap<Scheme, SchemeProtocol> = new Map(
  [
    ed25519Protocol,
    schnorrProtocol,
    ecdsaProtocol(ecdsaSecp256k1Suite),
    ecdsaProtocol(ecdsaP256Suite),
    ecdhProtocol,
  ].map((protocol) => [protocol.scheme, protocol]),
);

/** Schemes that keys can be made of. */
export const supportedSchemes: readonly Scheme[] = [...protocols.keys()];

/** @throws KeepsetError `input/unsupported` */
export const protocolFor = (scheme: Scheme): SchemeProtocol => {
  const protocol = protocols.get(scheme);
  if (protocol === undefined)
    throw new KeepsetError('input/unsupported', `Scheme ${scheme} is not supported.`, {
      hint: `Use one of ${supportedSchemes.join(', ')}.`,
    });
  return protocol;
};

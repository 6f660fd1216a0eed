/**
 * An ECDSA scheme's part in the life of a key: beside its share scalar a party keeps, for each peer, seeds of the OT
 * extension and of zero sharing. Refresh and reshare make them anew between all holders, repair between the target
 * and each helper, by the same three messages as key generation.
 * @spec eprint 2023/765 Protocol 7.1, the parts that serve the multiplication
 */
import {
  KeepsetError,
  bytesEqual,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  hashValue,
  type CborValue,
  type Schema,
} from '@keepset/bytes';
import type { Rng } from '../ceremony.ts';
import type { BaseOtRequest } from '../ecdsa/ot-base.ts';
import { answerSchema, completionSchema } from '../ecdsa/keygen-messages.ts';
import {
  answerSetup,
  completeSetup,
  finishSetup,
  requestSetup,
  setupIdOf,
  type AnsweredSetup,
  type PairDirections,
  type PairNames,
  type SetupAnswer,
  type SetupCompletion,
} from '../ecdsa/pair-setup.ts';
import { securityBits } from '../ecdsa/parameters.ts';
import { decodeSecret, encodeSecret, type PairState } from '../ecdsa/secret.ts';
import type { EcdsaSuite } from '../ecdsa/suites.ts';
import type { PartyId } from '../machine.ts';
import { blame, bodySchema } from './messages.ts';
import type { LifeSuite, Pair, PairSetup, PairStep } from './suite.ts';

export const ecdsaLife = (suite: EcdsaSuite): LifeSuite<PairState> => ({
  scheme: suite.scheme,
  curve: suite.curve,
  openSecret: (share) => decodeSecret(suite.curve, share),
  sealSecret: (secret) => encodeSecret(suite.curve, secret),
  startPair: (pair, rng) => startPairSetup(suite, pair, rng),
});

interface First {
  readonly random: Uint8Array;
  readonly zeroCommitment: Uint8Array;
  /** From the earlier party. */
  readonly request?: Uint8Array;
}
interface Second {
  readonly zeroPart: Uint8Array;
  readonly salt: Uint8Array;
  /** From the later party. */
  readonly setup?: SetupAnswer;
}
interface Third {
  /** From the earlier party. */
  readonly setup?: SetupCompletion;
}

/** A pair's setup as one party sees it. */
interface Run {
  readonly suite: EcdsaSuite;
  readonly pair: Pair;
  readonly names: PairNames;
  readonly rng: Rng;
  /** The own random contribution. */
  readonly random: Uint8Array;
  /** The own half of the seed for shares of zero. */
  readonly zero: Pick<Second, 'zeroPart' | 'salt'>;
  /** The earlier party's. */
  readonly request: BaseOtRequest | undefined;
}

const startPairSetup = (suite: EcdsaSuite, pair: Pair, rng: Rng): PairSetup<PairState> => {
  const { context, me, peer, isEarlier } = pair;
  const [earlier, later] = isEarlier ? [me, peer] : [peer, me];
  const names: PairNames = { context, earlier, later };
  const random = rng(32);
  const zero = { zeroPart: rng(32), salt: rng(32) };
  const request = isEarlier ? requestSetup(suite, names, random, rng) : undefined;
  const run: Run = { suite, pair, names, rng, random, zero, request };
  const zeroCommitment = zeroCommitmentOf(context, me, peer, zero);
  return {
    part: encodeCbor({ random, zeroCommitment, request: request?.message }),
    next: (theirs) => secondStep(run, theirs),
  };
};

/** What is known after the peer's first part. */
interface Opened {
  readonly theirFirst: First;
  /** The random contributions of both, the earlier party's first. */
  readonly contributions: readonly [Uint8Array, Uint8Array];
  /** The later party's. */
  readonly answered: AnsweredSetup | undefined;
}

const secondStep = (run: Run, theirs: Uint8Array): PairStep<PairStep<PairState>> => {
  const { suite, pair, names, rng, random, zero } = run;
  const { peer, isEarlier } = pair;
  const theirFirst = read(peer, firstSchema(suite.curve.pointBytes, !isEarlier), theirs);
  const contributions: Opened['contributions'] = isEarlier
    ? [random, theirFirst.random]
    : [theirFirst.random, random];
  let answered: AnsweredSetup | undefined;
  if (theirFirst.request !== undefined) {
    answered = answerSetup(suite, names, contributions, theirFirst.request, rng);
    if (answered === undefined)
      throw blame('abort/malformed-message', peer, 'sent points that are none for the base OTs.');
  }
  const opened: Opened = { theirFirst, contributions, answered };
  return {
    part: encodeCbor({ ...zero, setup: toCbor(answered?.message) }),
    next: (theirSecond) => thirdStep(run, opened, theirSecond),
  };
};

const thirdStep = (run: Run, opened: Opened, theirs: Uint8Array): PairStep<PairState> => {
  const { suite, pair, names, request } = run;
  const { context, me, peer, isEarlier } = pair;
  const { theirFirst, contributions } = opened;
  const second = read(peer, secondSchema(suite.curve.pointBytes, isEarlier), theirs);
  if (!bytesEqual(zeroCommitmentOf(context, peer, me, second), theirFirst.zeroCommitment))
    throw blame('abort/bad-commitment', peer, 'opened something else than it committed to.');
  const completed =
    request === undefined || second.setup === undefined
      ? undefined
      : completeSetup(suite, names, contributions, request, second.setup);
  if (isEarlier && completed === undefined) throw failedCheck(peer);
  return {
    part: encodeCbor({ setup: toCbor(completed?.message) }),
    next: (theirThird) => {
      const { setup } = read(peer, thirdSchema(!isEarlier), theirThird);
      const directions = completed?.directions ?? finishAsLater(run, opened, setup);
      const zeroSeed = zeroSeedOf(run, opened, second.zeroPart);
      return { zeroSeed, ...directions };
    },
  };
};

const finishAsLater = (
  { suite, pair, names }: Run,
  { contributions, answered }: Opened,
  completion: SetupCompletion | undefined,
): PairDirections => {
  const directions =
    answered === undefined || completion === undefined
      ? undefined
      : finishSetup(suite, names, contributions, answered, completion);
  if (directions === undefined) throw failedCheck(pair.peer);
  return directions;
};

const zeroSeedOf = (
  { pair, names, zero }: Run,
  { contributions }: Opened,
  theirPart: Uint8Array,
): Uint8Array =>
  hashValue('keepset/ecdsa/zero-seed/v1', {
    setup: setupIdOf(names, contributions),
    parts: pair.isEarlier ? [zero.zeroPart, theirPart] : [theirPart, zero.zeroPart],
  });

const read = <T>(peer: PartyId, schema: Schema<T>, bytes: Uint8Array): T => {
  try {
    return decodeAs(schema, bytes, 'pair setup');
  } catch (cause) {
    throw new KeepsetError('abort/malformed-message', `${peer} sent a malformed part of the setup.`, {
      culprits: [peer],
      cause,
    });
  }
};

const firstSchema = (pointBytes: number, fromEarlier: boolean): Schema<First> =>
  bodySchema<First>({
    random: bytesOfLength(32),
    zeroCommitment: bytesOfLength(32),
    request: fromEarlier ? bytesOfLength(2 * securityBits * pointBytes) : undefined,
  });

/** @param fromLater whether the sender is the later party of the pair. */
const secondSchema = (pointBytes: number, fromLater: boolean): Schema<Second> =>
  bodySchema<Second>({
    zeroPart: bytesOfLength(32),
    salt: bytesOfLength(32),
    setup: fromLater ? answerSchema(pointBytes) : undefined,
  });

const thirdSchema = (fromEarlier: boolean): Schema<Third> =>
  bodySchema<Third>({ setup: fromEarlier ? completionSchema : undefined });

const zeroCommitmentOf = (
  context: Uint8Array,
  from: PartyId,
  to: PartyId,
  { zeroPart, salt }: Pick<Second, 'zeroPart' | 'salt'>,
): Uint8Array => hashValue('keepset/ecdsa/zero-part/v1', { context, from, to, zeroPart, salt });

const failedCheck = (peer: PartyId): KeepsetError =>
  blame('abort/bad-proof', peer, 'failed a check of the OT setup.');

const toCbor = (fields: SetupAnswer | SetupCompletion | undefined): CborValue | undefined =>
  fields === undefined ? undefined : { ...fields };

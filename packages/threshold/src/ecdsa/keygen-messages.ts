/** The messages of an ECDSA key generation. */
import * as v from 'valibot';
import { bytesOfLength, type Schema } from '@keepset/bytes';
import { extensionLengths } from './ot-extension.ts';
import type { SetupAnswer, SetupCompletion } from './pair-setup.ts';
import { securityBits } from './parameters.ts';
import { punctureLengths } from './puncture.ts';

/** To everyone: randomness and a commitment; to the peer: a commitment, and from the earlier to the later party a base OT request. */
export interface Round1 {
  readonly random: Uint8Array;
  readonly commitment: Uint8Array;
  readonly pairCommitment: Uint8Array;
  readonly request?: Uint8Array | undefined;
}

/** What `commitment` commits to. */
export interface Opening {
  /** Images of the dealer's coefficients, one for each column of the sharing matrix. */
  readonly points: Uint8Array[];
  readonly chainPart: Uint8Array;
  readonly salt: Uint8Array;
}

/** What `pairCommitment` commits to. */
export interface PairOpening {
  /** The recipient's sub-shares, one after another. */
  readonly share: Uint8Array;
  /** Half of the seed for shares of zero. */
  readonly zeroPart: Uint8Array;
  readonly pairSalt: Uint8Array;
}

/** Both openings, and from the later to the earlier party the answer of their setup. */
export interface Round2 extends Opening, PairOpening {
  readonly setup?: SetupAnswer | undefined;
}

/** Hash of what the sender saw, and from the earlier to the later party the completion of their setup. */
export interface Round3 {
  readonly transcript: Uint8Array;
  readonly setup?: SetupCompletion | undefined;
}

/** The sender has its share. */
export interface Round4 {
  readonly transcript: Uint8Array;
}

const round1Fields = {
  random: bytesOfLength(32),
  commitment: bytesOfLength(32),
  pairCommitment: bytesOfLength(32),
};

/** @param fromEarlier whether the sender is the earlier party of the pair. */
export const round1Schema = (pointBytes: number, fromEarlier: boolean): Schema<Round1> =>
  fromEarlier
    ? v.strictObject({ ...round1Fields, request: bytesOfLength(2 * securityBits * pointBytes) })
    : v.strictObject(round1Fields);

const punctureFields = {
  corrections: bytesOfLength(punctureLengths.corrections),
  sums: bytesOfLength(punctureLengths.sums),
  digests: bytesOfLength(punctureLengths.digests),
};

/** Message 2 of a pair's setup. */
export const answerSchema = (pointBytes: number): Schema<SetupAnswer> => {
  const lengths = extensionLengths(securityBits);
  return v.strictObject({
    baseOts: bytesOfLength(2 * securityBits * pointBytes),
    ...punctureFields,
    vectors: bytesOfLength(lengths.vectors),
    choiceCheck: bytesOfLength(lengths.choiceCheck),
    rowCheck: bytesOfLength(lengths.rowCheck),
  });
};

/** Message 3 of a pair's setup. */
export const completionSchema: Schema<SetupCompletion> = v.strictObject(punctureFields);

/**
 * @param columns of the sharing matrix
 * @param rows of the recipient
 */
export const round2Schema = (
  pointBytes: number,
  columns: number,
  rows: number,
  fromEarlier: boolean,
): Schema<Round2> => {
  const fields = {
    // Exactly one for each column: more would silently change the policy.
    points: v.pipe(v.array(bytesOfLength(pointBytes)), v.length(columns)),
    chainPart: bytesOfLength(32),
    salt: bytesOfLength(32),
    share: bytesOfLength(32 * rows),
    zeroPart: bytesOfLength(32),
    pairSalt: bytesOfLength(32),
  };
  return fromEarlier
    ? v.strictObject(fields)
    : v.strictObject({ ...fields, setup: answerSchema(pointBytes) });
};

export const round3Schema = (fromEarlier: boolean): Schema<Round3> =>
  fromEarlier
    ? v.strictObject({ transcript: bytesOfLength(32), setup: completionSchema })
    : v.strictObject({ transcript: bytesOfLength(32) });

export const round4Schema: Schema<Round4> = v.strictObject({ transcript: bytesOfLength(32) });

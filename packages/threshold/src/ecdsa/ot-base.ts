/**
 * Base oblivious transfer: the two-message endemic OT from Diffie–Hellman over the signing curve.
 *
 * For OT number i and choice bit c, with group generator G and a random oracle H into the group:
 *
 *     receiver   a ← Z_q,  r_{1−c} ← uniform point,  r_c = a·G − H(i, c, r_{1−c})      sends r_0, r_1
 *     sender     b_j ← Z_q,  B_j = b_j·G,  K_j = b_j·(r_j + H(i, j, r_{1−j}))          sends B_0, B_1
 *                seed_j = hash(i, j, r_0, r_1, B_j, K_j)
 *     receiver   K_c = a·B_c, hence seed_c
 *
 * Every OT has its own a, b_0 and b_1; nothing is shared across the batch.
 *
 * @spec eprint 2019/706 Figure 8, with the Diffie–Hellman key agreement
 */
import { concatBytes, hashValue, utf8ToBytes } from '@keepset/bytes';
import type { EcdsaCurve, GroupPoint, HashPort, RandomBytes } from '../curve/port.ts';
import { bitAt, selectBytes } from './bits.ts';
import { seedBytes } from './parameters.ts';

/** What both sides use: the curve, the hash and how many OTs to run. */
export interface BaseOtSetting {
  readonly curve: EcdsaCurve;
  readonly hash: HashPort;
  readonly count: number;
}

/** What the receiver keeps between its two steps. */
export interface BaseOtRequest {
  /** r_0 ‖ r_1 for each OT. */
  readonly message: Uint8Array;
  readonly choices: Uint8Array;
  readonly exponents: readonly bigint[];
}

const domain = 'keepset/ecdsa/base-ot/v1';

/** H(i, bit, r) */
const maskPoint = (
  setting: BaseOtSetting,
  tag: Uint8Array,
  index: number,
  bit: number,
  other: Uint8Array,
): GroupPoint =>
  setting.curve.hashToPoint(concatBytes(tag, Uint8Array.of(index >> 8, index & 255, bit), other), domain);

const slice = (bytes: Uint8Array, length: number, index: number): Uint8Array =>
  bytes.subarray(length * index, length * (index + 1));

/**
 * Receiver, first message.
 * @param tag 32 bytes that bind session, direction and the receiver's randomness.
 * @param choices `count` secret bits.
 */
export const requestBaseOts = (
  setting: BaseOtSetting,
  tag: Uint8Array,
  choices: Uint8Array,
  random: RandomBytes,
): BaseOtRequest => {
  const { curve, count } = setting;
  const indices = Array.from({ length: count }, (_, i) => i);
  const exponents = indices.map(() => curve.randomScalar(random));
  const others = curve.encodePoints(indices.map(() => curve.multiplyGenerator(curve.randomScalar(random))));
  const chosen = curve.encodePoints(
    exponents.map((exponent, i) =>
      curve.subtract(
        curve.multiplyGenerator(exponent),
        maskPoint(setting, tag, i, bitAt(choices, i), others[i] as Uint8Array),
      ),
    ),
  );
  const message = concatBytes(
    ...indices.flatMap((i) => {
      const bit = bitAt(choices, i);
      const own = chosen[i] as Uint8Array;
      const other = others[i] as Uint8Array;
      return [selectBytes(bit, own, other), selectBytes(bit, other, own)];
    }),
  );
  return { message, choices, exponents };
};

/** What the sender sends and keeps. */
export interface BaseOtAnswer {
  /** B_0 ‖ B_1 for each OT. */
  readonly message: Uint8Array;
  /** seed_0 ‖ seed_1 for each OT. */
  readonly pairs: Uint8Array;
}

/**
 * Sender.
 * @param keyTag 32 bytes that bind session, direction and the randomness of both sides.
 * @returns undefined if the request has a point that is not one.
 */
export const answerBaseOts = (
  setting: BaseOtSetting,
  tag: Uint8Array,
  keyTag: Uint8Array,
  request: Uint8Array,
  random: RandomBytes,
): BaseOtAnswer | undefined => {
  const { curve, count } = setting;
  const exponents: bigint[] = [];
  const shared: GroupPoint[] = [];
  for (let i = 0; i < count; i++) {
    const encoded = [slice(request, curve.pointBytes, 2 * i), slice(request, curve.pointBytes, 2 * i + 1)];
    for (let bit = 0; bit < 2; bit++) {
      const point = curve.decodePoint(encoded[bit] as Uint8Array);
      if (point === undefined) return undefined;
      const masked = curve.add(point, maskPoint(setting, tag, i, bit, encoded[1 - bit] as Uint8Array));
      if (curve.isIdentity(masked)) return undefined;
      const exponent = curve.randomScalar(random);
      exponents.push(exponent);
      shared.push(curve.multiply(masked, exponent));
    }
  }
  const answers = curve.encodePoints(exponents.map((exponent) => curve.multiplyGenerator(exponent)));
  const keys = curve.encodePoints(shared);
  const pairs = keys.map((key, n) =>
    seedOf(
      setting,
      keyTag,
      n >> 1,
      n & 1,
      slice(request, 2 * curve.pointBytes, n >> 1),
      answers[n] as Uint8Array,
      key,
    ),
  );
  return { message: concatBytes(...answers), pairs: concatBytes(...pairs) };
};

/** Receiver, at the end. @returns the chosen seed of each OT; undefined if the answer has a point that is not one. */
export const finishBaseOts = (
  setting: BaseOtSetting,
  keyTag: Uint8Array,
  request: BaseOtRequest,
  answer: Uint8Array,
): Uint8Array | undefined => {
  const { curve, count } = setting;
  const chosen: Uint8Array[] = [];
  const shared: GroupPoint[] = [];
  for (let i = 0; i < count; i++) {
    const zero = slice(answer, curve.pointBytes, 2 * i);
    const one = slice(answer, curve.pointBytes, 2 * i + 1);
    // Both are checked, so that which of them is bad makes no difference that depends on the choice.
    if (curve.decodePoint(zero) === undefined || curve.decodePoint(one) === undefined) return undefined;
    const own = selectBytes(bitAt(request.choices, i), zero, one);
    const point = curve.decodePoint(own);
    if (point === undefined) return undefined;
    chosen.push(own);
    shared.push(curve.multiply(point, request.exponents[i] as bigint));
  }
  return concatBytes(
    ...curve
      .encodePoints(shared)
      .map((key, i) =>
        seedOf(
          setting,
          keyTag,
          i,
          bitAt(request.choices, i),
          slice(request.message, 2 * curve.pointBytes, i),
          chosen[i] as Uint8Array,
          key,
        ),
      ),
  );
};

const seedOf = (
  { hash }: BaseOtSetting,
  keyTag: Uint8Array,
  index: number,
  bit: number,
  request: Uint8Array,
  answer: Uint8Array,
  key: Uint8Array,
): Uint8Array => {
  const place = Uint8Array.of(index >> 8, index & 255, bit);
  return hash.sha256(concatBytes(seedPrefix, keyTag, place, request, answer, key)).subarray(0, seedBytes);
};
const seedPrefix = utf8ToBytes('keepset/ecdsa/base-ot/seed/v1');

/** The tag of a request: what the receiver knows when it sends the first message. */
export const requestTag = (
  context: Uint8Array,
  receiver: string,
  sender: string,
  random: Uint8Array,
): Uint8Array => hashValue('keepset/ecdsa/base-ot/request/v1', { context, receiver, sender, random });

/**
 * The setup of one pair: each of the two becomes sender of the OT extension in one direction and receiver in the
 * other. Three messages; the earlier party of the policy order speaks first.
 *
 *     1  earlier → later   base OT request, with choices ¬Δ of the earlier party
 *     2  later → earlier   base OT answer; trees from its seeds; 128 extended OTs with choices ¬Δ of the later party
 *     3  earlier → later   trees from the extended OTs
 *
 * The trees of message 2 serve the direction in which the earlier party multiplies as Alice, those of message 3
 * the other.
 *
 * @spec eprint 2019/706 Figure 8; eprint 2022/192 Figures 13 and 14
 * @deviation The base OTs of the second direction are OTs extended in the first, not 128 more Diffie–Hellman OTs:
 * an extension realises the same endemic OT functionality, and this halves the curve operations of a setup.
 */
import { concatBytes, hashValue } from '@keepset/bytes';
import type { RandomBytes } from '../curve/port.ts';
import type { PartyId } from '../machine.ts';
import { wordsOf } from './bits.ts';
import {
  answerBaseOts,
  finishBaseOts,
  requestBaseOts,
  requestTag,
  type BaseOtRequest,
  type BaseOtSetting,
} from './ot-base.ts';
import {
  extendAsReceiver,
  extendAsSender,
  hashRows,
  type ExtensionMessage,
  type ExtensionReceiver,
  type ExtensionSender,
} from './ot-extension.ts';
import { checkBits, securityBits, seedBytes } from './parameters.ts';
import { buildTrees, evaluateTrees, type PunctureMessage } from './puncture.ts';
import type { Kernel } from './rvole.ts';

/** The two parties and what binds their setup to one ceremony. */
export interface PairNames {
  /** Context hash of the ceremony. */
  readonly context: Uint8Array;
  readonly earlier: PartyId;
  readonly later: PartyId;
}

/** Message 2 of a setup. */
export interface SetupAnswer extends PunctureMessage, ExtensionMessage {
  readonly baseOts: Uint8Array;
}

/** Message 3 of a setup. */
export type SetupCompletion = PunctureMessage;

/** What both directions have come to. */
export interface PairDirections {
  readonly sender: ExtensionSender;
  readonly receiver: ExtensionReceiver;
}

const settingOf = (kernel: Kernel): BaseOtSetting => ({ ...kernel, count: securityBits });

/** Names a setup by its ceremony, its parties and the randomness of both. */
export const setupIdOf = (
  { context, earlier, later }: PairNames,
  contributions: readonly [Uint8Array, Uint8Array],
): Uint8Array => hashValue('keepset/ecdsa/pair-setup/v1', { context, earlier, later, contributions });

const tagOf = (purpose: string, setup: Uint8Array): Uint8Array =>
  hashValue(`keepset/ecdsa/pair-setup/${purpose}/v1`, { setup });

const complement = (bits: Uint8Array): Uint8Array => bits.map((byte) => ~byte);

/** Message 1, by the earlier party. @param contribution its 32 random bytes of the session. */
export const requestSetup = (
  kernel: Kernel,
  names: PairNames,
  contribution: Uint8Array,
  random: RandomBytes,
): BaseOtRequest =>
  requestBaseOts(
    settingOf(kernel),
    requestTag(names.context, names.earlier, names.later, contribution),
    random(securityBits / 8),
    random,
  );

/** What the later party keeps between messages 2 and 3. */
export interface AnsweredSetup {
  readonly message: SetupAnswer;
  readonly receiver: ExtensionReceiver;
  readonly choices: Uint8Array;
  readonly seeds: Uint8Array;
}

/** Message 2, by the later party. @returns undefined if the request is malformed. */
export const answerSetup = (
  kernel: Kernel,
  names: PairNames,
  contributions: readonly [Uint8Array, Uint8Array],
  request: Uint8Array,
  random: RandomBytes,
): AnsweredSetup | undefined => {
  const setup = setupIdOf(names, contributions);
  const tag = requestTag(names.context, names.earlier, names.later, contributions[0]);
  const base = answerBaseOts(settingOf(kernel), tag, tagOf('base-ot', setup), request, random);
  if (base === undefined) return undefined;
  const trees = buildTrees(kernel.hash, tagOf('trees-of-later', setup), base.pairs);
  base.pairs.fill(0);
  const choices = random(securityBits / 8);
  const extension = extendAsReceiver(
    kernel.hash,
    { leaves: trees.leaves },
    tagOf('extension', setup),
    choices,
    random(checkBits / 8),
  );
  return {
    message: { baseOts: base.message, ...trees.message, ...extension.message },
    receiver: { leaves: trees.leaves },
    choices,
    seeds: seedsOf(kernel, setup, extension.rows, new Int32Array(4)),
  };
};

/** The extended OTs as seeds of 16 bytes. */
const seedsOf = (kernel: Kernel, setup: Uint8Array, rows: Int32Array, offset: Int32Array): Uint8Array => {
  const digests = hashRows(kernel.hash, tagOf('extended-ots', setup), rows, offset, 1);
  const seeds = new Uint8Array(securityBits * seedBytes);
  for (let i = 0; i < securityBits; i++)
    seeds.set(digests.subarray(32 * i, 32 * i + seedBytes), seedBytes * i);
  digests.fill(0);
  return seeds;
};

/** Message 3, by the earlier party. @returns undefined if the answer is malformed or fails a check. */
export const completeSetup = (
  kernel: Kernel,
  names: PairNames,
  contributions: readonly [Uint8Array, Uint8Array],
  request: BaseOtRequest,
  answer: SetupAnswer,
): { readonly message: SetupCompletion; readonly directions: PairDirections } | undefined => {
  const setup = setupIdOf(names, contributions);
  const seeds = finishBaseOts(settingOf(kernel), tagOf('base-ot', setup), request, answer.baseOts);
  if (seeds === undefined) return undefined;
  const leaves = evaluateTrees(kernel.hash, tagOf('trees-of-later', setup), request.choices, seeds, answer);
  seeds.fill(0);
  if (leaves === undefined) return undefined;
  const sender: ExtensionSender = { delta: complement(request.choices), leaves };
  const rows = extendAsSender(kernel.hash, sender, tagOf('extension', setup), securityBits, answer);
  if (rows === undefined) return undefined;
  const zeros = seedsOf(kernel, setup, rows, new Int32Array(4));
  const ones = seedsOf(kernel, setup, rows, wordsOf(sender.delta));
  const pairs = interleave(zeros, ones);
  const trees = buildTrees(kernel.hash, tagOf('trees-of-earlier', setup), pairs);
  for (const used of [zeros, ones, pairs, rows]) used.fill(0);
  return { message: trees.message, directions: { sender, receiver: { leaves: trees.leaves } } };
};

const interleave = (zeros: Uint8Array, ones: Uint8Array): Uint8Array =>
  concatBytes(
    ...Array.from({ length: securityBits }, (_, i) => [
      zeros.subarray(seedBytes * i, seedBytes * (i + 1)),
      ones.subarray(seedBytes * i, seedBytes * (i + 1)),
    ]).flat(),
  );

/** After message 3, by the later party. @returns undefined if the message fails its check. */
export const finishSetup = (
  kernel: Kernel,
  names: PairNames,
  contributions: readonly [Uint8Array, Uint8Array],
  answered: AnsweredSetup,
  completion: SetupCompletion,
): PairDirections | undefined => {
  const tag = tagOf('trees-of-earlier', setupIdOf(names, contributions));
  const leaves = evaluateTrees(kernel.hash, tag, answered.choices, answered.seeds, completion);
  answered.seeds.fill(0);
  if (leaves === undefined) return undefined;
  return { sender: { delta: complement(answered.choices), leaves }, receiver: answered.receiver };
};

/** Runs several parties' machines against one another in memory, with a hook on every message. */
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes, decodeCbor, encodeCbor, utf8ToBytes } from '@keepset/bytes';
import type { KeygenParams, PartyId, ProtocolMessage, Rng, SignParams, Step } from '../../src/index.ts';
import { startEcdsaKeygen } from '../../src/ecdsa/keygen.ts';
import { startEcdsaPresign, type PresignParams, type Presignature } from '../../src/ecdsa/presign.ts';
import { startEcdsaSign } from '../../src/ecdsa/sign.ts';
import type { EcdsaSuite } from '../../src/ecdsa/suites.ts';
import type { KeyShare } from '../../src/index.ts';
import { sharingFor } from '../policies.ts';

/** Reproducible randomness: SHA-256 in counter mode. */
export const seededRng = (seed: string): Rng => {
  let counter = 0;
  return (length) => {
    const blocks: Uint8Array[] = [];
    for (let have = 0; have < length; have += 32)
      blocks.push(sha256(concatBytes(utf8ToBytes(seed), utf8ToBytes(`/${counter++}`))));
    return concatBytes(...blocks).slice(0, length);
  };
};

export type Outcome<R> =
  | { readonly status: 'done'; readonly result: R }
  | { readonly status: 'failed'; readonly error: KeepsetError }
  | { readonly status: 'waiting'; readonly awaiting: readonly PartyId[]; readonly pending: R | undefined };

/** May change, drop (undefined) or multiply what one party sends to another. */
export type Wire = (message: ProtocolMessage) => ProtocolMessage | readonly ProtocolMessage[] | undefined;

export interface Run<R> {
  readonly outcomes: ReadonlyMap<PartyId, Outcome<R>>;
  readonly sent: readonly ProtocolMessage[];
}

/** Delivers all messages until nothing moves any more. A party that throws a KeepsetError has failed and falls silent. */
export const runNetwork = <R>(
  start: ReadonlyMap<PartyId, () => Step<R>>,
  wire: Wire = (message) => message,
): Run<R> => {
  const steps = new Map<PartyId, Step<R>>();
  const errors = new Map<PartyId, KeepsetError>();
  const sent: ProtocolMessage[] = [];
  let mail: ProtocolMessage[] = [];
  const post = (messages: readonly ProtocolMessage[]): void => {
    for (const message of messages) {
      sent.push(message);
      const delivered = wire(message);
      if (delivered !== undefined) mail.push(...[delivered].flat());
    }
  };
  for (const [party, begin] of start) {
    const step = begin();
    steps.set(party, step);
    post(step.outgoing);
  }
  while (mail.length > 0) {
    const batch = mail;
    mail = [];
    for (const party of start.keys()) {
      const incoming = batch.filter((message) => message.to === party);
      const step = steps.get(party);
      if (incoming.length === 0 || step?.status !== 'running' || errors.has(party)) continue;
      try {
        const next = step.advance(incoming);
        steps.set(party, next);
        post(next.outgoing);
      } catch (error) {
        if (!(error instanceof KeepsetError)) throw error;
        errors.set(party, error);
      }
    }
  }
  const outcomes = new Map<PartyId, Outcome<R>>();
  for (const [party, step] of steps) {
    const error = errors.get(party);
    if (error !== undefined) outcomes.set(party, { status: 'failed', error });
    else if (step.status === 'done') outcomes.set(party, { status: 'done', result: step.result });
    else outcomes.set(party, { status: 'waiting', awaiting: step.awaiting, pending: step.pending });
  }
  return { outcomes, sent };
};

/** All results; throws the first failure. */
export const resultsOf = <R>({ outcomes }: Run<R>): Map<PartyId, R> => {
  const results = new Map<PartyId, R>();
  for (const [party, outcome] of outcomes) {
    if (outcome.status === 'failed') throw outcome.error;
    if (outcome.status === 'waiting') throw new Error(`${party} still waits`);
    results.set(party, outcome.result);
  }
  return results;
};

export const partyNames: readonly PartyId[] = Array.from({ length: 32 }, (_, i) => `party${i + 1}`);

export const sessionOf = (name: string): Uint8Array => sha256(utf8ToBytes(name));

export const keygenStarts = (
  suite: EcdsaSuite,
  threshold: number,
  parties: readonly PartyId[],
  seed: string,
): Map<PartyId, () => Step<KeyShare>> =>
  keygenUnder(suite, `thresh(${threshold},${parties.join(',')})`, seed);

export const keygenUnder = (
  suite: EcdsaSuite,
  policy: string,
  seed: string,
): Map<PartyId, () => Step<KeyShare>> => {
  const sharing = sharingFor(policy);
  return new Map(
    sharing.parties.map((me) => {
      const params: KeygenParams = {
        scheme: suite.scheme,
        session: sessionOf(`keygen ${seed}`),
        ...sharing,
        me,
        rng: seededRng(`${seed}/${me}`),
      };
      return [me, () => startEcdsaKeygen(suite, params)];
    }),
  );
};

export const makeKey = (
  suite: EcdsaSuite,
  threshold: number,
  parties: readonly PartyId[],
  seed: string,
): Map<PartyId, KeyShare> => resultsOf(runNetwork(keygenStarts(suite, threshold, parties, seed)));

const shareOf = (shares: ReadonlyMap<PartyId, KeyShare>, party: PartyId): KeyShare => {
  const share = shares.get(party);
  if (share === undefined) throw new Error(`no share of ${party}`);
  return share;
};

export const signStarts = (
  suite: EcdsaSuite,
  shares: ReadonlyMap<PartyId, KeyShare>,
  quorum: readonly PartyId[],
  request: SignParams['request'],
  seed: string,
): Map<PartyId, () => Step<Uint8Array>> =>
  new Map(
    quorum.map((party) => {
      const session = sessionOf(`sign ${seed}`);
      const rng = seededRng(`sign ${seed}/${party}`);
      return [
        party,
        () => startEcdsaSign(suite, { share: shareOf(shares, party), session, quorum, request, rng }),
      ];
    }),
  );

export const presignStarts = (
  suite: EcdsaSuite,
  shares: ReadonlyMap<PartyId, KeyShare>,
  quorum: readonly PartyId[],
  seed: string,
  path: readonly number[] = [],
): Map<PartyId, () => Step<Presignature>> =>
  new Map(
    quorum.map((party) => {
      const params: PresignParams = {
        share: shareOf(shares, party),
        session: sessionOf(`presign ${seed}`),
        quorum,
        path,
        rng: seededRng(`presign ${seed}/${party}`),
      };
      return [party, () => startEcdsaPresign(suite, params)];
    }),
  );

/** A message whose decoded body went through `change`. */
export const withBody = (
  message: ProtocolMessage,
  change: (body: Record<string, never>) => unknown,
): ProtocolMessage => {
  const body = change(decodeCbor(message.body) as Record<string, never>);
  return { ...message, body: body instanceof Uint8Array ? body : encodeCbor(body as never) };
};

/** Results of all but the adversary. */
export const honestResults = <R>(run: Run<R>, adversary: PartyId): R[] =>
  [...run.outcomes].flatMap(([party, outcome]) =>
    party !== adversary && outcome.status === 'done' ? [outcome.result] : [],
  );

/** Failures of all but the adversary. */
export const honestErrors = <R>(run: Run<R>, adversary: PartyId): [PartyId, KeepsetError][] =>
  [...run.outcomes].flatMap(([party, outcome]) =>
    party !== adversary && outcome.status === 'failed'
      ? [[party, outcome.error] as [PartyId, KeepsetError]]
      : [],
  );

/** Whether two messages are of the same round from and to the same parties. */
export const isSlot = (a: ProtocolMessage, b: ProtocolMessage): boolean =>
  a.from === b.from && a.to === b.to && a.round === b.round;

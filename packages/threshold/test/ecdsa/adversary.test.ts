/**
 * Every message of every ECDSA protocol dropped, replayed, reordered, sent to the wrong party or session, and spoiled
 * field by field. It ends in a typed abort that names the sender where it can be named; no wrong signature comes out,
 * no two honest parties end with different keys, and only a failed consistency check bans.
 *
 * The protocols run over the transparent group, through the same code and checks; sign.test.ts and vectors.test.ts
 * run them over the real curves.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { utf8ToBytes, type KeepsetError } from '@keepset/bytes';
import type { KeyShare, PartyId, ProtocolMessage, SignRequest, Step } from '../../src/index.ts';
import { startEcdsaSignPresigned, type Presignature } from '../../src/ecdsa/presign.ts';
import { verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { mutationsOf, type Mutation } from './mutations.ts';
import {
  honestErrors,
  honestResults,
  isSlot,
  keygenStarts,
  keygenUnder,
  makeKey,
  presignStarts,
  resultsOf,
  runNetwork,
  sessionOf,
  signStarts,
  type Run,
  type Wire,
} from './network.ts';
import { transparentSuite as suite } from './transparent.ts';

const trio: readonly PartyId[] = ['phone', 'server', 'usb'];
const request: SignRequest = { message: utf8ToBytes('pay 1 to Bob'), digest: 'sha256' };

/** A protocol under attack. */
interface Protocol<R> {
  readonly name: string;
  readonly start: (seed: string) => Map<PartyId, () => Step<R>>;
  /** What must hold of all results of honest parties together. */
  readonly check: (results: readonly R[]) => void;
  /** Only the shortest changes of a value: the same code runs under another protocol of this list. */
  readonly isBrief?: true;
}

let shares: Map<PartyId, KeyShare>;
let publicKey: Uint8Array;
const nested = 'and(phone,or(server,usb))';
let nestedShares: Map<PartyId, KeyShare>;
beforeAll(() => {
  shares = makeKey(suite, 2, trio, 'adversary');
  publicKey = shares.get('phone')!.group.publicKey;
  nestedShares = resultsOf(runNetwork(keygenUnder(suite, nested, 'adversary')));
});

const checkSignatures = (signatures: readonly Uint8Array[]): void => {
  for (const signature of signatures) expect(verifyEcdsa(suite, publicKey, request, signature)).toBe(true);
};

const presignaturesOf = (quorum: readonly PartyId[], seed: string): Map<PartyId, Presignature> =>
  resultsOf(runNetwork(presignStarts(suite, shares, quorum, seed)));

const keygen: Protocol<KeyShare> = {
  name: 'keygen 2-of-2',
  start: (seed) => keygenStarts(suite, 2, ['phone', 'server'], seed),
  check: (results) => {
    for (const share of results) expect(share.group).toEqual(results[0]!.group);
  },
};
const sign2: Protocol<Uint8Array> = {
  name: 'signing by two',
  start: (seed) => signStarts(suite, shares, ['phone', 'usb'], request, seed),
  check: checkSignatures,
};
const sign3: Protocol<Uint8Array> = {
  name: 'signing by three',
  start: (seed) => signStarts(suite, shares, trio, request, seed),
  check: checkSignatures,
  isBrief: true,
};
const presign: Protocol<Presignature> = {
  name: 'presigning by two',
  start: (seed) => presignStarts(suite, shares, ['phone', 'server'], seed),
  check: (results) => {
    for (const { id, nonce } of results)
      expect({ id, nonce }).toEqual({ id: results[0]!.id, nonce: results[0]!.nonce });
  },
  isBrief: true,
};
const presigned: Protocol<Uint8Array> = {
  name: 'signing with a presignature',
  start: (seed) => {
    const presignatures = presignaturesOf(['phone', 'server'], seed);
    return new Map(
      [...presignatures].map(([party, presignature]) => [
        party,
        () => startEcdsaSignPresigned(suite, { presignature, share: shares.get(party)!, request }),
      ]),
    );
  },
  check: checkSignatures,
};
const nestedKeygen: Protocol<KeyShare> = {
  name: 'keygen under a nested policy',
  start: (seed) => keygenUnder(suite, nested, seed),
  check: keygen.check,
  isBrief: true,
};
const nestedSign: Protocol<Uint8Array> = {
  name: 'signing under a nested policy',
  start: (seed) => signStarts(suite, nestedShares, ['phone', 'usb'], request, seed),
  check: (signatures) => {
    const { group } = nestedShares.get('phone')!;
    for (const signature of signatures)
      expect(verifyEcdsa(suite, group.publicKey, request, signature)).toBe(true);
  },
  isBrief: true,
};
const protocols = [
  keygen,
  sign2,
  sign3,
  presign,
  presigned,
  nestedKeygen,
  nestedSign,
] as readonly Protocol<unknown>[];

const abortCodes = /^abort\//;

const onlyAt =
  (slot: ProtocolMessage, change: Wire): Wire =>
  (message) =>
    isSlot(message, slot) ? change(message) : message;

describe.each(protocols)('$name under attack', ({ name, start, check, isBrief }) => {
  let sent: readonly ProtocolMessage[];
  beforeAll(() => {
    const run = runNetwork(start('honest'));
    check([...resultsOf(run).values()]);
    ({ sent } = run);
  });
  /** One message of each kind: they differ by round and by which of the two parties comes first. */
  const kinds = (): ProtocolMessage[] => {
    const seen = new Map<string, ProtocolMessage>();
    for (const message of sent) {
      const key = `${message.round} ${trio.indexOf(message.from) < trio.indexOf(message.to)}`;
      if (!seen.has(key)) seen.set(key, message);
    }
    return [...seen.values()];
  };

  it('waits for a message that is dropped, and no one finishes who needs it', () => {
    for (const slot of sent) {
      const run = runNetwork(
        start('honest'),
        onlyAt(slot, () => undefined),
      );
      expect(run.outcomes.get(slot.to)).toMatchObject({ status: 'waiting', awaiting: [slot.from] });
      check(honestResults(run, ''));
      expect(honestErrors(run, '')).toEqual([]);
    }
  });

  it('refuses a message that comes twice and goes on', () => {
    for (const slot of kinds()) {
      const run = runNetwork(
        start('honest'),
        onlyAt(slot, (message) => [message, message]),
      );
      const error = honestErrors(run, '')[0]?.[1];
      expect(error).toMatchObject({ code: expect.stringMatching(abortCodes) as string, culprits: [] });
    }
  });

  it('finishes when messages come in another order', () => {
    for (const slot of kinds()) {
      let held: ProtocolMessage[] = [];
      const run = runNetwork(start('honest'), (message) => {
        if (isSlot(message, slot) && held.length === 0) {
          held = [message];
          return undefined;
        }
        const out = message.to === slot.to && message.from !== slot.from ? [message, ...held] : [message];
        if (out.length > 1) held = [];
        return out;
      });
      check(honestResults(run, ''));
      expect(honestErrors(run, '')).toEqual([]);
    }
  });

  it('refuses a message of another session, of another recipient, of a stranger or of no round, and goes on', () => {
    const other = runNetwork(start('another session')).sent;
    for (const slot of kinds()) {
      const foreign = other.find((message) => isSlot(message, slot))!;
      const strays: [ProtocolMessage, string][] = [
        [{ ...slot, to: slot.from }, 'abort/wrong-session'],
        [{ ...slot, from: 'stranger' }, 'abort/unknown-party'],
        [{ ...slot, round: 9 }, 'abort/wrong-round'],
        [{ ...slot, round: 0 }, 'abort/wrong-round'],
        [{ ...slot, context: sessionOf('elsewhere') }, 'abort/wrong-session'],
      ];
      // A keygen's session id comes from its seed; the others' sessions share the key but not the context.
      if (!isSameContext(foreign, slot)) strays.push([foreign, 'abort/wrong-session']);
      for (const [stray, code] of strays) {
        const machines = start('honest');
        const step = machines.get(slot.to)!();
        if (step.status !== 'running') throw new Error('a fresh machine waits');
        expect(() => step.advance([stray])).toThrow(expect.objectContaining({ code, culprits: [] }));
        // The state took no harm: it still takes the right messages of its round.
        const right = sent.filter((message) => message.to === slot.to && message.round === 1);
        expect(step.advance(right)).toBeDefined();
      }
    }
  });

  /** The recipient alone, fed what was recorded; everyone's randomness is reproducible. */
  const replay = (message: ProtocolMessage): unknown => {
    let step = start('honest').get(message.to)!();
    for (let round = 1; round <= message.round; round++) {
      if (step.status !== 'running') throw new Error('ended early');
      step = step.advance(
        sent
          .filter((other) => other.to === message.to && other.round === round)
          .map((other) => (isSlot(other, message) ? message : other)),
      );
    }
    return step;
  };

  it('blames the sender of a message of the wrong form', () => {
    const isWrongForm = ({ name: change, isMalformed }: Mutation): boolean =>
      isMalformed && (isBrief === undefined || !/(extended|text)$/.test(change));
    for (const slot of kinds())
      for (const mutation of mutationsOf(slot.body).filter(isWrongForm)) {
        const where = `round ${slot.round}, ${slot.from} to ${slot.to}: ${mutation.name}`;
        expect(() => replay(mutation.apply(slot)), where).toThrow(
          expect.objectContaining({
            code: 'abort/malformed-message',
            culprits: [slot.from],
            round: slot.round,
          }),
        );
      }
  });

  it('ends in a typed abort, whatever value is spoiled', () => {
    const unnoticed: string[] = [];
    const isTried = ({ name: change, isMalformed }: Mutation): boolean =>
      !isMalformed && (isBrief === undefined || change.endsWith('first bit flipped'));
    for (const slot of kinds())
      for (const mutation of mutationsOf(slot.body).filter(isTried)) {
        const run = runNetwork(start('honest'), onlyAt(slot, mutation.apply));
        const where = `${name}, round ${slot.round}, ${slot.from} to ${slot.to}: ${mutation.name}`;
        check(honestResults(run, slot.from));
        expectRightAbort(run, slot, mutation, where);
        if ([...run.outcomes.values()].every(({ status }) => status === 'done'))
          unnoticed.push(mutation.name);
      }
    // The correction of the side an evaluator did not choose, and in presigning what only the signature shows.
    for (const change of unnoticed)
      expect(change).toMatch(
        name.startsWith('presigning') ? /^adjustment/ : /^setup.corrections .* bit flipped/,
      );
  });

  it('survives a body of another session, another sender or another round', () => {
    const other = runNetwork(start('another session')).sent;
    for (const slot of kinds()) {
      const bodies = [
        ...other.filter((message) => isSlot(message, slot)),
        ...sent.filter((message) => message.round !== slot.round && message.to === slot.to),
        ...sent.filter((message) => message.round === slot.round && message.from === slot.to),
      ].filter(({ body }) => String(body) !== String(slot.body));
      for (const { body } of bodies) {
        const run = runNetwork(
          start('honest'),
          onlyAt(slot, (message) => ({ ...message, body })),
        );
        check(honestResults(run, slot.from));
        const errors = honestErrors(run, slot.from);
        expect(errors.length).toBeGreaterThan(0);
        for (const [, error] of errors) expect(error.code).toMatch(abortCodes);
      }
    }
  });

  it('lets no state be used twice', () => {
    const machines = start('honest');
    const [party] = machines.keys();
    const step = machines.get(party!)!();
    if (step.status !== 'running') throw new Error('a fresh machine waits');
    const incoming = sent.filter((message) => message.to === party && message.round === 1);
    step.advance(incoming);
    expect(() => step.advance(incoming)).toThrow(expect.objectContaining({ code: 'abort/state-consumed' }));
  });
});

const isSameContext = (a: ProtocolMessage, b: ProtocolMessage): boolean =>
  String(a.context) === String(b.context);

/** Fields by which the parties notice that they saw different things, without being able to tell who is to blame. */
const unattributable = new Set(['session', 'transcript', 'setup ']);

const expectRightAbort = (
  run: Run<unknown>,
  slot: ProtocolMessage,
  mutation: Mutation,
  where: string,
): void => {
  const errors = new Map(honestErrors(run, slot.from));
  const error = errors.get(slot.to);
  for (const [party, { code, culprits }] of errors) {
    expect(code, where).toMatch(abortCodes);
    // No honest party is ever blamed.
    expect(culprits, where).not.toContain(party);
    for (const culprit of culprits) expect(culprit, where).toBe(slot.from);
  }
  // The recipient waits if the sender met the consequences first.
  if (error === undefined) return;
  if (![...unattributable].some((field) => mutation.name.startsWith(field)))
    expect(error, where).toSatisfy(
      (thrown: KeepsetError) => thrown.culprits.length === 1 || isShared(thrown, slot, mutation),
    );
  if (error.code === 'abort/banned') expect(banning, where).toContain(mutation.name.split(' ')[0]);
};

/** Fields whose change fails a check that depends on secrets of the pair. */
const banning =
  'random vectors choiceCheck rowCheck masked response digest nonceCheck keyCheck keyPoint'.split(' ');

/** Failures that among three parties nobody can be blamed for: a sum is wrong, or the views differ. */
const isShared = ({ code }: KeepsetError, slot: ProtocolMessage, mutation: Mutation): boolean =>
  (code === 'abort/transcript-mismatch' &&
    /^(random|commitment|salt|chainPart|points)/.test(mutation.name)) ||
  (code === 'abort/bad-signature' && /^(numerator|denominator|adjustment)/.test(mutation.name)) ||
  (code === 'abort/bad-share' && mutation.name.startsWith('keyPoint') && slot.round === 2);

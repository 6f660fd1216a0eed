/**
 * Every message of every ECDSA protocol dropped, replayed, reordered, sent to the wrong party or session, and spoiled
 * field by field. It ends in a typed abort that names the sender where it can be named; no wrong signature comes out,
 * no two honest parties end with different keys, and only a failed consistency check bans.
 *
 * The protocols run over the transparent group, through the same code and checks; sign.test.ts and vectors.test.ts
 * run them over the real curves.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  decodeCbor,
  encodeCbor,
  hashValue,
  utf8ToBytes,
  type CborValue,
  type KeepsetError,
} from '@keepset/bytes';
import type { KeyShare, PartyId, ProtocolMessage, SignRequest, Step } from '../../src/index.ts';
import { startEcdsaSignPresigned, type Presignature } from '../../src/ecdsa/presign.ts';
import { verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { mutationsOf, type Mutation } from './mutations.ts';
import {
  keygenStarts,
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
beforeAll(() => {
  shares = makeKey(suite, 2, trio, 'adversary');
  publicKey = shares.get('phone')!.group.publicKey;
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
const protocols = [keygen, sign2, sign3, presign, presigned] as readonly Protocol<unknown>[];

const abortCodes = /^abort\//;

/** Results of all but the adversary. */
const honestResults = <R>(run: Run<R>, adversary: PartyId): R[] =>
  [...run.outcomes].flatMap(([party, outcome]) =>
    party !== adversary && outcome.status === 'done' ? [outcome.result] : [],
  );

const honestErrors = <R>(run: Run<R>, adversary: PartyId): [PartyId, KeepsetError][] =>
  [...run.outcomes].flatMap(([party, outcome]) =>
    party !== adversary && outcome.status === 'failed'
      ? [[party, outcome.error] as [PartyId, KeepsetError]]
      : [],
  );

const isSlot = (a: ProtocolMessage, b: ProtocolMessage): boolean =>
  a.from === b.from && a.to === b.to && a.round === b.round;

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
const unattributable = new Set(['session', 'transcript']);

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

describe('what the OT layer answers to a party that probes it', () => {
  const quorum = ['phone', 'server'];
  const attempts: readonly [number, string][] = [
    [1, 'vectors'],
    [1, 'choiceCheck'],
    [1, 'rowCheck'],
    [2, 'masked'],
    [2, 'response'],
    [2, 'digest'],
    [2, 'nonceCheck'],
    [2, 'keyCheck'],
  ];
  it.each(attempts)('is a ban after one try: round %i, %s', (round, field) => {
    let bans = 0;
    for (let n = 0; n < 6; n++) {
      const run = runNetwork(signStarts(suite, shares, quorum, request, `probe ${n}`), (message) => {
        if (message.from !== 'phone' || message.round !== round) return message;
        const mutation = mutationsOf(message.body).find(({ name }) => name === `${field} last bit flipped`);
        return mutation!.apply(message);
      });
      const outcome = run.outcomes.get('server')!;
      if (outcome.status !== 'failed') continue;
      // Points and scalars out of range are seen before any secret is used: no ban, and no information.
      if (outcome.error.code === 'abort/malformed-message') continue;
      expect(outcome.error).toMatchObject({ code: 'abort/banned', culprits: ['phone'], retry: 'never' });
      bans += 1;
      // Nothing that depends on the failed check has left.
      const answers = run.sent.filter((message) => message.from === 'server');
      expect(answers.every((message) => message.round <= round)).toBe(true);
    }
    expect(bans).toBeGreaterThan(0);
  });

  it('is no ban between honest parties whom a third shows different first rounds', () => {
    const run = runNetwork(signStarts(suite, shares, trio, request, 'equivocation'), (message) => {
      if (message.from !== 'usb' || message.to !== 'server' || message.round !== 1) return message;
      return mutationsOf(message.body)
        .find(({ name }) => name === 'commitment first bit flipped')!
        .apply(message);
    });
    for (const party of ['phone', 'server'])
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code: 'abort/transcript-mismatch', culprits: [] },
      });
  });

  it('is no ban for a wrong fragment or adjustment, which show nothing secret', () => {
    for (const field of ['numerator', 'denominator', 'adjustment']) {
      const run = runNetwork(signStarts(suite, shares, quorum, request, 'fragment'), (message) => {
        const mutation = mutationsOf(message.body).find(({ name }) => name === `${field} last bit flipped`);
        return message.from === 'phone' && mutation !== undefined ? mutation.apply(message) : message;
      });
      expect(run.outcomes.get('server')).toMatchObject({
        status: 'failed',
        error: { code: 'abort/bad-signature', culprits: ['phone'], retry: 'fresh' },
      });
    }
  });
});

describe('a dealer that cheats in keygen', () => {
  const liarAt = (round: number, to: readonly PartyId[], change: (body: never) => CborValue): Run<KeyShare> =>
    runNetwork(keygenStarts(suite, 2, trio, 'liar'), (message) =>
      message.from === 'phone' && message.round === round && to.includes(message.to)
        ? { ...message, body: encodeCbor(change(decodeCbor(message.body) as never)) }
        : message,
    );
  const expectBlame = (run: Run<KeyShare>, parties: readonly PartyId[], code: string): void => {
    for (const party of parties)
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code, culprits: ['phone'] },
      });
  };

  it('cannot raise or lower the threshold with a polynomial of another length', () => {
    const longer = liarAt(2, ['server', 'usb'], ({ points, ...rest }: { points: Uint8Array[] }) => ({
      ...rest,
      points: [...points, points[0]!],
    }));
    expectBlame(longer, ['server', 'usb'], 'abort/malformed-message');
    const shorter = liarAt(2, ['server', 'usb'], ({ points, ...rest }: { points: Uint8Array[] }) => ({
      ...rest,
      points: points.slice(1),
    }));
    expectBlame(shorter, ['server', 'usb'], 'abort/malformed-message');
  });

  it('cannot choose its polynomial after it has seen the others', () => {
    const other = runNetwork(keygenStarts(suite, 2, trio, 'other')).sent;
    const body = decodeCbor(other.find(({ from, round }) => from === 'phone' && round === 2)!.body);
    const { points } = body as { points: Uint8Array[] };
    const run = liarAt(2, ['server', 'usb'], (rest: object) => ({ ...rest, points }));
    expectBlame(run, ['server', 'usb'], 'abort/bad-commitment');
  });

  /**
   * A liar that knows from the start what it will open to one party: `change` is applied to what it opens, and its
   * commitments are made to fit.
   */
  const prepared = (victim: PartyId, change: (opening: Opened) => Opened): Run<KeyShare> => {
    const { sent } = runNetwork(keygenStarts(suite, 2, trio, 'prepared'));
    const slot = sent.find(({ from, to, round }) => from === 'phone' && to === victim && round === 2)!;
    const opened = change(decodeCbor(slot.body) as unknown as Opened);
    const { points, chainPart, salt, share, zeroPart, pairSalt } = opened;
    const { context } = slot;
    const commitments = {
      commitment: hashValue('keepset/ecdsa/keygen/opening/v1', {
        context,
        party: 'phone',
        points,
        chainPart,
        salt,
      }),
      pairCommitment: hashValue('keepset/ecdsa/keygen/pair-opening/v1', {
        context,
        from: 'phone',
        to: victim,
        share,
        zeroPart,
        pairSalt,
      }),
    };
    return runNetwork(keygenStarts(suite, 2, trio, 'prepared'), (message) => {
      if (message.from !== 'phone' || message.to !== victim || message.round > 2) return message;
      const body = decodeCbor(message.body) as object;
      const lie = message.round === 1 ? { ...body, ...commitments } : { ...body, ...opened };
      return { ...message, body: encodeCbor(lie) };
    });
  };

  it('is named by the party to which it deals a wrong share', () => {
    const { curve } = suite;
    const run = prepared('usb', (opening) => ({
      ...opening,
      share: curve.encodeScalar(curve.reduce(curve.decodeScalar(opening.share)! + 1n)),
    }));
    expectBlame(run, ['usb'], 'abort/bad-share');
    expect(honestResults(run, 'phone')).toEqual([]);
  });

  it('cannot make two parties accept different chain codes', () => {
    const run = prepared('usb', (opening) => ({ ...opening, chainPart: new Uint8Array(32) }));
    for (const party of ['server', 'usb'])
      expect(run.outcomes.get(party)).toMatchObject({
        status: 'failed',
        error: { code: 'abort/transcript-mismatch', culprits: [] },
      });
  });

  it('cannot open another chain-code part than it committed to', () => {
    const run = liarAt(2, ['usb'], (body: object) => ({ ...body, chainPart: new Uint8Array(32) }));
    expectBlame(run, ['usb'], 'abort/bad-commitment');
    expect(honestResults(run, 'phone')).toEqual([]);
  });
});

interface Opened {
  readonly points: Uint8Array[];
  readonly chainPart: Uint8Array;
  readonly salt: Uint8Array;
  readonly share: Uint8Array;
  readonly zeroPart: Uint8Array;
  readonly pairSalt: Uint8Array;
}

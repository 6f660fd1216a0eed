/** The state machine of copies: nothing rises without evidence, and a protected key keeps what its policy promises. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isQuorum, parsePolicy } from '@keepset/access';
import {
  copyState,
  dueAfterDays,
  observe,
  proofOf,
  proofs,
  protectionOf,
  type CopyEvidence,
  type CopyKind,
  type CopyRecord,
  type Observation,
  type Reach,
} from '@keepset/places';

const kinds = Object.keys(dueAfterDays) as CopyKind[];
const dayInMs = 86_400_000;
const now = '2026-06-01T12:00:00.000Z';
const daysAgo = (days: number): string => new Date(Date.parse(now) - days * dayInMs).toISOString();

const kind = fc.constantFrom(...kinds);
const observation: fc.Arbitrary<Observation> = fc.oneof(
  fc.constantFrom('written', 'opened', 'proven', 'reminded').map((each) => ({ kind: each }) as const),
  fc.boolean().map((afresh) => ({ kind: 'read', afresh }) as const),
);
const history = fc.array(fc.tuple(observation, fc.integer({ min: 0, max: 1_000 }).map(daysAgo)), {
  maxLength: 8,
});
const replay = (of: CopyKind, seen: readonly (readonly [Observation, string])[]): CopyEvidence =>
  seen.reduce<CopyEvidence>((evidence, [each, at]) => observe(of, evidence, each, at), {});
const rank = (evidence: CopyEvidence): number => proofs.indexOf(proofOf(evidence));

describe('evidence', () => {
  it('raises a copy no higher than the best thing that was ever seen of it', () => {
    fc.assert(
      fc.property(kind, history, (of, seen) => {
        const has = (what: Observation['kind']): boolean => seen.some(([each]) => each.kind === what);
        const proof = proofOf(replay(of, seen));
        if (proof === 'recovery proven') expect(has('proven')).toBe(true);
        if (proof === 'decrypted') expect(has('opened') || has('proven')).toBe(true);
        if (proof !== 'never written') expect(seen.some(([each]) => each.kind !== 'reminded')).toBe(true);
        if (of === 'usb' && rank(replay(of, seen)) >= proofs.indexOf('read back'))
          expect(seen.some(([each]) => each.kind === 'read' && each.afresh)).toBe(true);
      }),
    );
  });

  it('never takes anything away, whatever order things are seen in', () => {
    fc.assert(
      fc.property(kind, history, observation, (of, seen, next) => {
        const before = replay(of, seen);
        expect(rank(observe(of, before, next, now))).toBeGreaterThanOrEqual(rank(before));
        const reversed = replay(of, seen.toReversed());
        expect(proofOf(reversed)).toBe(proofOf(before));
        const { writtenAt: _first, ...dates } = before;
        expect(reversed).toMatchObject(dates);
      }),
    );
  });

  it('is not moved by a reminder', () => {
    fc.assert(
      fc.property(kind, history, (of, seen) => {
        const before = replay(of, seen);
        expect(observe(of, before, { kind: 'reminded' }, now)).toEqual(before);
      }),
    );
  });

  it('of a stick counts only once it was unplugged, whatever was opened before', () => {
    const fresh = observe('usb', {}, { kind: 'written' }, now);
    const cached = observe('usb', fresh, { kind: 'read', afresh: false }, now);
    expect(proofOf(cached)).toBe('written');
    const opened = observe('usb', cached, { kind: 'opened' }, now);
    expect(proofOf(opened)).toBe('written');
    expect(proofOf(observe('usb', opened, { kind: 'read', afresh: true }, now))).toBe('decrypted');
  });
});

const record = (over: Partial<CopyRecord> = {}): CopyRecord => ({
  id: 'a',
  kind: 'usb',
  domain: 'location:a',
  epoch: 3,
  source: 5,
  generation: 9,
  writtenAt: daysAgo(20),
  readBackAt: daysAgo(20),
  openedAt: daysAgo(20),
  ...over,
});
const current = { epoch: 3, source: 5 };
const intact: Reach = { status: 'intact' };

describe('the state of a copy', () => {
  it.each([
    [{ epoch: 2 }, 'epoch'],
    [{ epoch: 2, source: 9 }, 'epoch'],
    [{ source: 4 }, 'generation'],
    [{ source: 6 }, undefined],
    [{ epoch: 4, source: 1 }, undefined],
  ] as const)('%j is stale by %s', (over, by) => {
    const state = copyState(record(over), current, intact, now);
    expect(state.stale).toBe(by);
    expect(state.counts).toBe(by === undefined);
  });

  it('is judged by epoch alone where the source was not noted', () => {
    const { source: _source, ...noted } = record();
    expect(copyState(noted, current, intact, now).stale).toBeUndefined();
    expect(copyState(noted, { epoch: 4 }, intact, now).stale).toBe('epoch');
  });

  it('does not count when damaged, and does when only out of reach', () => {
    const reason = 'x';
    expect(copyState(record(), current, { status: 'unreachable', reason }, now).counts).toBe(true);
    expect(copyState(record(), current, { status: 'unseen' }, now).counts).toBe(true);
    expect(copyState(record(), current, { status: 'damaged', reason }, now).counts).toBe(false);
    // Others have written there since.
    expect(copyState(record(), current, { status: 'unseen', reason }, now).counts).toBe(false);
  });

  it('does not count when its owner has lost it, however well it was tested', () => {
    const proven = record({ lostAt: daysAgo(0), provenAt: daysAgo(1) });
    expect(copyState(proven, current, intact, now)).toMatchObject({
      proof: 'recovery proven',
      counts: false,
    });
  });

  it.each([
    [179, false],
    [181, true],
    [-0.5, false],
    [-2, true],
  ])('of a stick opened %d days ago is due: %s', (days, due) => {
    const at = daysAgo(days);
    expect(copyState(record({ openedAt: at }), current, intact, now)).toMatchObject({ due, provedAt: at });
  });

  it('counts only once it was opened, and never for what was not written', () => {
    fc.assert(
      fc.property(kind, history, (of, seen) => {
        const evidence = replay(of, seen);
        const { id, domain, epoch, source, generation } = record();
        const bare = { id, domain, epoch, generation, kind: of, ...(source === undefined ? {} : { source }) };
        const state = copyState({ ...bare, ...evidence }, current, intact, now);
        expect(state.counts).toBe(rank(evidence) >= proofs.indexOf('decrypted'));
        expect(state.provedAt === undefined).toBe(state.proof === 'never written');
      }),
    );
  });
});

const policies = [
  'and(server,phone)',
  'thresh(2,server,phone,laptop)',
  'thresh(2,server,phone,laptop,tablet)',
  'thresh(3,server,phone,laptop,tablet)',
  'and(server,or(phone,laptop))',
  'and(phone,or(server,laptop))',
  'thresh(2,phone,and(server,laptop),tablet)',
];
const copy = fc.record({
  domain: fc.constantFrom('device:phone', 'location:stick', 'location:paper', 'account:cloud'),
  epoch: fc.constantFrom(2, 3),
  opened: fc.boolean(),
  reach: fc.constantFrom<Reach>(
    intact,
    { status: 'unseen' },
    { status: 'unseen', reason: 'x' },
    { status: 'unreachable', reason: 'x' },
    { status: 'damaged', reason: 'x' },
  ),
});

const isSpoilt = (reach: Reach): boolean =>
  reach.status === 'damaged' || (reach.status === 'unseen' && 'reason' in reach);

describe('protection', () => {
  it('means that the policy’s losses, and any one place of this share, can be borne by tested copies', () => {
    fc.assert(
      fc.property(fc.constantFrom(...policies), fc.array(copy, { maxLength: 6 }), (text, drawn) => {
        const states = drawn.map(({ domain, epoch, opened, reach }, at) => {
          const { openedAt, ...unopened } = record({ id: `c${at}`, domain, epoch });
          return copyState(
            opened && openedAt !== undefined ? { ...unopened, openedAt } : unopened,
            current,
            reach,
            now,
          );
        });
        const verdict = protectionOf({ policy: text, party: 'phone' }, states);
        expect(verdict.isProtected).toBe(verdict.shortfalls.length === 0);
        // Said again without the analyser: which places hold an opened, current, undamaged copy?
        const good = new Set(
          drawn.flatMap(({ domain, epoch, opened, reach }) =>
            opened && epoch === 3 && !isSpoilt(reach) ? [domain] : [],
          ),
        );
        expect(new Set(verdict.places)).toEqual(good);
        const policy = parsePolicy(text);
        const parties = ['server', 'phone', 'laptop', 'tablet'].filter((name) => text.includes(name));
        const places = [...good, ...parties.filter((name) => name !== 'phone')];
        const bears = (lost: readonly string[]): boolean =>
          isQuorum(
            policy,
            parties.filter((name) =>
              name === 'phone' ? [...good].some((place) => !lost.includes(place)) : !lost.includes(name),
            ),
          );
        const subsets = places.reduce<string[][]>(
          (all, place) => [...all, ...all.map((set) => [...set, place])],
          [[]],
        );
        const promised = parties
          .reduce<string[][]>((all, name) => [...all, ...all.map((set) => [...set, name])], [[]])
          .filter(
            (lost) =>
              !isQuorum(
                policy,
                parties.filter((name) => !lost.includes(name)),
              ),
          )
          .reduce((least, lost) => Math.min(least, lost.length), Infinity);
        const keepsPromise = subsets.filter((lost) => lost.length < promised).every(bears);
        expect(verdict.isProtected).toBe(good.size >= 2 && keepsPromise);
      }),
      { numRuns: 400 },
    );
  });

  it('is never given for one place, however many copies lie there', () => {
    const states = ['a', 'b', 'c'].map((id) =>
      copyState(record({ id, domain: 'device:phone' }), current, intact, now),
    );
    expect(protectionOf({ policy: 'and(server,phone)', party: 'phone' }, states)).toEqual({
      isProtected: false,
      places: ['device:phone'],
      shortfalls: [{ kind: 'one-place', domain: 'device:phone' }],
      needed: ['server'],
    });
  });

  it('is given for policies in which a party stands several times, which gives it weight', () => {
    const states = ['device:phone', 'location:safe'].map((domain) =>
      copyState(record({ id: domain, domain }), current, intact, now),
    );
    const holding = { policy: 'thresh(3,server,phone,phone)', party: 'phone' };
    expect(protectionOf(holding, states)).toMatchObject({ isProtected: true, needed: ['server'] });
  });

  it('says so when nothing was tested', () => {
    expect(protectionOf({ policy: 'and(server,phone)', party: 'phone' }, []).shortfalls).toEqual([
      { kind: 'no-tested-copy' },
    ]);
  });
});

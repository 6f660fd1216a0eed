import * as fc from 'fast-check';
import { parties, type Copy, type Policy, type RiskEvent, type Setup } from '../src/index.ts';
import { policyOver, policyWithRepeats } from './arbitrary.ts';

/**
 * The semantics of spec/policy.md §5 a second time, as a simulation: given what happened, by id, it works out
 * step by step who has what, until nothing changes. It shares no code with the analyser.
 */
export const simulateWorld = (
  setup: Setup,
  happened: ReadonlySet<string>,
): { lockedOut: boolean; stolen: boolean; lost: Set<string>; leaked: Set<string> } => {
  const kept = [
    ...[...setup.shares].flatMap(([name, copies]) =>
      copies.map((copy) => ({ holder: `share:${name}`, copy })),
    ),
    ...[...setup.secrets].flatMap(([name, copies]) =>
      copies.map((copy) => ({ holder: `secret:${name}`, copy })),
    ),
  ];
  const matches = (selector: string, copy: Copy, holder: string): boolean =>
    [
      `location:${copy.location}`,
      `account:${copy.account}`,
      `device:${copy.device}`,
      `person:${copy.person}`,
      `kind:${copy.kind}`,
      `copy:${copy.id}`,
      holder,
    ].includes(selector);
  const struck = (event: RiskEvent, copy: Copy): boolean =>
    happened.has(event.each === true ? `${event.id}/${copy.id}` : event.id);

  const lost = new Set<string>();
  const reached = new Set<string>();
  const opened = new Set<string>();
  const leaked = new Set<string>();
  for (const event of setup.events)
    for (const { holder } of kept)
      if (happened.has(event.id) && event.exposes.includes(holder)) leaked.add(holder);
  for (const { holder, copy } of kept) {
    if (happened.has(`loss/${copy.id}`)) lost.add(copy.id);
    if (happened.has(`theft/${copy.id}`)) reached.add(copy.id);
    for (const event of setup.events) {
      if (!struck(event, copy)) continue;
      if (event.loses.some((selector) => matches(selector, copy, holder))) lost.add(copy.id);
      if (event.exposes.some((selector) => selector !== holder && matches(selector, copy, holder)))
        reached.add(copy.id);
    }
  }
  const devices = new Set<string>();
  for (const event of setup.events)
    if (happened.has(event.id) && event.each !== true)
      event.exposes.forEach((selector) => devices.add(selector));
  for (const { copy } of kept)
    if (reached.has(copy.id))
      [`device:${copy.device}`, `account:${copy.account}`].forEach((one) => devices.add(one));

  const yes = (policy: Policy, has: (name: string) => boolean): boolean => {
    if (policy.kind === 'party') return has(policy.name);
    const count = policy.parts.filter((part) => yes(part, has)).length;
    if (policy.kind === 'thresh') return count >= policy.threshold;
    return policy.kind === 'and' ? count === policy.parts.length : count > 0;
  };
  const gone = new Set<string>();
  for (let before = -1; before !== lost.size + opened.size + leaked.size + gone.size;) {
    before = lost.size + opened.size + leaked.size + gone.size;
    for (const { holder, copy } of kept) {
      if (copy.unlock !== undefined && !yes(copy.unlock, (name) => !gone.has(`secret:${name}`)))
        lost.add(copy.id);
      const opens = (lock: Policy | undefined): boolean =>
        lock === undefined || yes(lock, (name) => leaked.has(`secret:${name}`));
      if (reached.has(copy.id) && opens(copy.unlock)) opened.add(copy.id);
      for (const way of copy.usableFrom ?? [])
        if (devices.has(way.from) && opens(way.unlock)) opened.add(copy.id);
      if (opened.has(copy.id)) leaked.add(holder);
    }
    for (const { holder } of kept)
      if (kept.filter((one) => one.holder === holder).every(({ copy }) => lost.has(copy.id)))
        gone.add(holder);
  }
  return {
    lockedOut: !yes(setup.policy, (name) => !gone.has(`share:${name}`)),
    stolen: yes(setup.policy, (name) => leaked.has(`share:${name}`)),
    lost,
    leaked,
  };
};

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const clean = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;

const chance = fc
  .tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map((three) => {
    const [low = 0, likely = 0, high = 0] = three.toSorted((a, b) => a - b);
    return { low, likely, high };
  });
const secret = (names: readonly string[]): fc.Arbitrary<Policy> =>
  fc.oneof(
    fc.constantFrom(...names).map((name): Policy => ({ kind: 'party', name })),
    fc
      .constantFrom('and' as const, 'or' as const)
      .map((kind): Policy => ({ kind, parts: names.map((name) => ({ kind: 'party', name })) })),
  );

const domains = {
  location: maybe(fc.constantFrom('home', 'away')),
  device: maybe(fc.constantFrom('phone', 'laptop')),
  account: maybe(fc.constantFrom('apple')),
  person: maybe(fc.constantFrom('owner')),
  kind: maybe(fc.constantFrom('usb', 'printed')),
  loss: maybe(chance),
  theft: maybe(chance),
};
const copyOf = (locks: readonly string[]): fc.Arbitrary<Omit<Copy, 'id'>> =>
  fc
    .record({
      ...domains,
      unlock: locks.length === 0 ? fc.constant(undefined) : maybe(secret(locks)),
      usableFrom:
        locks.length === 0
          ? fc.constant(undefined)
          : maybe(
              fc.array(
                fc
                  .record({
                    from: fc.constantFrom('device:phone', 'account:apple'),
                    unlock: maybe(secret(locks)),
                  })
                  .map((way) => clean(way) as { from: string; unlock?: Policy }),
                { minLength: 1, maxLength: 2 },
              ),
            ),
    })
    .map((copy) => clean(copy) as Omit<Copy, 'id'>);

const selector = fc.constantFrom(
  'location:home',
  'location:away',
  'device:phone',
  'device:laptop',
  'account:apple',
  'person:owner',
  'kind:usb',
  'copy:p0-1',
  'share:p0',
  'share:p1',
  'secret:s0',
  'secret:s1',
);
const event = fc.record({
  probability: maybe(chance),
  loses: fc.array(selector, { maxLength: 3 }),
  exposes: fc.array(selector, { maxLength: 3 }),
  each: maybe(fc.boolean()),
});

/** Random setups with locks, ways, shared domains and events, over few enough happenings to list every case. */
export const smallSetup: fc.Arbitrary<Setup> = fc
  .record({
    policy: fc.oneof(policyOver(4), policyWithRepeats(5, 3)),
    copies: fc.array(fc.array(copyOf(['s0', 's1']), { minLength: 1, maxLength: 2 }), {
      minLength: 4,
      maxLength: 4,
    }),
    s0: fc.array(copyOf(['s1']), { minLength: 1, maxLength: 2 }),
    s1: fc.array(copyOf([]), { minLength: 1, maxLength: 1 }),
    events: fc.array(event, { maxLength: 4 }),
  })
  .map(({ policy, copies, s0, s1, events }): Setup => {
    const name = (list: readonly Omit<Copy, 'id'>[], holder: string): readonly Copy[] =>
      list.map((copy, n) => ({ id: `${holder}-${n + 1}`, ...copy }));
    return {
      policy,
      shares: new Map(parties(policy).map((party, n) => [party, name(copies[n] ?? [{}], party)])),
      secrets: new Map([
        ['s0', name(s0, 's0')],
        ['s1', name(s1, 's1')],
      ]),
      events: events.map((one, n) => clean({ id: `e${n}`, title: `event ${n}`, ...one }) as RiskEvent),
    };
  });

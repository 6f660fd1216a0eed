/**
 * From a setup to two fault trees over elementary happenings: one says when the owner is locked out, one when
 * somebody else can sign.
 * @spec spec/policy.md §5
 */
import { KeepsetError } from '@keepset/bytes';
import { dualOf, thresholdOf, type PartyName, type Policy } from '../policy.ts';
import {
  copiesOf,
  holderOfSecret,
  holderOfShare,
  selects,
  type Copy,
  type Range,
  type RiskEvent,
  type Setup,
} from '../setup/setup.ts';
import { allOf, anyOf, atLeastOf, type Formula } from './formula.ts';

/** Something that either happens in the period or not, independently of the others. */
export interface Happening {
  readonly id: string;
  readonly kind: 'loss' | 'theft' | 'event';
  /** A plain clause. */
  readonly title: string;
  /** The event it comes from, for events. */
  readonly event?: string;
  readonly probability?: Range;
}

/** When a copy, or a share, is gone and when somebody else has it. */
export interface Fate {
  readonly lost: Formula;
  readonly leaked: Formula;
}

/** One share with its copies. */
export interface ShareFaults extends Fate {
  readonly party: PartyName;
  readonly copies: readonly (Fate & { readonly copy: Copy })[];
}

/** The two fault trees and what they are made of. */
export interface FaultModel {
  readonly happenings: readonly Happening[];
  readonly shares: readonly ShareFaults[];
  /** No quorum is left to the owner. */
  readonly lockedOut: Formula;
  /** Somebody else has a quorum. */
  readonly stolen: Formula;
}

/** @throws KeepsetError `input/invalid-argument` when locks lock one another. */
export const faultModelOf = (setup: Setup): FaultModel => {
  const build = startBuild(setup);
  const shares = [...setup.shares].map(([party, copies]) => shareFaults(build, party, copies));
  const byParty = new Map(shares.map((share) => [share.party, share]));
  return {
    happenings: build.happenings,
    shares,
    lockedOut: failureOf(setup.policy, (party) => byParty.get(party)?.lost ?? false),
    stolen: successOf(setup.policy, (party) => byParty.get(party)?.leaked ?? false),
  };
};

/** The policy satisfied by what is true. */
const successOf = (policy: Policy, leaf: (name: string) => Formula): Formula =>
  policy.kind === 'party'
    ? leaf(policy.name)
    : atLeastOf(
        thresholdOf(policy),
        policy.parts.map((part) => successOf(part, leaf)),
      );

/** The policy made unsatisfiable by what is true. */
const failureOf = (policy: Policy, leaf: (name: string) => Formula): Formula =>
  successOf(dualOf(policy), leaf);

interface Build {
  readonly setup: Setup;
  readonly happenings: Happening[];
  readonly index: Map<string, number>;
  readonly secrets: Map<string, Fate>;
  /** By copy id or domain: when somebody else has it in hand. */
  readonly reached: Map<string, Formula>;
  /** Secrets being worked out, to notice a circle. */
  readonly open: Set<string>;
}

const startBuild = (setup: Setup): Build => ({
  setup,
  happenings: [],
  index: new Map(),
  secrets: new Map(),
  reached: new Map(),
  open: new Set(),
});

const happeningOf = (build: Build, happening: Happening): number => {
  const known = build.index.get(happening.id);
  if (known !== undefined) return known;
  build.index.set(happening.id, build.happenings.length);
  return build.happenings.push(happening) - 1;
};

const shareFaults = (build: Build, party: PartyName, copies: readonly Copy[]): ShareFaults => {
  const holder = holderOfShare(party);
  const fates = copies.map((copy) => ({ copy, ...copyFate(build, copy, holder) }));
  return { party, copies: fates, ...holderFate(build, holder, fates) };
};

/** All copies gone; any copy leaked, or the thing itself known outright. */
const holderFate = (build: Build, holder: string, fates: readonly Fate[]): Fate => ({
  lost: allOf(fates.map((fate) => fate.lost)),
  leaked: anyOf([
    ...build.setup.events.flatMap((event) =>
      event.exposes.includes(holder) ? [happeningOf(build, eventHappening(event))] : [],
    ),
    ...fates.map((fate) => fate.leaked),
  ]),
});

const copyFate = (build: Build, copy: Copy, holder: string): Fate => {
  const lost = anyOf([
    happeningOf(build, {
      id: `loss/${copy.id}`,
      kind: 'loss',
      title: `${copy.id} is lost`,
      ...chance(copy.loss),
    }),
    ...eventsOn(build, copy, holder, 'loses'),
    ...(copy.unlock === undefined ? [] : [failureOf(copy.unlock, (name) => secretFate(build, name).lost)]),
  ]);
  const ways = (copy.usableFrom ?? []).map((way) =>
    allOf([reachedFrom(build, way.from), unlockedBy(build, way.unlock)]),
  );
  const leaked = anyOf([allOf([reached(build, copy, holder), unlockedBy(build, copy.unlock)]), ...ways]);
  return { lost, leaked };
};

const chance = (probability: Range | undefined): { probability?: Range } =>
  probability === undefined ? {} : { probability };

const unlockedBy = (build: Build, unlock: Policy | undefined): Formula =>
  unlock === undefined ? true : successOf(unlock, (name) => secretFate(build, name).leaked);

/** Somebody else has the copy in hand, locked or not. */
const reached = (build: Build, copy: Copy, holder: string): Formula =>
  onceFor(build.reached, `copy:${copy.id}`, () =>
    anyOf([
      happeningOf(build, {
        id: `theft/${copy.id}`,
        kind: 'theft',
        title: `someone gets at ${copy.id}`,
        ...chance(copy.theft),
      }),
      ...eventsOn(build, copy, holder, 'exposes'),
    ]),
  );

/** Somebody else has the device or account: by an event, or by getting at a copy that lies in it. */
const reachedFrom = (build: Build, domain: string): Formula =>
  onceFor(build.reached, domain, () =>
    anyOf([
      ...build.setup.events.flatMap((event) =>
        event.exposes.includes(domain) && event.each !== true
          ? [happeningOf(build, eventHappening(event))]
          : [],
      ),
      ...copiesOf(build.setup).flatMap(({ copy, holder }) =>
        selects(domain, copy, holder) ? [reached(build, copy, holder)] : [],
      ),
    ]),
  );

const onceFor = <T>(known: Map<string, T>, key: string, work: () => T): T => {
  const before = known.get(key);
  if (before !== undefined) return before;
  const value = work();
  known.set(key, value);
  return value;
};

const eventsOn = (
  build: Build,
  copy: Copy,
  holder: string,
  effect: 'loses' | 'exposes',
): readonly Formula[] =>
  build.setup.events.flatMap((event) => {
    // A holder exposed by name is known outright, which holderFate has seen to.
    const hit = event[effect].some(
      (selector) => selects(selector, copy, holder) && (effect === 'loses' || selector !== holder),
    );
    return hit ? [happeningOf(build, eventHappening(event, event.each === true ? copy : undefined))] : [];
  });

const eventHappening = (event: RiskEvent, copy?: Copy): Happening => ({
  id: copy === undefined ? event.id : `${event.id}/${copy.id}`,
  kind: 'event',
  title: copy === undefined ? event.title : `${event.title} (${copy.id})`,
  event: event.id,
  ...chance(event.probability),
});

const secretFate = (build: Build, name: string): Fate => {
  const known = build.secrets.get(name);
  if (known !== undefined) return known;
  if (build.open.has(name))
    throw new KeepsetError('input/invalid-argument', `The locks go round in a circle at "${name}".`, {
      hint: 'A secret must not be locked, directly or indirectly, by itself.',
    });
  build.open.add(name);
  const holder = holderOfSecret(name);
  const copies = build.setup.secrets.get(name) ?? [];
  const fate = holderFate(
    build,
    holder,
    copies.map((copy) => copyFate(build, copy, holder)),
  );
  build.open.delete(name);
  build.secrets.set(name, fate);
  return fate;
};

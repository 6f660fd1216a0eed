/**
 * What each event, and the loss or exposure of each domain, does to each share and to the key.
 * @spec spec/policy.md §5
 */
import type { PartyName } from '../policy.ts';
import { copiesOf, domainsOf, type Domain, type RiskEvent, type Setup } from '../setup/setup.ts';
import { faultModelOf, type FaultModel } from './faults.ts';
import { holds } from './formula.ts';

/**
 * The worst that is true: `stolen` before `locked out` before `degraded` before `safe`.
 * Of a share, `stolen`: someone else has a copy open; `locked out`: no copy is left; `degraded`: some copy is
 * lost. Of the key, `stolen`: someone else has a quorum; `locked out`: no quorum is left; `degraded`: something
 * is lost or leaked.
 */
export type Outcome = 'safe' | 'degraded' | 'locked out' | 'stolen';

/** One cell of the matrix. Both of {@link Damage.lost} and {@link Damage.leaked} can be true. */
export interface Damage {
  readonly outcome: Outcome;
  readonly lost: boolean;
  readonly leaked: boolean;
}

/** What a share suffers. */
export interface ShareDamage extends Damage {
  readonly party: PartyName;
  readonly copiesLost: number;
  readonly copies: number;
}

/** One row of the matrix. */
export interface EventOutcome {
  /** The event's id, or the copy it strikes behind a slash for events that strike each copy on its own. */
  readonly id: string;
  readonly title: string;
  readonly shares: readonly ShareDamage[];
  readonly key: Damage;
}

/** The state after exactly these happenings, by index. */
export const outcomeOf = (
  model: FaultModel,
  happened: ReadonlySet<number>,
): { readonly shares: readonly ShareDamage[]; readonly key: Damage } => {
  const shares = model.shares.map((share): ShareDamage => {
    const copiesLost = share.copies.filter((copy) => holds(copy.lost, happened)).length;
    const lost = copiesLost === share.copies.length;
    const leaked = holds(share.leaked, happened);
    const outcome = worst(leaked, lost, copiesLost > 0);
    return { party: share.party, outcome, lost, leaked, copiesLost, copies: share.copies.length };
  });
  const lost = holds(model.lockedOut, happened);
  const leaked = holds(model.stolen, happened);
  const isTouched = shares.some(({ outcome }) => outcome !== 'safe');
  return { shares, key: { outcome: worst(leaked, lost, isTouched), lost, leaked } };
};

const worst = (leaked: boolean, lost: boolean, touched: boolean): Outcome => {
  if (leaked) return 'stolen';
  if (lost) return 'locked out';
  return touched ? 'degraded' : 'safe';
};

/** The share × event matrix, one row for each event that can strike; one that strikes nothing has its row too. */
export const eventOutcomes = (setup: Setup, model: FaultModel): readonly EventOutcome[] =>
  setup.events.flatMap((event) => {
    const strikes = [...model.happenings.entries()].filter(([, happening]) => happening.event === event.id);
    if (strikes.length === 0) return [{ id: event.id, title: event.title, ...outcomeOf(model, new Set()) }];
    return strikes.map(([index, { id, title }]) => ({ id, title, ...outcomeOf(model, new Set([index])) }));
  });

/** What losing, and what exposing, everything in one domain would do, listed event or not. */
export interface DomainOutcome {
  readonly domain: Domain;
  readonly locksOut: boolean;
  readonly steals: boolean;
}

/** The domains that alone decide over the key. Locks stay shut unless what opens them lies in the domain too. */
export const fatalDomains = (setup: Setup): readonly DomainOutcome[] => {
  const domains = new Set(copiesOf(setup).flatMap(({ copy }) => domainsOf(copy)));
  const probes = [...domains].map((domain): RiskEvent => ({
    id: domain,
    title: domain,
    loses: [domain],
    exposes: [domain],
  }));
  const model = faultModelOf({ ...setup, events: probes });
  return [...model.happenings.entries()].flatMap(([index, { event }]) => {
    if (event === undefined) return [];
    const { key } = outcomeOf(model, new Set([index]));
    return key.lost || key.leaked ? [{ domain: event, locksOut: key.lost, steals: key.leaked }] : [];
  });
};

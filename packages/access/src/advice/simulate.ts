import { KeepsetError } from '@keepset/bytes';
import { faultModelOf, type FaultModel } from '../analysis/faults.ts';
import { outcomeOf, type Damage, type ShareDamage } from '../analysis/outcomes.ts';
import type { PartyName, Policy } from '../policy.ts';
import { isQuorum, smallestAdditions } from '../quorum.ts';
import { listed } from '../render/text.ts';
import type { Setup } from '../setup/setup.ts';

/** Where things stand after a happening and all before it. */
export interface SimulatedStep {
  readonly id: string;
  /** A plain clause. */
  readonly title: string;
  readonly shares: readonly ShareDamage[];
  readonly key: Damage;
  /** Parties with which the owner can still sign, none of them to spare; `undefined` when locked out. */
  readonly quorum: readonly PartyName[] | undefined;
  /** What somebody else still needs in the best case for them; empty when they can sign. */
  readonly thiefNeeds: readonly PartyName[];
  /** What to do now, one sentence each. */
  readonly advice: readonly string[];
}

/**
 * Plays happenings through one after the other, nothing being repaired between them: event ids, `event/copy`
 * for events that strike each copy on its own, `loss/copy` and `theft/copy`.
 * @throws KeepsetError `input/invalid-argument` for one that cannot happen in this setup, naming those that can.
 */
export const simulate = (setup: Setup, ids: readonly string[]): readonly SimulatedStep[] => {
  const model = faultModelOf(setup);
  const happened = new Set<number>();
  return ids.map((id) => {
    const { index, title } = find(setup, model, id);
    if (index !== undefined) happened.add(index);
    const { shares, key } = outcomeOf(model, happened);
    const leaked = shares.filter((share) => share.leaked).map(({ party }) => party);
    const left = shares.filter((share) => !share.lost).map(({ party }) => party);
    const quorum = isQuorum(setup.policy, left) ? withoutSpares(setup.policy, left) : undefined;
    const [thiefNeeds = []] = smallestAdditions(setup.policy, leaked, 1);
    return { id, title, shares, key, quorum, thiefNeeds, advice: adviceFor(shares, key, quorum) };
  });
};

/** An event that strikes nothing in this setup has a title but no index. */
const find = (
  setup: Setup,
  model: FaultModel,
  id: string,
): { readonly index: number | undefined; readonly title: string } => {
  const index = model.happenings.findIndex((happening) => happening.id === id);
  const happening = model.happenings[index];
  if (happening !== undefined) return { index, title: happening.title };
  const event = setup.events.find(
    (one) => one.id === id && !model.happenings.some((other) => other.event === id),
  );
  if (event !== undefined) return { index: undefined, title: event.title };
  throw new KeepsetError('input/invalid-argument', `"${id.slice(0, 80)}" cannot happen in this setup.`, {
    hint: `Possible: ${model.happenings.map((one) => one.id).join(', ')}.`,
  });
};

const withoutSpares = (policy: Policy, parties: readonly PartyName[]): readonly PartyName[] => {
  let needed = parties;
  for (const party of parties) {
    const fewer = needed.filter((one) => one !== party);
    if (isQuorum(policy, fewer)) needed = fewer;
  }
  return needed;
};

const adviceFor = (
  shares: readonly ShareDamage[],
  key: Damage,
  quorum: readonly PartyName[] | undefined,
): readonly string[] => {
  const together = quorum === undefined ? '' : listed(quorum);
  if (key.leaked)
    return [
      quorum === undefined
        ? 'Somebody else can sign and you cannot: have the key revoked wherever it is trusted.'
        : `Somebody else can sign: move to a new key at once, signing with ${together}.`,
    ];
  if (quorum === undefined)
    return ['Nobody can sign any more: have the key replaced wherever it is trusted.'];
  const leaked = shares.filter((share) => share.leaked).map(({ party }) => party);
  const lost = shares.filter((share) => share.lost).map(({ party }) => party);
  const thinned = shares.filter((share) => !share.lost && share.copiesLost > 0).map(({ party }) => party);
  return [
    ...(leaked.length > 0
      ? [`Refresh with ${together}, so that what leaked of ${listed(leaked)} becomes useless.`]
      : []),
    ...(lost.length > 0 ? [`Repair the share of ${listed(lost)} with ${together}.`] : []),
    ...(thinned.length > 0 ? [`Write the lost copies of ${listed(thinned)} anew.`] : []),
  ];
};

import { normalise, parties, printPolicy, thresholdOf, type PartyName, type Policy } from '../policy.ts';
import { placeEvent } from '../setup/events.ts';
import { onPaper, ruleToCome } from '../setup/places.ts';
import { copiesOf, type Copy, type Setup } from '../setup/setup.ts';

/** A setup that differs in one thing. */
export interface Change {
  /** What to do, one sentence. */
  readonly title: string;
  readonly changed: Setup;
}

/** The changes worth trying, whether or not they help. */
export const changesOf = (setup: Setup): readonly Change[] => [
  ...policyChanges(setup),
  ...copyChanges(setup),
  ...serverChanges(setup),
  ...secretChanges(setup),
];

/** Another threshold at the top, or one party more or less. */
const policyChanges = (setup: Setup): readonly Change[] => {
  const policy = normalise(setup.policy);
  if (policy.kind === 'party') return [];
  const { parts } = policy;
  const need = thresholdOf(policy);
  const withNeed = (threshold: number, of: readonly Policy[]): Policy =>
    normalise({ kind: 'thresh', threshold, parts: of });
  const thresholds = [need - 1, need + 1]
    .filter((threshold) => threshold >= 1 && threshold <= parts.length)
    .map((threshold): Change => {
      const changed = withNeed(threshold, parts);
      return {
        title: `Let ${threshold} of the ${parts.length} suffice instead of ${need}: ${printPolicy(changed)}.`,
        changed: { ...setup, policy: changed },
      };
    });
  const party = freshName(setup, 'paper');
  const joined = withNeed(need, [...parts, { kind: 'party', name: party }]);
  const added: Change = {
    title: `Add a party, ${party}: ${printPolicy(joined)}.`,
    changed: withPlaces({
      ...setup,
      policy: joined,
      shares: new Map([...setup.shares, [party, [newCopy(setup, freshId(setup, party))]]]),
    }),
  };
  return [...thresholds, added];
};

/** A new copy like those the setup has: placed elsewhere if there are places, bare otherwise. */
const newCopy = (setup: Setup, id: string): Copy => {
  if (setup.events.length > 0) return onPaper(id, freshLocation(setup));
  const [like] = [...setup.shares.values()].flat();
  return {
    id,
    ...(like?.loss === undefined ? {} : { loss: like.loss }),
    ...(like?.theft === undefined ? {} : { theft: like.theft }),
  };
};

/** One more, one less, elsewhere, sealed. */
const copyChanges = (setup: Setup): readonly Change[] =>
  [...setup.shares].flatMap(([party, copies]) => {
    const replace = (list: readonly Copy[]): Setup =>
      withPlaces({ ...setup, shares: new Map([...setup.shares, [party, list]]) });
    const added = newCopy(setup, freshId(setup, `${party}-copy`));
    const location = freshLocation(setup);
    // A server keeps its share to itself.
    const canCopy = copies.every(({ kind }) => kind !== 'server');
    return [
      ...(canCopy
        ? [
            {
              title: `Keep a further copy of ${party}’s share${inPlace(added)}.`,
              changed: replace([...copies, added]),
            },
          ]
        : []),
      ...(copies.length > 1
        ? copies.map((copy) => ({
            title: `Give up the copy ${copy.id}.`,
            changed: replace(copies.filter((one) => one !== copy)),
          }))
        : []),
      ...copies
        .filter((copy) => copy.location === 'home' && copy.device === undefined)
        .map((copy) => ({
          title: `Move ${copy.id} from home to another place (${location}).`,
          changed: replace(copies.map((one) => (one === copy ? { ...copy, location } : one))),
        })),
      ...copies
        .filter((copy) => copy.device === undefined && copy.kind !== 'server')
        .flatMap((copy) => sealChange(setup, party, copies, copy)),
    ];
  });

const inPlace = ({ location }: Copy): string =>
  location === undefined ? '' : ` on paper in another place (${location})`;

const sealName = 'kit';

/** Encrypts a copy under the printed kit; a new one is kept in a place of its own. */
const sealChange = (
  setup: Setup,
  party: PartyName,
  copies: readonly Copy[],
  copy: Copy,
): readonly Change[] => {
  if (setup.events.length === 0) return [];
  if (copy.unlock !== undefined && parties(copy.unlock).includes(sealName)) return [];
  const seal: Policy = { kind: 'party', name: sealName };
  const also = (unlock: Policy | undefined): Policy =>
    unlock === undefined ? seal : { kind: 'and', parts: [unlock, seal] };
  const sealed: Copy = {
    ...copy,
    unlock: also(copy.unlock),
    ...(copy.usableFrom === undefined
      ? {}
      : { usableFrom: copy.usableFrom.map((way) => ({ ...way, unlock: also(way.unlock) })) }),
  };
  const location = freshLocation(setup);
  const kit = setup.secrets.get(sealName) ?? [onPaper(sealName, location)];
  return [
    {
      title: setup.secrets.has(sealName)
        ? `Seal ${copy.id} under the recovery kit too.`
        : `Seal ${copy.id} under a recovery kit, printed and kept in another place (${location}).`,
      changed: withPlaces({
        ...setup,
        shares: new Map([...setup.shares, [party, copies.map((one) => (one === copy ? sealed : one))]]),
        secrets: new Map([...setup.secrets, [sealName, kit]]),
      }),
    },
  ];
};

/** A server that signs for whoever has the phone can be told not to. */
const serverChanges = (setup: Setup): readonly Change[] =>
  [...setup.shares].flatMap(([party, copies]) =>
    copies
      .filter((copy) => copy.kind === 'server' && copy.usableFrom !== undefined)
      .map((copy) => {
        const { usableFrom: _, ...waits } = copy;
        const changed: readonly Copy[] = copies.map((one) => (one === copy ? waits : one));
        return {
          title: `Let ${copy.id} wait before it signs what a device asks for, so that you can stop it. ${ruleToCome}`,
          changed: { ...setup, shares: new Map([...setup.shares, [party, changed]]) },
        };
      }),
  );

/** What is kept in one head or on one page only can be written down once more. */
const secretChanges = (setup: Setup): readonly Change[] => {
  const location = freshLocation(setup);
  return [...setup.secrets]
    .filter(([, copies]) => copies.length === 1)
    .map(([secret, copies]) => ({
      title: `Write ${secret} down in another place (${location}).`,
      changed: withPlaces({
        ...setup,
        secrets: new Map([
          ...setup.secrets,
          [secret, [...copies, onPaper(freshId(setup, `${secret}-page`), location)]],
        ]),
      }),
    }));
};

/** Adds the event that strikes each new place, so that a suggestion is not judged by leaving its risk out. */
const withPlaces = (setup: Setup): Setup => {
  const known = new Set(setup.events.flatMap(({ loses, exposes }) => [...loses, ...exposes]));
  const missing = locationsOf(setup).filter(
    (location) => location.startsWith(elsewhere) && !known.has(`location:${location}`),
  );
  return setup.events.length === 0
    ? setup
    : { ...setup, events: [...setup.events, ...missing.map(placeEvent)] };
};

const elsewhere = 'elsewhere';

const locationsOf = (setup: Setup): readonly string[] => [
  ...new Set(copiesOf(setup).flatMap(({ copy }) => copy.location ?? [])),
];

const freshLocation = (setup: Setup): string => fresh(elsewhere, locationsOf(setup));
const freshName = (setup: Setup, base: string): string => fresh(base, [...setup.shares.keys()]);
const freshId = (setup: Setup, base: string): string =>
  fresh(
    base,
    copiesOf(setup).map(({ copy }) => copy.id),
  );

const fresh = (base: string, taken: readonly string[]): string => {
  if (!taken.includes(base)) return base;
  let n = 2;
  while (taken.includes(`${base}-${n}`)) n += 1;
  return `${base}-${n}`;
};

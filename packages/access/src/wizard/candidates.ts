import { printPolicy, type PartyName, type Policy } from '../policy.ts';
import {
  inKeychain,
  onIpad,
  onPaper,
  onPhone,
  onServer,
  onStick,
  ruleToCome,
  setupOf,
  type ServerRule,
} from '../setup/places.ts';
import type { Copy, Setup } from '../setup/setup.ts';
import type { Answers } from './answers.ts';
import type { Floor } from './floor.ts';

/** One way to use what there is. */
export interface Candidate {
  readonly setup: Setup;
  /** What the user has to do beyond owning the devices, one sentence each. */
  readonly needs: readonly string[];
  /** Sticks the user has that serve for nothing. */
  readonly idleSticks: number;
  /** Shares on paper: readable by whoever finds them, and to be printed anew at each refresh. */
  readonly pages: number;
  /** Places beside the home. */
  readonly furtherPlaces: number;
}

/** The places beside the home, in the order they are taken into use. */
const elsewhere = ['elsewhere', 'elsewhere-2', 'elsewhere-3', 'elsewhere-4'] as const;

/** Shares beside the phone's that the answers allow, each a way to place it. */
interface Part {
  readonly party: PartyName;
  /** Things that can be kept at home or elsewhere. */
  readonly things: number;
  readonly place: (locations: readonly string[], seals: Seals) => readonly Copy[];
}

interface Seals {
  readonly stick: string;
  readonly keychain: string | undefined;
  readonly rule: ServerRule;
}

/** Every candidate with `size` shares, a server among them keeping one of `rules`. */
export function* candidatesOf(
  answers: Answers,
  floor: Floor,
  size: number,
  rules: readonly ServerRule[],
): Generator<Candidate, void, undefined> {
  for (const { phone, fixed, free } of partsFor(answers))
    for (const chosen of choose(free, size - 1 - fixed.length))
      for (const threshold of thresholdsFor(size, floor, fixed))
        yield* placed(answers, phone, [...fixed, ...chosen], threshold, floor, rules);
}

const thresholdsFor = (size: number, floor: Floor, fixed: readonly Part[]): readonly number[] => {
  const least = Math.max(floor.theft + 1, fixed.some(({ party }) => party === 'server') ? 2 : 1);
  return Array.from({ length: Math.max(0, size - floor.loss - least + 1) }, (_, n) => least + n);
};

const stick = (party: string, ids: readonly string[]): Part => ({
  party,
  things: ids.length,
  place: (locations, { stick: seal }) => ids.map((id, n) => onStick(id, locations[n] ?? 'home', seal)),
});

const page = (party: string): Part => ({
  party,
  things: 1,
  place: ([location = 'home']) => [onPaper(party, location)],
});

const keychain: Part = {
  party: 'cloud',
  things: 0,
  place: (_, seals) => [inKeychain('cloud', seals.keychain)],
};
const server: Part = { party: 'server', things: 0, place: (_, { rule }) => [onServer(rule)] };
const ipad: Part = { party: 'ipad', things: 0, place: () => [onIpad()] };

/** The phone is always in; so is the device that the third answer names, with a share of its own or a copy. */
const partsFor = ({
  sticks,
  devices,
}: Answers): readonly { phone: readonly Copy[]; fixed: readonly Part[]; free: readonly Part[] }[] => {
  const others = [keychain, page('paper'), page('paper-2')];
  const byStick: Readonly<Record<Answers['sticks'], readonly (readonly Part[])[]>> = {
    A: [[]],
    B: [[stick('usb', ['usb'])]],
    C: [[stick('usb', ['usb', 'usb-copy'])], [stick('usb-1', ['usb-1']), stick('usb-2', ['usb-2'])]],
  };
  return byStick[sticks].flatMap((usb) => {
    const free = [...usb, ...others];
    if (devices === 'A') return [{ phone: [onPhone()], fixed: [], free }];
    if (devices === 'C') return [{ phone: [onPhone()], fixed: [server], free }];
    return [
      { phone: [onPhone()], fixed: [ipad], free },
      { phone: [onPhone(), onIpad()], fixed: [], free },
    ];
  });
};

function* placed(
  { sticks }: Answers,
  phone: readonly Copy[],
  parts: readonly Part[],
  threshold: number,
  floor: Floor,
  serverRules: readonly ServerRule[],
): Generator<Candidate, void, undefined> {
  const names = ['phone', ...parts.map(({ party }) => party)];
  const isEveryday = names.filter((name) => ['phone', 'ipad', 'server'].includes(name)).length >= threshold;
  if (floor.everyday && !isEveryday) return;
  const has = (party: string): boolean => names.includes(party);
  // A server that waits is not at hand.
  const rules = serverRules.filter((rule) => !(floor.everyday && rule === 'delay'));
  const isSealing = parts.some(({ party }) => party.startsWith('usb') || party === 'cloud');
  const policy = flat(threshold, names);
  for (const locations of waysToKeep(sum(parts)))
    for (const kit of isSealing ? waysToKeepKit(parts, locations) : [[]])
      for (const keychainSeal of has('cloud') && kit.length > 0
        ? [undefined, 'kit', 'or(passphrase,kit)']
        : [undefined])
        for (const rule of has('server') ? rules : rules.slice(0, 1)) {
          const seals = {
            stick: kit.length > 0 ? 'or(passphrase,kit)' : 'passphrase',
            keychain: keychainSeal,
            rule,
          };
          yield {
            setup: assemble(policy, phone, parts, locations, seals, kit),
            needs: needsOf(parts, locations, seals, kit),
            idleSticks:
              { A: 0, B: 1, C: 2 }[sticks] - sum(parts.filter(({ party }) => party.startsWith('usb'))),
            furtherPlaces: new Set([...locations, ...kit].filter((location) => location !== 'home')).size,
            pages: sum(parts.filter(({ party }) => party.startsWith('paper'))),
          };
        }
}

const sum = (parts: readonly Part[]): number => parts.reduce((total, { things }) => total + things, 0);

const flat = (threshold: number, names: readonly PartyName[]): Policy => {
  const parts = names.map((name): Policy => ({ kind: 'party', name }));
  if (threshold === 1) return { kind: 'or', parts };
  return threshold === names.length ? { kind: 'and', parts } : { kind: 'thresh', threshold, parts };
};

/** Each thing at home or elsewhere; those elsewhere each in a place of their own. */
const waysToKeep = (things: number): readonly (readonly string[])[] =>
  Array.from({ length: 2 ** things }, (_, mask) => {
    let away = 0;
    return Array.from({ length: things }, (_thing, n) =>
      ((mask >> n) & 1) === 0 ? 'home' : (elsewhere[away++] ?? elsewhere[3]),
    );
  });

/** The kit at home, in a further place, in both or not at all, but never beside a stick that it opens. */
const waysToKeepKit = (
  parts: readonly Part[],
  locations: readonly string[],
): readonly (readonly string[])[] => {
  const further = elsewhere[locations.filter((location) => location !== 'home').length] ?? elsewhere[3];
  const isStickAtHome = parts
    .flatMap(({ party, things }) => Array.from({ length: things }, () => party))
    .some((party, n) => party.startsWith('usb') && locations[n] === 'home');
  return isStickAtHome ? [[], [further]] : [[], ['home'], [further], ['home', further]];
};

const assemble = (
  policy: Policy,
  phone: readonly Copy[],
  parts: readonly Part[],
  locations: readonly string[],
  seals: Seals,
  kit: readonly string[],
): Setup => {
  let used = 0;
  const shares: Record<PartyName, readonly Copy[]> = { phone };
  for (const part of parts) {
    shares[part.party] = part.place(locations.slice(used, used + part.things), seals);
    used += part.things;
  }
  const kits = kit.map((location, n) => onPaper(n === 0 ? 'kit' : `kit-${n + 1}`, location));
  return setupOf(printPolicy(policy), shares, kits.length === 0 ? {} : { kit: kits });
};

const needsOf = (
  parts: readonly Part[],
  locations: readonly string[],
  seals: Seals,
  kit: readonly string[],
): readonly string[] => {
  const things = parts.flatMap(({ party, things: n, place }) =>
    n === 0 ? [] : place([], seals).map(({ id }) => ({ id, party })),
  );
  return [
    ...things.flatMap(({ id, party }, n) => {
      const location = locations[n] ?? 'home';
      if (location !== 'home') return [`Keep ${id} away from home (${location}).`];
      return party.startsWith('paper') ? [`Print ${id} and keep it at home.`] : [];
    }),
    ...kit.map(
      (location) => `Print the recovery kit and keep it ${location === 'home' ? 'at home' : location}.`,
    ),
    ...(seals.rule === 'step-up'
      ? [`Let the server ask for a second factor that is not on the phone. ${ruleToCome}`]
      : []),
    ...(seals.rule === 'delay'
      ? [`Let the server wait before it signs, so that you can stop it. ${ruleToCome}`]
      : []),
  ];
};

function* choose<T>(items: readonly T[], count: number): Generator<readonly T[], void, undefined> {
  if (count === 0) yield [];
  if (count <= 0) return;
  for (const [n, item] of items.entries())
    for (const rest of choose(items.slice(n + 1), count - 1)) yield [item, ...rest];
}

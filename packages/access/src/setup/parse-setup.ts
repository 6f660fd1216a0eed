import { KeepsetError, parseAs, type Schema } from '@keepset/bytes';
import * as v from 'valibot';
import { parsePolicy } from '../parse.ts';
import { parties, type PartyName, type Policy } from '../policy.ts';
import { eventLibrary } from './events.ts';
import { rangeOf, type Copy, type Range, type RiskEvent, type Setup, type Way } from './setup.ts';

/** Distinct parties the analyser takes; more than can hold a key. */
export const analysisParties = 64;

/** A probability as a user writes it: `p`, `[low, high]` or `[low, likely, high]`. */
export type ProbabilityInput = number | number[];

/** A copy as a user writes it; `unlock` is policy text over secrets. See {@link Copy}. */
export interface CopyInput {
  id?: string | undefined;
  kind?: string | undefined;
  location?: string | undefined;
  account?: string | undefined;
  device?: string | undefined;
  person?: string | undefined;
  unlock?: string | undefined;
  usableFrom?: { from: string; unlock?: string | undefined }[] | undefined;
  loss?: ProbabilityInput | undefined;
  theft?: ProbabilityInput | undefined;
  online?: boolean | undefined;
}

/** An event as a user writes it. See {@link RiskEvent}. */
export interface EventInput {
  id: string;
  title: string;
  probability?: ProbabilityInput | undefined;
  loses?: string[] | undefined;
  exposes?: string[] | undefined;
  each?: boolean | undefined;
}

/** A setup as a user writes it, in JSON. */
export interface SetupInput {
  policy: string;
  shares?: Record<string, CopyInput[]> | undefined;
  secrets?: Record<string, CopyInput[]> | undefined;
  /** An event given by its id alone is taken from the library. */
  events?: (string | EventInput)[] | undefined;
}

const most = { copies: 128, events: 64, selectors: 32 };

const name = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected a name'));
const title = v.pipe(v.string(), v.regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,80}$/u, 'expected printable text'));
const selector = v.pipe(
  v.string(),
  v.regex(
    /^(location|account|device|person|kind|copy|share|secret):[a-z0-9][a-z0-9._-]{0,63}$/,
    'expected kind:name',
  ),
);
const way = v.pipe(
  v.string(),
  v.regex(/^(device|account):[a-z0-9][a-z0-9._-]{0,63}$/, 'expected device:name'),
);
const one = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const probability = v.union([
  one,
  v.pipe(
    v.array(one),
    v.minLength(2),
    v.maxLength(3),
    v.check(
      (values) => values.every((value, i) => i === 0 || value >= (values[i - 1] ?? 0)),
      'expected low to high',
    ),
  ),
]);
const policyText = v.pipe(v.string(), v.maxLength(4096));

const copySchema = v.strictObject({
  id: v.optional(name),
  kind: v.optional(name),
  location: v.optional(name),
  account: v.optional(name),
  device: v.optional(name),
  person: v.optional(name),
  unlock: v.optional(policyText),
  usableFrom: v.optional(
    v.pipe(v.array(v.strictObject({ from: way, unlock: v.optional(policyText) })), v.maxLength(8)),
  ),
  loss: v.optional(probability),
  theft: v.optional(probability),
  online: v.optional(v.boolean()),
});
const copies = v.pipe(v.array(copySchema), v.minLength(1), v.maxLength(most.copies));
const eventSchema = v.strictObject({
  id: name,
  title,
  probability: v.optional(probability),
  loses: v.optional(v.pipe(v.array(selector), v.maxLength(most.selectors))),
  exposes: v.optional(v.pipe(v.array(selector), v.maxLength(most.selectors))),
  each: v.optional(v.boolean()),
});
const eventsSchema = v.pipe(v.array(v.union([name, eventSchema])), v.maxLength(most.events));
const setupSchema: Schema<SetupInput> = v.strictObject({
  policy: policyText,
  shares: v.optional(v.record(v.string(), copies)),
  secrets: v.optional(v.record(v.string(), copies)),
  events: v.optional(eventsSchema),
});

/**
 * Checks a setup written by a user, see {@link SetupInput}. A party without copies has one copy of its own
 * name and no domains; without `events` nothing happens but the losses and thefts of single copies.
 * @throws KeepsetError `input/malformed`, `input/invalid-argument` or `policy/syntax`
 */
export const parseSetup = (value: unknown): Setup => {
  const input = parseAs(setupSchema, value, 'setup', 'input/malformed');
  const policy = parsePolicy(input.policy, { maxParties: analysisParties, allowRepeats: true });
  const shares = new Map<PartyName, readonly Copy[]>();
  const given = new Map(Object.entries(input.shares ?? {}));
  for (const party of parties(policy)) shares.set(party, readCopies(party, given.get(party) ?? [{}]));
  for (const party of given.keys())
    if (!shares.has(party))
      throw invalid(`The setup places a share of "${party}", which is not in the policy.`);
  const secrets = new Map<string, readonly Copy[]>();
  for (const [secret, list] of Object.entries(input.secrets ?? {})) {
    if (parties(readLock(secret)).join() !== secret) throw invalid(`"${secret}" is no name for a secret.`);
    secrets.set(secret, readCopies(secret, list));
  }
  const events = (input.events ?? []).map(readEvent);
  return checkSetup({ policy, shares, secrets, events });
};

/**
 * Checks events written by a user, as in {@link SetupInput.events}.
 * @throws KeepsetError `input/malformed`, `input/invalid-argument`
 */
export const parseEvents = (value: unknown): readonly RiskEvent[] => {
  const events = parseAs(eventsSchema, value, 'events', 'input/malformed').map(readEvent);
  refuseTwice(
    events.map(({ id }) => id),
    'event',
  );
  return events;
};

/** A setup of bare parties: one copy each, without domains or events, all with these probabilities. */
export const bareSetup = (policy: Policy, loss?: Range, theft?: Range): Setup => ({
  policy,
  shares: new Map(
    parties(policy).map((party) => [
      party,
      [{ id: party, ...(loss === undefined ? {} : { loss }), ...(theft === undefined ? {} : { theft }) }],
    ]),
  ),
  secrets: new Map(),
  events: [],
});

/**
 * What the schema cannot say: ids are unique, locks name secrets that exist, sizes are bounded.
 * @throws KeepsetError `input/invalid-argument`
 */
export const checkSetup = (setup: Setup): Setup => {
  const all = [...setup.shares.values(), ...setup.secrets.values()].flat();
  if (all.length > most.copies) throw invalid(`A setup has at most ${most.copies} copies.`);
  refuseTwice(
    all.map(({ id }) => id),
    'copy',
  );
  refuseTwice(
    setup.events.map(({ id }) => id),
    'event',
  );
  for (const copy of all)
    for (const lock of [copy.unlock, ...(copy.usableFrom ?? []).map((way) => way.unlock)])
      for (const secret of lock === undefined ? [] : parties(lock))
        if (!setup.secrets.has(secret))
          throw new KeepsetError(
            'input/invalid-argument',
            `"${copy.id}" is locked by "${secret}", which is kept nowhere.`,
            {
              hint: `Add "${secret}" under secrets, with its copies: someone's memory, a printed page.`,
            },
          );
  return setup;
};

const readCopies = (holder: string, list: readonly CopyInput[]): readonly Copy[] =>
  list.map((copy, n) => {
    const { unlock, usableFrom, loss, theft, id, ...rest } = copy;
    return {
      ...defined(rest),
      id: id ?? (n === 0 ? holder : `${holder}-${n + 1}`),
      ...(unlock === undefined ? {} : { unlock: readLock(unlock) }),
      ...(usableFrom === undefined ? {} : { usableFrom: usableFrom.map(readWay) }),
      ...(loss === undefined ? {} : { loss: readRange(loss) }),
      ...(theft === undefined ? {} : { theft: readRange(theft) }),
    };
  });

const readWay = ({ from, unlock }: { from: string; unlock?: string | undefined }): Way => ({
  from,
  ...(unlock === undefined ? {} : { unlock: readLock(unlock) }),
});

const readEvent = (event: string | EventInput): RiskEvent => {
  if (typeof event !== 'string')
    return {
      id: event.id,
      title: event.title,
      ...(event.probability === undefined ? {} : { probability: readRange(event.probability) }),
      loses: event.loses ?? [],
      exposes: event.exposes ?? [],
      ...(event.each === undefined ? {} : { each: event.each }),
    };
  const known = eventLibrary.find(({ id }) => id === event);
  if (known === undefined)
    throw new KeepsetError('input/invalid-argument', `There is no event "${event}" in the library.`, {
      hint: `Known: ${eventLibrary.map(({ id }) => id).join(', ')}.`,
    });
  return known;
};

const readLock = (text: string): Policy => parsePolicy(text, { allowRepeats: true });

const readRange = (value: ProbabilityInput): Range => {
  if (typeof value === 'number') return rangeOf(value);
  const [low = 0, middle = low, high] = value;
  return high === undefined ? rangeOf(low, middle) : { low, likely: middle, high };
};

/** Drops properties that are present but undefined. */
const defined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

const refuseTwice = (ids: readonly string[], what: string): void => {
  const again = ids.find((id, n) => ids.indexOf(id) !== n);
  if (again !== undefined)
    throw invalid(`Two ${what === 'copy' ? 'copies' : 'events'} are called "${again}".`);
};

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

/**
 * The kinds of places people have, as copies with their locks and domains. The probabilities are yearly
 * assumptions for what the listed events do not cover, to be replaced by one's own.
 */
import { parsePolicy } from '../parse.ts';
import { parties, type PartyName, type Policy } from '../policy.ts';
import { eventLibrary, placeEvent } from './events.ts';
import { rangeOf, type Copy, type Setup, type Way } from './setup.ts';

/** The few locks there are come up again and again. */
const locks = new Map<string, Policy>();
const lock = (text: string): Policy => {
  const policy = locks.get(text) ?? parsePolicy(text);
  if (locks.size < 100) locks.set(text, policy);
  return policy;
};

/** Adds a seal to what a place itself asks for. */
const sealed = (own: string, seal: string | undefined): Policy =>
  lock(seal === undefined ? own : `and(${own},${seal})`);

/** For what only the listed events do to a place. */
const byEventsOnly = { loss: rangeOf(0), theft: rangeOf(0) };

/** A share wrapped by the phone's Secure Enclave. */
export const onPhone = (id = 'phone'): Copy => ({
  id,
  kind: 'secure-enclave',
  device: 'phone',
  location: 'pocket',
  unlock: lock('passcode'),
  ...byEventsOnly,
});

/** The same on a tablet that stays at home. People use one passcode for both. */
export const onIpad = (id = 'ipad'): Copy => ({
  id,
  kind: 'secure-enclave',
  device: 'ipad',
  location: 'home',
  unlock: lock('passcode'),
  loss: rangeOf(0.02, 0.1),
  theft: rangeOf(0.002, 0.02),
});

/**
 * iCloud Keychain. Whoever opens one of the devices reads the item there; `seal` is what the share is
 * encrypted under before it goes in, as policy text over secrets.
 */
export const inKeychain = (id: string, seal?: string): Copy => ({
  id,
  kind: 'icloud-keychain',
  account: 'apple',
  unlock: sealed('apple-login', seal),
  usableFrom: ['device:phone', 'device:ipad'].map((from): Way => ({
    from,
    unlock: sealed('passcode', seal),
  })),
  loss: rangeOf(0.002, 0.02),
  theft: rangeOf(0),
  online: true,
});

/** A share file on a stick; `seal` opens it, as policy text over secrets. Without one, its codes lie beside it. */
export const onStick = (id: string, location: string, seal?: string): Copy => ({
  id,
  kind: 'usb',
  location,
  ...(seal === undefined ? {} : { unlock: lock(seal) }),
  loss: rangeOf(0.01, 0.03),
  theft: rangeOf(0.001, 0.01),
});

/** A share on paper: whoever has the page has the share. */
export const onPaper = (id: string, location: string): Copy => ({
  id,
  kind: 'printed',
  location,
  loss: rangeOf(0.005, 0.03),
  theft: rangeOf(0.001, 0.01),
});

/**
 * What the server asks before it signs along. `phone`: the enrolled device. `step-up`: also a second factor
 * that the device does not hold. `delay`: it waits, long enough for the owner to stop it from elsewhere.
 */
export type ServerRule = 'phone' | 'step-up' | 'delay';

/** What the commitment server of this project does. */
export const serverRulesBuilt: readonly ServerRule[] = ['phone'];
export const serverRulesToCome: readonly ServerRule[] = ['step-up', 'delay'];
/** Stands wherever one of these is asked for. */
export const ruleToCome = 'Keepset’s own server has no such rule yet.';

/** The commitment server. Its share does not leak to a thief of the phone, but it may sign for one. */
export const onServer = (rule: ServerRule, id = 'server'): Copy => ({
  id,
  kind: 'server',
  location: 'provider',
  ...byEventsOnly,
  ...(rule === 'delay'
    ? {}
    : {
        usableFrom: [
          { from: 'device:phone', unlock: sealed('passcode', rule === 'step-up' ? 'step-up' : undefined) },
        ],
      }),
  online: true,
});

/** Where the secrets that locks name are usually kept. */
const usualSecrets: ReadonlyMap<string, readonly Copy[]> = new Map(
  Object.entries({
    // Being watched or phished is in the events that take the phone and the account.
    passcode: [{ ...inMemory('passcode'), loss: rangeOf(0.0005, 0.005), theft: rangeOf(0) }],
    'apple-login': [{ ...inMemory('apple-login'), loss: rangeOf(0.001, 0.01), theft: rangeOf(0) }],
    'step-up': [{ ...inMemory('step-up'), loss: rangeOf(0.005, 0.05) }],
    kit: [onPaper('kit', 'home')],
  }),
);

/** What is rarely used is forgotten. */
function inMemory(secret: string): Copy {
  return {
    id: `${secret}-in-mind`,
    kind: 'memory',
    person: 'owner',
    loss: rangeOf(0.01, 0.1),
    theft: rangeOf(0.0005, 0.005),
  };
}

/**
 * A setup of such places with the whole event library, and an event for each further place where things are
 * kept. Secrets that locks name and that are not given are kept where people usually keep them.
 */
export const setupOf = (
  policy: string,
  shares: Readonly<Record<PartyName, readonly Copy[]>>,
  secrets: Readonly<Record<string, readonly Copy[]>> = {},
): Setup => {
  const byParty = new Map(Object.entries(shares));
  const kept = secretsFor([...byParty.values()].flat(), new Map(Object.entries(secrets)));
  const locations = [...byParty.values(), ...kept.values()].flat().flatMap(({ location }) => location ?? []);
  const further = [...new Set(locations)].filter(
    (location) => !['home', 'pocket', 'provider'].includes(location),
  );
  return {
    policy: parsePolicy(policy),
    shares: byParty,
    secrets: kept,
    events: [...eventLibrary, ...further.map(placeEvent)],
  };
};

const secretsFor = (
  copies: readonly Copy[],
  given: ReadonlyMap<string, readonly Copy[]>,
): ReadonlyMap<string, readonly Copy[]> => {
  const named = copies
    .flatMap((copy) => [copy.unlock, ...(copy.usableFrom ?? []).map((way) => way.unlock)])
    .flatMap((unlock) => (unlock === undefined ? [] : parties(unlock)));
  return new Map(
    [...new Set(named)].map((name) => [name, given.get(name) ?? usualSecrets.get(name) ?? [inMemory(name)]]),
  );
};

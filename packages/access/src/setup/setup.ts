/**
 * What a policy looks like in the world: where the copies of each share lie, what opens them, and what can
 * happen. This is the analyser's whole input; nothing in it is secret.
 * @spec spec/policy.md §4
 */
import type { PartyName, Policy } from '../policy.ts';

/** A probability over one period (a year, by convention) as a range, 0 ≤ low ≤ likely ≤ high ≤ 1. */
export interface Range {
  readonly low: number;
  readonly likely: number;
  readonly high: number;
}

/** A domain such as `location:home`, `device:phone`, `account:apple`, `person:owner`: what fails together. */
export type Domain = string;

/** What an event reaches: a {@link Domain}, or `kind:…`, `copy:…`, `share:…`, `secret:…`. */
export type Selector = string;

/** One copy of a share or of a secret. */
export interface Copy {
  /** Unique in the setup. */
  readonly id: string;
  /** Kind of place: `secure-enclave`, `icloud-keychain`, `usb`, `printed`, `server`, `memory` … */
  readonly kind?: string;
  readonly location?: string;
  readonly account?: string;
  readonly device?: string;
  /** In whose head or hands it is: without this person it is gone. */
  readonly person?: string;
  /**
   * Policy over secrets that opens the copy, for its owner and for a thief alike: the device's passcode, the
   * seal on the file, or both. Without it, whoever reaches the copy has what is in it.
   */
  readonly unlock?: Policy;
  /**
   * Other ways to use the copy without reaching it: a synced item on a second device, a server that answers
   * the phone. They count for a thief only; losing them does not lose the copy.
   */
  readonly usableFrom?: readonly Way[];
  /** Lost by itself, outside the listed events. */
  readonly loss?: Range;
  /** Reached by someone else by itself, outside the listed events. It leaks if `unlock` is theirs too. */
  readonly theft?: Range;
  /** The internet is needed to get at it. */
  readonly online?: boolean;
}

/** A device or account from which a copy can be used, and what must be known there. */
export interface Way {
  /** `device:…` or `account:…` */
  readonly from: Domain;
  readonly unlock?: Policy;
}

/** Something that happens to many copies at once. */
export interface RiskEvent {
  readonly id: string;
  /** A plain clause: `the house burns down`. */
  readonly title: string;
  readonly probability?: Range;
  /** Copies that are gone afterwards. `secret:` and `share:` mean all copies of that one. */
  readonly loses: readonly Selector[];
  /**
   * Copies that someone else reaches; what stands under a lock leaks only if the lock's secrets do.
   * `secret:` and `share:` are known outright.
   */
  readonly exposes: readonly Selector[];
  /** Strikes each matching copy on its own, as rot does, rather than all of them together. */
  readonly each?: boolean;
}

/** The analyser's input. */
export interface Setup {
  readonly policy: Policy;
  /** The copies of each party's share, in policy order. Every party of the policy has at least one. */
  readonly shares: ReadonlyMap<PartyName, readonly Copy[]>;
  /** Passcodes, passphrases, recovery codes: named by `unlock`, placed like shares. */
  readonly secrets: ReadonlyMap<string, readonly Copy[]>;
  readonly events: readonly RiskEvent[];
}

/** A range from one number or two; the likely value between two is their geometric mean, or the middle from 0. */
export const rangeOf = (low: number, high: number = low): Range => ({
  low,
  likely: low > 0 ? Math.sqrt(low * high) : (low + high) / 2,
  high,
});

/** Whether `selector` names this copy of `holder`, which is a share or a secret. */
export const selects = (selector: Selector, copy: Copy, holder: string): boolean => {
  const colon = selector.indexOf(':');
  const value = selector.slice(colon + 1);
  switch (selector.slice(0, colon)) {
    case 'location':
      return copy.location === value;
    case 'account':
      return copy.account === value;
    case 'device':
      return copy.device === value;
    case 'person':
      return copy.person === value;
    case 'kind':
      return copy.kind === value;
    case 'copy':
      return copy.id === value;
    default:
      return selector === holder;
  }
};

/** `share:phone` or `secret:passcode`: how selectors and messages name what is kept. */
export const holderOfShare = (party: PartyName): string => `share:${party}`;
export const holderOfSecret = (secret: string): string => `secret:${secret}`;

/** Every copy of the setup with what it holds, shares first. */
export const copiesOf = (setup: Setup): readonly { readonly holder: string; readonly copy: Copy }[] => [
  ...[...setup.shares].flatMap(([party, copies]) =>
    copies.map((copy) => ({ holder: holderOfShare(party), copy })),
  ),
  ...[...setup.secrets].flatMap(([name, copies]) =>
    copies.map((copy) => ({ holder: holderOfSecret(name), copy })),
  ),
];

/** The domains a copy lies in. */
export const domainsOf = (copy: Copy): readonly Domain[] =>
  (['location', 'account', 'device', 'person'] as const).flatMap((kind) =>
    copy[kind] === undefined ? [] : [`${kind}:${copy[kind]}`],
  );

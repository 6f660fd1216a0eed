/**
 * Whether a key is protected, by what one of its devices has tested itself.
 * @spec spec/health.md §3
 */
import {
  analyse,
  isQuorum,
  parsePolicy,
  parties,
  type Copy,
  type PartyName,
  type Policy,
} from '@keepset/access';
import type { CopyState } from './state.ts';

/** Whose share of which key. */
export interface Holding {
  /** Policy text. */
  readonly policy: string;
  /** The party whose copies are judged. */
  readonly party: PartyName;
}

/** One thing that is missing. */
export type Shortfall =
  /** No copy of the share, not even the device's own, was opened. */
  | { readonly kind: 'no-tested-copy' }
  /** Every copy that was tested is lost together with the others. */
  | { readonly kind: 'one-place'; readonly domain: string }
  /** Fewer places may be lost than the policy promises. */
  | { readonly kind: 'tolerance'; readonly promised: number; readonly reached: number };

/** The verdict over a key. */
export interface Protection {
  readonly isProtected: boolean;
  /** Domains of the copies that count, each once. */
  readonly places: readonly string[];
  /** Empty exactly for a protected key. */
  readonly shortfalls: readonly Shortfall[];
  /** Parties without which nobody can sign, whatever this device does: the policy says so. */
  readonly needed: readonly PartyName[];
}

/**
 * A key is protected only if the copies that count give what the policy promises, and lie in at least two places that
 * are not lost together. Other parties count with the one place in which they held their share when the epoch began:
 * no epoch begins before each party has confirmed that.
 * @throws KeepsetError `policy/syntax`, `policy/unsupported`
 */
export const protectionOf = ({ policy: text, party }: Holding, copies: readonly CopyState[]): Protection => {
  const policy = parsePolicy(text, { allowRepeats: true });
  const places = [...new Set(copies.filter(({ counts }) => counts).map(({ domain }) => domain))];
  const others = parties(policy).filter((name) => name !== party);
  const needed = others.filter(
    (name) => !isQuorum(policy, [party, ...others.filter((each) => each !== name)]),
  );
  const [only] = places;
  if (only === undefined)
    return { isProtected: false, places, shortfalls: [{ kind: 'no-tested-copy' }], needed };
  const { lossTolerance, places: reached } = analyse(setupOf(policy, party, places));
  const shortfalls: readonly Shortfall[] = [
    ...(places.length === 1 ? [{ kind: 'one-place' as const, domain: only }] : []),
    ...(reached.loss < lossTolerance
      ? [{ kind: 'tolerance' as const, promised: lossTolerance, reached: reached.loss }]
      : []),
  ];
  return { isProtected: shortfalls.length === 0, places, shortfalls, needed };
};

/** One copy for each place, however many lie in it: what is lost together counts once. */
const setupOf = (
  policy: Policy,
  party: PartyName,
  places: readonly string[],
): Parameters<typeof analyse>[0] => ({
  policy,
  shares: new Map(
    parties(policy).map((name): [PartyName, readonly Copy[]] => [
      name,
      name === party
        ? places.map((domain) => ({ id: domain, ...domainOf(domain) }))
        : [{ id: `party:${name}` }],
    ]),
  ),
  secrets: new Map(),
  events: [],
});

const domainOf = (domain: string): Partial<Copy> => {
  const colon = domain.indexOf(':');
  const value = domain.slice(colon + 1);
  switch (domain.slice(0, colon)) {
    case 'device':
      return { device: value };
    case 'account':
      return { account: value };
    default:
      return { location: value };
  }
};

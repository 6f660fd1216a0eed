/**
 * Who together may act: a monotone formula over party names, in the spirit of Bitcoin's miniscript policies.
 * @spec spec/policy.md §1
 */

/** Name of a party: `[a-z][a-z0-9-]{0,31}`, not one of the words `and`, `or`, `thresh`. */
export type PartyName = string;

/** A policy as a tree. Build it with {@link parsePolicy}, which checks it. */
export type Policy =
  | { readonly kind: 'party'; readonly name: PartyName }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Policy[] }
  | { readonly kind: 'thresh'; readonly threshold: number; readonly parts: readonly Policy[] };

/** A policy that has parts. */
export type Gate = Exclude<Policy, { kind: 'party' }>;

/** How many of a gate's parts must be satisfied: all, one, or its threshold. */
export const thresholdOf = (gate: Gate): number => {
  if (gate.kind === 'thresh') return gate.threshold;
  return gate.kind === 'and' ? gate.parts.length : 1;
};

/** The canonical text: no white space. `parsePolicy(printPolicy(p))` is `p`. */
export const printPolicy = (policy: Policy): string => {
  if (policy.kind === 'party') return policy.name;
  const parts = policy.parts.map(printPolicy).join(',');
  return policy.kind === 'thresh' ? `thresh(${policy.threshold},${parts})` : `${policy.kind}(${parts})`;
};

/** Party names from left to right, each time they stand there. */
export const leavesOf = (policy: Policy): readonly PartyName[] =>
  policy.kind === 'party' ? [policy.name] : policy.parts.flatMap(leavesOf);

/** Party names in order of first appearance, each once. */
export const parties = (policy: Policy): readonly PartyName[] => [...new Set(leavesOf(policy))];

/**
 * The same policy with fewer ways to say it: `thresh(n, n parts)` is `and`, `thresh(1, …)` is `or`, an `and`
 * inside an `and` and an `or` inside an `or` are flattened, a gate of one part is that part, and equal parts
 * of an `and` or `or` stand once. Order is kept. Two texts with equal quorums may still print differently.
 */
export const normalise = (policy: Policy): Policy => {
  if (policy.kind === 'party') return policy;
  const parts = policy.parts.map(normalise);
  const threshold = thresholdOf(policy);
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const kind = threshold === parts.length ? 'and' : threshold === 1 ? 'or' : 'thresh';
  if (kind === 'thresh') return { kind, threshold, parts };
  const flat = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
  const distinct = [...new Map(flat.map((part) => [printPolicy(part), part])).values()];
  return distinct.length === 1 && distinct[0] !== undefined ? distinct[0] : { kind, parts: distinct };
};

/**
 * The policy whose quorums are the sets that meet every quorum of this one: k of n becomes n − k + 1 of n, so
 * its minimal quorums are the minimal sets without which this one cannot be satisfied.
 */
export const dualOf = (policy: Policy): Policy => {
  if (policy.kind === 'party') return policy;
  const parts = policy.parts.map(dualOf);
  if (policy.kind === 'thresh')
    return { kind: 'thresh', threshold: parts.length - policy.threshold + 1, parts };
  return { kind: policy.kind === 'and' ? 'or' : 'and', parts };
};

/** A policy that is one threshold over distinct parties. */
export interface FlatThreshold {
  /** At least 2. */
  readonly threshold: number;
  readonly parties: readonly PartyName[];
}

/**
 * The policy as one Shamir sharing: `and(a,b)` is 2 of 2. `undefined` for anything nested, for a party that
 * stands twice, and where one party alone suffices, since then there is nothing to share.
 */
export const asFlatThreshold = (policy: Policy): FlatThreshold | undefined => {
  const flat = normalise(policy);
  if (flat.kind !== 'and' && flat.kind !== 'thresh') return undefined;
  const names = flat.parts.flatMap((part) => (part.kind === 'party' ? [part.name] : []));
  if (names.length !== flat.parts.length || new Set(names).size !== names.length) return undefined;
  return { threshold: thresholdOf(flat), parties: names };
};

/**
 * How a key is shared: the one place that knows. A key's policy is a tree of Shamir gates; its sharing matrix has a
 * row for each leaf and a column for the secret and for each random coefficient of a gate. A leaf's sub-share is its
 * row times the coefficients, and the images of the coefficients commit to all sub-shares (Feldman).
 * @spec spec/policy.md §3
 */
import { KeepsetError, invariant } from '@keepset/bytes';
import {
  helpersOf,
  isQuorum,
  leavesOf,
  parsePolicy,
  parties as partiesOf,
  policyLimits,
  reconstruction,
  repairing,
  sharingMatrix,
  smallestAdditions,
  type Coefficient,
  type Policy,
  type SharingRow,
} from '@keepset/access';
import { curveOf } from './curve/noble.ts';
import type { CurvePort, GroupPoint } from './curve/port.ts';
import type { GroupKey } from './key.ts';
import type { PartyId } from './machine.ts';

/** What a policy means for a key. */
export interface KeySharing {
  readonly policy: Policy;
  /** Each once, in the order in which they first stand in the policy. */
  readonly parties: readonly PartyId[];
  /** The fewest parties that can act. */
  readonly threshold: number;
  /** Column 0 is the secret. */
  readonly columns: number;
  /** One for each leaf of the policy's normal form, in order. */
  readonly rows: readonly SharingRow[];
}

/** Most leaves of a key's policy, where a party stands several times. */
export const maxRows = 64;

/** Policies are parsed once in a run, not once for each message: what is small to say may be long to work out. */
const remembering = <T>(make: (name: string) => T, size = 64): ((name: string) => T) => {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name) ?? make(name);
    if (known.size >= size) known.clear();
    known.set(name, found);
    return found;
  };
};

/**
 * What a policy says of a key. A party that stands several times has several sub-shares; who makes a key decides
 * whether that is wanted.
 * @throws KeepsetError `policy/syntax`; `policy/unsupported` where one party alone would suffice, and for more than
 * {@link maxRows} leaves
 */
export const readSharing: (text: string) => PolicyFacts = remembering((text) => {
  const policy = parsePolicy(text, { allowRepeats: true });
  if (leavesOf(policy).length > maxRows)
    throw new KeepsetError('policy/unsupported', `A key's policy names at most ${maxRows} parties in all.`);
  const [smallest = []] = smallestAdditions(policy, [], 1);
  if (smallest.length < 2)
    throw new KeepsetError(
      'policy/unsupported',
      `Under this policy ${smallest.join()} alone holds the whole key.`,
      { hint: 'Let at least two parties act together, so that the key never lies in one place.' },
    );
  return { policy, parties: partiesOf(policy), threshold: smallest.length };
});

type PolicyFacts = Pick<KeySharing, 'policy' | 'parties' | 'threshold'>;

/** How a key under this policy is shared. @throws KeepsetError as {@link readSharing} */
export const sharingOf = ({ order }: Pick<CurvePort, 'order'>, text: string): KeySharing =>
  sharingByName(`${order}/${text}`);

const sharingByName = remembering((name): KeySharing => {
  const slash = name.indexOf('/');
  const read = readSharing(name.slice(slash + 1));
  const { columns, rows } = sharingMatrix(read.policy, BigInt(name.slice(0, slash)));
  return { ...read, columns, rows };
});

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

/**
 * How a key is shared, if parties and threshold are those of its policy.
 * @throws KeepsetError `input/invalid-argument`, and as {@link sharingOf}
 */
export const checkedSharing = (
  curve: Pick<CurvePort, 'order'>,
  { policy, parties, threshold }: Pick<GroupKey, 'policy' | 'parties' | 'threshold'>,
): KeySharing => {
  if (policy.length < 1 || policy.length > policyLimits.characters)
    throw invalid(`A policy has 1 to ${policyLimits.characters} characters.`);
  const sharing = sharingOf(curve, policy);
  if (
    parties.length !== sharing.parties.length ||
    sharing.parties.some((party, i) => party !== parties[i]) ||
    threshold !== sharing.threshold
  )
    throw invalid('The parties or the threshold are not those of the policy.');
  return sharing;
};

/**
 * How a key is shared, if its public data are as many as its policy says. That they fit one another is not checked.
 * @throws KeepsetError as {@link checkedSharing}
 */
export const sharingOfKey = (
  curve: Pick<CurvePort, 'order'>,
  group: Pick<GroupKey, 'policy' | 'parties' | 'threshold' | 'commitments' | 'verifyingShares'>,
): KeySharing => {
  const sharing = checkedSharing(curve, group);
  if (group.commitments.length !== sharing.columns || group.verifyingShares.length !== sharing.rows.length)
    throw invalid('The public data of this key are not as many as its policy says.');
  return sharing;
};

/** The party's rows, by their place among all rows. */
export const placesOf = ({ rows }: KeySharing, party: PartyId): readonly number[] => {
  const places = rows.flatMap((row, place) => (row.party === party ? [place] : []));
  invariant(places.length > 0, `${party} has no part in this key.`);
  return places;
};

/** How many sub-shares the party has. */
export const sharesOf = (curve: CurvePort, { policy }: Pick<GroupKey, 'policy'>, party: PartyId): number =>
  placesOf(sharingOf(curve, policy), party).length;

/** What a dealer gives the party: the value of each of its rows, for secret coefficients, one for each column. */
export const dealTo = (
  curve: CurvePort,
  sharing: KeySharing,
  party: PartyId,
  coefficients: readonly bigint[],
): readonly bigint[] => {
  invariant(coefficients.length === sharing.columns, 'There is one coefficient for each column.');
  return placesOf(sharing, party).map((place) => {
    let sum = coefficients[0] ?? 0n;
    for (const { point, first, end } of rowAt(sharing, place).path) {
      const x = BigInt(point);
      const own = coefficients.slice(first, end);
      sum += own.reduceRight((value, coefficient) => curve.reduce((value + coefficient) * x), 0n);
    }
    return curve.reduce(sum);
  });
};

/** The image of each of these rows, from the images of the coefficients. Public data only. */
export const imagesVarTime = (
  curve: CurvePort,
  sharing: KeySharing,
  places: readonly number[],
  commitments: readonly GroupPoint[],
): readonly GroupPoint[] => {
  invariant(commitments.length === sharing.columns, 'There is one commitment for each column.');
  // Leaves below one gate share the value that it is given.
  const known = new Map<string, GroupPoint>();
  return places.map((place) => {
    let sum = commitments[0] ?? curve.identity;
    let name = '';
    for (const { point, first, end } of rowAt(sharing, place).path) {
      name += `/${point}`;
      const value = known.get(name);
      if (value === undefined) {
        const own = commitments.slice(first, end);
        const add = own.reduceRight(
          (total, commitment) => multiplySmallVarTime(curve, curve.add(total, commitment), point),
          curve.identity,
        );
        sum = curve.add(sum, add);
        known.set(name, sum);
      } else sum = value;
    }
    return sum;
  });
};

/** The image of every row in order. Public data only. */
export const allImagesVarTime = (
  curve: CurvePort,
  sharing: KeySharing,
  commitments: readonly GroupPoint[],
): readonly GroupPoint[] => imagesVarTime(curve, sharing, [...sharing.rows.keys()], commitments);

const rowAt = ({ rows }: KeySharing, place: number): SharingRow => {
  const row = rows[place];
  invariant(row !== undefined, 'There is no such row.');
  return row;
};

const multiplySmallVarTime = (curve: CurvePort, point: GroupPoint, factor: number): GroupPoint => {
  let sum = curve.identity;
  for (let bit = 31 - Math.clz32(factor); bit >= 0; bit--) {
    sum = curve.add(sum, sum);
    if (((factor >> bit) & 1) === 1) sum = curve.add(sum, point);
  }
  return sum;
};

/**
 * Whether these parties together can act for the key, and each of them is needed for its part.
 * @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, or `policy/unsatisfied` naming the smallest
 * sets that would do
 */
export const checkQuorum = (
  group: Pick<GroupKey, 'scheme' | 'policy' | 'parties' | 'threshold'>,
  quorum: readonly PartyId[],
): void => {
  const curve = curveOf(group.scheme);
  const sharing = checkedSharing(curve, group);
  checkMembers(sharing, quorum);
  if (!isQuorum(sharing.policy, quorum)) throw unsatisfied(group.policy, sharing.policy, quorum);
  const idle = idleMembers(group, quorum);
  if (idle.length > 0)
    throw new KeepsetError(
      'policy/unsatisfied',
      `${idle.join(' and ')} cannot take part: the policy ${group.policy} has no use for that share here.`,
      { hint: `Leave out ${idle.join(' and ')}, or add the parties that its branch of the policy needs.` },
    );
};

/**
 * Members of a quorum whose shares count for nothing there: others are missing in their part of the policy, or the leaves
 * of a party that stands several times cancel out. Their additive shares are zero, whatever was dealt.
 */
export const idleMembers = (
  { scheme, policy: text }: Pick<GroupKey, 'scheme' | 'policy'>,
  quorum: readonly PartyId[],
): readonly PartyId[] => {
  const curve = curveOf(scheme);
  const { policy, rows, columns } = sharingOf(curve, text);
  const weights = reconstruction(policy, quorum, curve.order);
  if (weights === undefined) return [];
  const countsFor = (party: PartyId): boolean => {
    const sums = Array.from({ length: columns }, () => 0n);
    for (const { row, value } of weights) {
      if (rows[row]?.party !== party) continue;
      for (const [column, entry] of rows[row].vector.entries())
        sums[column] = curve.reduce((sums[column] ?? 0n) + value * entry);
    }
    return sums.some((sum) => sum !== 0n);
  };
  return quorum.filter((party) => !countsFor(party));
};

/** @throws KeepsetError `input/invalid-argument`, `abort/unknown-party` */
const checkMembers = ({ parties }: KeySharing, members: readonly PartyId[]): void => {
  for (const party of members)
    if (!parties.includes(party))
      throw new KeepsetError('abort/unknown-party', `${party} holds no share of this key.`);
  const places = members.map((party) => parties.indexOf(party));
  if (places.some((place, i) => i > 0 && place <= (places[i - 1] ?? -1)))
    throw invalid('Each party must be named once, in policy order.');
};

/** The refusal of parties that do not satisfy a policy, with what would complete them. */
const unsatisfied = (text: string, policy: Policy, present: readonly PartyId[]): KeepsetError => {
  const who =
    present.length === 0
      ? 'Nobody is'
      : present.length === 1
        ? `${present[0]} alone is`
        : `${present.join(' and ')} are`;
  const sets = smallestAdditions(policy, present, 4).map((set) => set.join(' and '));
  return new KeepsetError('policy/unsatisfied', `${who} not enough for ${text}.`, {
    hint: `The fewest that would do in addition: ${sets.join('; or ')}.`,
  });
};

/**
 * Whether these parties can give the target its share again: a quorum that determines every sub-share of it.
 * @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, or `policy/unsatisfied` naming the smallest
 * sets that would do
 */
export const checkHelpers = (
  group: Pick<GroupKey, 'scheme' | 'policy' | 'parties' | 'threshold'>,
  helpers: readonly PartyId[],
  target: PartyId,
): void => {
  const sharing = checkedSharing(curveOf(group.scheme), group);
  checkMembers(sharing, helpers);
  if (!sharing.parties.includes(target))
    throw new KeepsetError('abort/unknown-party', `${target} is no party of this key.`);
  if (helpers.includes(target)) throw invalid('The party to repair cannot be one of its helpers.');
  const able = helpersOf(sharing.policy, target);
  if (able === undefined)
    throw new KeepsetError(
      'policy/unsatisfied',
      `Under ${group.policy} nobody can give ${target} the same share again.`,
      {
        hint: isQuorum(
          sharing.policy,
          sharing.parties.filter((party) => party !== target),
        )
          ? 'Reshare the key instead: that gives every party a new share.'
          : `Without ${target} nobody can act for this key.`,
      },
    );
  if (!isQuorum(able, helpers))
    throw unsatisfied(`a repair of ${target} under ${group.policy}`, able, helpers);
};

/**
 * The party's additive share of the key for one quorum: over the quorum they sum up to the key.
 * @param subShares the party's, in the order of its rows
 * @throws KeepsetError `policy/unsatisfied`
 * @spec eprint 2023/765 Protocol 3.6 step 7, p(i) · lagrange(P, i, 0), for any policy
 */
export const additiveShare = (
  curve: CurvePort,
  group: Pick<GroupKey, 'policy'>,
  quorum: readonly PartyId[],
  party: PartyId,
  subShares: readonly bigint[],
): bigint => {
  const sharing = sharingOf(curve, group.policy);
  return sumOf(curve, placesOf(sharing, party), subShares, weightsOf(curve, group, quorum));
};

/** Image of {@link additiveShare} times `scale`. Public data only. @throws KeepsetError `policy/unsatisfied`, `place/damaged` */
export const additiveImageVarTime = (
  curve: CurvePort,
  group: Pick<GroupKey, 'policy' | 'verifyingShares'>,
  quorum: readonly PartyId[],
  party: PartyId,
  scale = 1n,
): GroupPoint => {
  const sharing = sharingOf(curve, group.policy);
  const weights = [...weightsOf(curve, group, quorum)].map(
    ([row, weight]) => [row, curve.reduce(weight * scale)] as const,
  );
  return imageSumVarTime(curve, group, placesOf(sharing, party), new Map(weights));
};

/**
 * What a helper contributes to each sub-share of the target: over the helpers they sum up to the sub-shares. Zero for
 * a helper that is not needed.
 * @param subShares the helper's, in the order of its rows
 */
export const repairShares = (
  curve: CurvePort,
  group: Pick<GroupKey, 'policy'>,
  { helpers, target }: { readonly helpers: readonly PartyId[]; readonly target: PartyId },
  helper: PartyId,
  subShares: readonly bigint[],
): readonly bigint[] => {
  const places = placesOf(sharingOf(curve, group.policy), helper);
  return repairWeights(curve, group, helpers, target).map((weights) =>
    sumOf(curve, places, subShares, weights),
  );
};

/** Images of {@link repairShares}. Public data only. @throws KeepsetError `place/damaged` */
export const repairImagesVarTime = (
  curve: CurvePort,
  group: Pick<GroupKey, 'policy' | 'verifyingShares'>,
  { helpers, target }: { readonly helpers: readonly PartyId[]; readonly target: PartyId },
  helper: PartyId,
): readonly GroupPoint[] => {
  const places = placesOf(sharingOf(curve, group.policy), helper);
  return repairWeights(curve, group, helpers, target).map((weights) =>
    imageSumVarTime(curve, group, places, weights),
  );
};

/** What each row counts for; rows that do not count are left out. */
type Weights = ReadonlyMap<number, bigint>;

const weightMap = (coefficients: readonly Coefficient[]): Weights =>
  new Map(coefficients.map(({ row, value }) => [row, value]));

const weightsOf = (
  curve: CurvePort,
  { policy: text }: Pick<GroupKey, 'policy'>,
  quorum: readonly PartyId[],
): Weights => {
  const { policy } = sharingOf(curve, text);
  const weights = reconstruction(policy, quorum, curve.order);
  if (weights === undefined) throw unsatisfied(text, policy, quorum);
  return weightMap(weights);
};

const repairWeights = (
  curve: CurvePort,
  { policy }: Pick<GroupKey, 'policy'>,
  helpers: readonly PartyId[],
  target: PartyId,
): readonly Weights[] => {
  const found = repairing(sharingOf(curve, policy).policy, helpers, target, curve.order);
  invariant(found !== undefined, 'The helpers were checked to suffice.');
  return found.map(weightMap);
};

const sumOf = (
  curve: CurvePort,
  places: readonly number[],
  subShares: readonly bigint[],
  weights: Weights,
): bigint => {
  invariant(subShares.length === places.length, 'There is one sub-share for each row.');
  return curve.reduce(
    places.reduce((sum, place, i) => sum + (weights.get(place) ?? 0n) * (subShares[i] ?? 0n), 0n),
  );
};

const imageSumVarTime = (
  curve: CurvePort,
  { verifyingShares }: Pick<GroupKey, 'verifyingShares'>,
  places: readonly number[],
  weights: Weights,
): GroupPoint =>
  places.reduce((sum, place) => {
    const weight = weights.get(place);
    if (weight === undefined) return sum;
    const image = curve.decodePoint(verifyingShares[place] ?? new Uint8Array());
    if (image === undefined) throw new KeepsetError('place/damaged', 'A verifying share is damaged.');
    return curve.add(sum, curve.multiplyVarTime(image, weight));
  }, curve.identity);

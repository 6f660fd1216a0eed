/** Keys, runs and signatures for the tests of a key's life. */
import { expect } from 'vitest';
import { Secret, concatBytes } from '@keepset/bytes';
import { normalise, parsePolicy, type Policy } from '@keepset/access';
import { curveOf } from '../../src/curve/noble.ts';
import {
  keyIdOf,
  protocolFor,
  type GroupKey,
  type KeyShare,
  type PartyId,
  type ReshareParams,
  type Reshared,
  type SignRequest,
  type Step,
} from '../../src/index.ts';
import { resultsOf, runNetwork, seededRng, sessionOf, type Run, type Wire } from '../ecdsa/network.ts';
import { sharingFor } from '../policies.ts';
import { evaluatePolynomial, lagrangeAtZero } from '../shamir.ts';

export const schnorrSchemes = ['ed25519', 'schnorr-secp256k1'] as const;

export const names: readonly PartyId[] = ['phone', 'server', 'usb', 'ipad', 'paper', 'cloud', 'friend'];

export type Shares = ReadonlyMap<PartyId, KeyShare>;
export type { Run, Wire };
export type Starts<R> = Map<PartyId, () => Step<R>>;

export const policyOf = (parties: readonly PartyId[], threshold: number): string =>
  `thresh(${threshold},${parties.join(',')})`;

interface Dealt {
  readonly shares: Shares;
  readonly privateKey: bigint;
}

/** A Schnorr key of one threshold dealt by the test. */
export const dealKey = (
  scheme: (typeof schnorrSchemes)[number],
  parties: readonly PartyId[],
  threshold: number,
  seed: string,
): Dealt => dealUnder(scheme, policyOf(parties, threshold), seed);

/** A Schnorr key dealt by the test, which for that knows the private key: gate by gate, without the sharing matrix. */
export const dealUnder = (scheme: (typeof schnorrSchemes)[number], text: string, seed: string): Dealt => {
  const curve = curveOf(scheme);
  const rng = seededRng(`deal ${seed}`);
  const privateKey = curve.randomScalar(rng);
  const coefficients = [privateKey];
  const leaves: { readonly party: PartyId; readonly value: bigint }[] = [];
  const deal = (policy: Policy, value: bigint): void => {
    if (policy.kind === 'party') {
      leaves.push({ party: policy.name, value });
      return;
    }
    const most = policy.parts.length;
    const length = (policy.kind === 'thresh' ? policy.threshold : policy.kind === 'and' ? most : 1) - 1;
    const own = Array.from({ length }, () => curve.randomScalar(rng));
    coefficients.push(...own);
    for (const [i, part] of policy.parts.entries())
      deal(part, evaluatePolynomial(curve, [value, ...own], i + 1));
  };
  const policy = parsePolicy(text, { allowRepeats: true });
  deal(normalise(policy), privateKey);
  const commitments = curve.encodePoints(coefficients.map((c) => curve.multiplyGenerator(c)));
  const group: GroupKey = {
    scheme,
    keyId: keyIdOf(scheme, commitments[0]!),
    epoch: 0,
    ...sharingFor(text),
    publicKey: commitments[0]!,
    commitments,
    verifyingShares: curve.encodePoints(leaves.map(({ value }) => curve.multiplyGenerator(value))),
    chainCode: rng(32),
  };
  const shares = group.parties.map((party) => {
    const own = leaves.filter((leaf) => leaf.party === party);
    const secret = new Secret(concatBytes(...own.map(({ value }) => curve.encodeScalar(value))));
    return [party, { group, party, secret }] as const;
  });
  return { shares: new Map(shares), privateKey };
};

export const shareOf = (shares: Shares, party: PartyId): KeyShare => {
  const share = shares.get(party);
  if (share === undefined) throw new Error(`no share of ${party}`);
  return share;
};

export const groupOf = (shares: Shares): GroupKey => {
  const [first] = shares.values();
  if (first === undefined) throw new Error('no shares');
  return first.group;
};

/** `name` gives the session and, where no seed is given, the randomness. */
export const refreshStarts = (shares: Shares, name: string, seed: string = name): Starts<KeyShare> =>
  new Map(
    [...shares].map(([party, share]) => {
      const params = { session: sessionOf(name), share, rng: seededRng(`${seed}/${party}`) };
      return [party, () => protocolFor(share.group.scheme).startRefresh(params)];
    }),
  );

export const repairStarts = (
  shares: Shares,
  helpers: readonly PartyId[],
  target: PartyId,
  name: string,
  seed: string = name,
): Starts<KeyShare> => {
  const group = groupOf(shares);
  return new Map(
    [...helpers, target].map((me) => {
      const own = me === target ? {} : { share: shareOf(shares, me) };
      const rng = seededRng(`${seed}/${me}`);
      const params = { session: sessionOf(name), group, helpers, target, me, rng, ...own };
      return [me, () => protocolFor(group.scheme).startRepair(params)];
    }),
  );
};

export const reshareStarts = (
  shares: Shares,
  dealers: readonly PartyId[],
  parties: readonly PartyId[],
  threshold: number,
  name: string,
  seed: string = name,
): Starts<Reshared> => reshareToStarts(shares, dealers, policyOf(parties, threshold), name, seed);

export const reshareToStarts = (
  shares: Shares,
  dealers: readonly PartyId[],
  policy: string,
  name: string,
  seed: string = name,
): Starts<Reshared> => {
  const group = groupOf(shares);
  const next = sharingFor(policy);
  return new Map(
    [...new Set([...dealers, ...next.parties])].map((me) => {
      const own = dealers.includes(me) ? { share: shareOf(shares, me) } : {};
      const rng = seededRng(`${seed}/${me}`);
      const params: ReshareParams = { session: sessionOf(name), group, dealers, next, me, rng, ...own };
      return [me, () => protocolFor(group.scheme).startReshare(params)];
    }),
  );
};

/** Shares by holder, from the results of a reshare. */
export const heldShares = (results: ReadonlyMap<PartyId, Reshared>): Shares =>
  new Map([...results].flatMap(([party, { share }]) => (share === undefined ? [] : [[party, share]])));

export const refresh = (shares: Shares, seed: string, wire?: Wire): Shares =>
  resultsOf(runNetwork(refreshStarts(shares, seed), wire));

export const repair = (shares: Shares, helpers: readonly PartyId[], target: PartyId, seed: string): Shares =>
  resultsOf(runNetwork(repairStarts(shares, helpers, target, seed)));

export const reshare = (
  shares: Shares,
  dealers: readonly PartyId[],
  parties: readonly PartyId[],
  threshold: number,
  seed: string,
): Shares => heldShares(resultsOf(runNetwork(reshareStarts(shares, dealers, parties, threshold, seed))));

export const reshareTo = (
  shares: Shares,
  dealers: readonly PartyId[],
  policy: string,
  seed: string,
): Shares => heldShares(resultsOf(runNetwork(reshareToStarts(shares, dealers, policy, seed))));

export const signRun = (
  shares: Shares,
  quorum: readonly PartyId[],
  request: SignRequest,
  seed: string,
): Run<Uint8Array> =>
  runNetwork(
    new Map(
      quorum.map((party) => {
        const share = shareOf(shares, party);
        const params = {
          share,
          session: sessionOf(seed),
          quorum,
          request,
          rng: seededRng(`${seed}/${party}`),
        };
        return [party, () => protocolFor(share.group.scheme).startSign(params)];
      }),
    ),
  );

/** The signature of a quorum, the same for everyone in it. */
export const sign = (
  shares: Shares,
  quorum: readonly PartyId[],
  request: SignRequest,
  seed: string,
): Uint8Array => {
  const signatures = [...resultsOf(signRun(shares, quorum, request, seed)).values()];
  for (const signature of signatures) expect(signature).toEqual(signatures[0]);
  return signatures[0]!;
};

/** What the share scalars of some parties interpolate to. */
export const interpolate = (shares: Shares, parties: readonly PartyId[]): bigint => {
  const { scheme, parties: all } = groupOf(shares);
  const curve = curveOf(scheme);
  const places = parties.map((party) => all.indexOf(party) + 1);
  return parties.reduce((sum, party, i) => {
    const scalar = curve.decodeScalar(shareOf(shares, party).secret.reveal());
    return curve.reduce(sum + scalar! * lagrangeAtZero(curve, places, places[i]!));
  }, 0n);
};

/** All subsets of `size` parties, in order. */
export const subsets = (parties: readonly PartyId[], size: number): PartyId[][] => {
  if (size === 0) return [[]];
  return parties.flatMap((first, i) =>
    subsets(parties.slice(i + 1), size - 1).map((rest) => [first, ...rest]),
  );
};

export { curveOf, resultsOf, runNetwork, seededRng, sessionOf };

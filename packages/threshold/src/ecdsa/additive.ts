import { KeepsetError } from '@keepset/bytes';
import { lagrangeAtZero } from '../curve/polynomial.ts';
import type { CurvePort } from '../curve/port.ts';
import type { GroupKey } from '../key.ts';
import type { PartyId } from '../machine.ts';

/**
 * The party's additive share of the key for one quorum: over the quorum they sum up to the key. This is the only
 * place where signing knows how the key is shared.
 * @spec eprint 2023/765 Protocol 3.6 step 7: p(i) · lagrange(P, i, 0)
 */
export const additiveShare = (
  curve: CurvePort,
  group: Pick<GroupKey, 'parties'>,
  quorum: readonly PartyId[],
  party: PartyId,
  share: bigint,
): bigint => {
  const placeOf = (name: PartyId): number => group.parties.indexOf(name) + 1;
  const places = quorum.map(placeOf);
  if (places.includes(0) || !quorum.includes(party))
    throw new KeepsetError('abort/unknown-party', `${party} and its quorum must hold this key.`);
  return curve.reduce(share * lagrangeAtZero(curve, places, placeOf(party)));
};

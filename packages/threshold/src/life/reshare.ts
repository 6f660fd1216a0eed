/**
 * Reshare: a quorum of the old parties redistributes the key to the parties of a new policy. Each dealer deals its
 * share, weighted for the quorum, with a fresh polynomial; the weighted shares sum up to the key.
 */
import { systemRng } from '../ceremony.ts';
import { lagrangeAtZero } from '../curve/polynomial.ts';
import type { PartyId, Step } from '../machine.ts';
import { checkReshareParams, reshareContext, type Reshared, type ReshareParams } from './ceremony.ts';
import { openChecked, placeOf, pointOf } from './group.ts';
import { startRedealing } from './redeal.ts';
import type { LifeSuite } from './suite.ts';

/**
 * Starts a reshare among the dealers and the parties of the new policy. The result is the key at its next epoch,
 * with the same id and chain code, and the own share of it for parties of the new policy.
 * @throws KeepsetError `input/invalid-argument`, `abort/unknown-party`, `abort/wrong-epoch`, `policy/unsatisfied`,
 * `place/damaged`; later `abort/*` naming the culprits.
 */
export const startReshare = <S>(suite: LifeSuite<S>, params: ReshareParams): Step<Reshared> => {
  checkReshareParams(suite, params);
  const { group, dealers, next, me, share } = params;
  const { curve } = suite;
  const places = dealers.map((dealer) => placeOf(group.parties, dealer));
  const weightOf = (dealer: PartyId): bigint => lagrangeAtZero(curve, places, placeOf(group.parties, dealer));
  return startRedealing({
    suite,
    kind: 'reshare',
    context: reshareContext(group, params),
    me,
    dealers,
    group,
    next,
    // What binds every dealer to the old key: not its word, but the weighted image of its old share.
    constantOf: (dealer) =>
      curve.multiplyVarTime(
        pointOf(curve, group.verifyingShares[placeOf(group.parties, dealer) - 1]),
        weightOf(dealer),
      ),
    constant: share === undefined ? undefined : curve.reduce(openChecked(suite, share).share * weightOf(me)),
    base: 0n,
    baseImages: [],
    finish: (outcome) => outcome,
    rng: params.rng ?? systemRng,
  });
};

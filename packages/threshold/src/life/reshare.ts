/**
 * Reshare: a quorum of the old parties redistributes the key to the parties of a new policy. Each dealer deals its
 * additive share for the quorum with fresh coefficients; the additive shares sum up to the key.
 */
import { systemRng } from '../ceremony.ts';
import type { Step } from '../machine.ts';
import { additiveImageVarTime, additiveShare } from '../sharing.ts';
import { checkReshareParams, reshareContext, type Reshared, type ReshareParams } from './ceremony.ts';
import { openChecked } from './group.ts';
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
  return startRedealing({
    suite,
    kind: 'reshare',
    context: reshareContext(group, params),
    me,
    dealers,
    group,
    next,
    // What binds every dealer to the old key: not its word, but the image of its additive share.
    constantOf: (dealer) => additiveImageVarTime(curve, group, dealers, dealer),
    constant:
      share === undefined
        ? undefined
        : additiveShare(curve, group, dealers, me, openChecked(suite, share).shares),
    base: [],
    baseImages: [],
    finish: (outcome) => outcome,
    rng: params.rng ?? systemRng,
  });
};

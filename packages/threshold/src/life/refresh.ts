/** Refresh: every party deals a sharing of zero, and each adds what it is dealt to its sub-shares. */
import { KeepsetError } from '@keepset/bytes';
import { systemRng } from '../ceremony.ts';
import type { KeyShare } from '../key.ts';
import type { Step } from '../machine.ts';
import { checkRefreshParams, refreshContext, type RefreshParams } from './ceremony.ts';
import { openChecked } from './group.ts';
import { startRedealing } from './redeal.ts';
import type { LifeSuite } from './suite.ts';

/**
 * Starts a refresh. The result is the own share of the next epoch: same key, chain code, policy and parties. Shares
 * of the old epoch do not combine with it; every party destroys its own once the new one is accepted.
 * @throws KeepsetError `input/invalid-argument`, `place/damaged`; later `abort/*` naming the culprits.
 */
export const startRefresh = <S>(suite: LifeSuite<S>, params: RefreshParams): Step<KeyShare> => {
  checkRefreshParams(suite, params);
  const { group, party } = params.share;
  return startRedealing({
    suite,
    kind: 'refresh',
    context: refreshContext(group, params),
    me: party,
    dealers: group.parties,
    group,
    next: group,
    constantOf: () => suite.curve.identity,
    constant: 0n,
    base: openChecked(suite, params.share).shares,
    baseImages: group.commitments.slice(1),
    finish: ({ share }) => {
      if (share === undefined)
        throw new KeepsetError('bug/invariant', 'A refresh gives every party a share.');
      return share;
    },
    rng: params.rng ?? systemRng,
  });
};

import { KeepsetError, Secret } from '@keepset/bytes';
import { decodeScalars, encodeScalars } from '../curve/scalars.ts';
import type { ScalarSuite } from '../frost/suites.ts';
import { sharesOf } from '../sharing.ts';
import type { LifeSuite } from './suite.ts';

/** The part in the life of a key of a scheme without pairwise state: the secret is the sub-shares and nothing else. */
export const frostLife = ({ scheme, curve }: Pick<ScalarSuite, 'scheme' | 'curve'>): LifeSuite<never> => ({
  scheme,
  curve,
  openSecret: ({ group, party, secret }) => {
    const shares = decodeScalars(curve, secret.reveal(), sharesOf(curve, group, party));
    if (shares === undefined)
      throw new KeepsetError('place/damaged', `The secret of ${party}'s share is damaged.`);
    return { shares, pairs: new Map<string, never>() };
  },
  sealSecret: ({ shares }) => new Secret(encodeScalars(curve, shares)),
});

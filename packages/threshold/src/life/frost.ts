import { KeepsetError, Secret } from '@keepset/bytes';
import type { LifeSuite } from './suite.ts';
import type { ScalarSuite } from '../frost/suites.ts';

/** The part in the life of a key of a scheme without pairwise state: the secret is the share scalar and nothing else. */
export const frostLife = ({ scheme, curve }: Pick<ScalarSuite, 'scheme' | 'curve'>): LifeSuite<never> => ({
  scheme,
  curve,
  maxParties: 32,
  openSecret: ({ party, secret }) => {
    const share = curve.decodeScalar(secret.reveal());
    if (share === undefined)
      throw new KeepsetError('place/damaged', `The secret of ${party}'s share is damaged.`);
    return { share, pairs: new Map<string, never>() };
  },
  sealSecret: ({ share }) => new Secret(curve.encodeScalar(share)),
});

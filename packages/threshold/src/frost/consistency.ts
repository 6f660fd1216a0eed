import type { KeyShare } from '../key.ts';
import { isConsistentShare } from '../life/group.ts';
import { frostLife } from '../life/frost.ts';
import type { ScalarSuite } from './suites.ts';

/**
 * Whether a share read from somewhere is whole: its public data fit one another, and the secret is the scalar behind
 * the holder's verifying share. May throw for a secret that is no scalar.
 */
export const isConsistentFrostShare = (suite: ScalarSuite, share: KeyShare): boolean =>
  isConsistentShare(frostLife(suite), share);

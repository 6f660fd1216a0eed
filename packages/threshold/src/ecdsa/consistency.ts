import type { KeyShare } from '../key.ts';
import { ecdsaLife } from '../life/ecdsa.ts';
import { isConsistentShare } from '../life/group.ts';
import type { EcdsaSuite } from './suites.ts';

/**
 * Whether a share read from somewhere is whole: its public data fit one another, and the secret's scalar is the one
 * behind the holder's verifying share. May throw for a secret of the wrong form. The pairwise states cannot be
 * checked alone: only signing with the peer shows whether they fit.
 */
export const isConsistentEcdsaShare = (suite: EcdsaSuite, share: KeyShare): boolean =>
  isConsistentShare(ecdsaLife(suite), share);

/**
 * What tests choose by chance differs from commit to commit, and is the same whenever one commit is tested: what passed
 * passes again, and what failed can be looked at. KEEPSET_SEED=anything makes another choice.
 */
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';

/** A number from 0 to 2^32 − 1 for this purpose. */
export const chosen = (why: string): number => {
  const seed = process.env['KEEPSET_SEED'];
  if (seed === undefined)
    throw new Error('there is no seed: are these tests not run by the project’s configuration?');
  return createHash('sha256').update(`${seed}${why}`).digest().readUInt32BE();
};

fc.configureGlobal({ seed: chosen('properties') | 0 });

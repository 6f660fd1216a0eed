/** Keys that open files, under any policy. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { minimalQuorums, parsePolicy } from '@keepset/access';
import { protocolFor, type KeyShare, type PartyId } from '../../src/index.ts';
import { ephemeralOf, learned, openStarts, opensslAgree, type Shares } from '../ecdh/setup.ts';
import { resultsOf, seededRng, sha256, theOne } from '../frost/network.ts';
import { refresh } from '../life/setup.ts';
import { codeOf } from '../machine/support.ts';
import { keyPolicy, setsOf, sharingFor, weightedPolicy } from '../policies.ts';

const file = ephemeralOf('a file');

const keyUnder = (text: string): Shares => {
  const common = { ...sharingFor(text), scheme: 'ecdh-p256', session: sha256(text) } as const;
  return resultsOf<KeyShare>(
    new Map(
      common.parties.map((me) => [
        me,
        () => protocolFor('ecdh-p256').startKeygen({ ...common, me, rng: seededRng(`${text} ${me}`) }),
      ]),
    ),
  );
};

const expectOpens = (shares: Shares, quorum: readonly PartyId[]): void => {
  const { publicKey } = theOne([...shares.values()][0]).group;
  for (const opener of [theOne(quorum[0]), theOne(quorum.at(-1))])
    expect(learned(resultsOf(openStarts(shares, quorum, file.point, { opener })))[opener]).toBe(
      opensslAgree(file.secret, publicKey),
    );
};

it('every minimal quorum opens, before and after a refresh; every other set is refused', () => {
  fc.assert(
    fc.property(fc.oneof(keyPolicy(5), weightedPolicy(6, 4)), (text) => {
      const shares = keyUnder(text);
      const quorums = minimalQuorums(parsePolicy(text, { allowRepeats: true })).slice(0, 3);
      for (const quorum of quorums) expectOpens(shares, quorum);
      expectOpens(refresh(shares, text), theOne(quorums[0]));
      for (const few of setsOf(text, false)) {
        const start = openStarts(shares, few, file.point, { opener: few[0] ?? '' }).get(few[0] ?? '');
        if (start !== undefined) expect(codeOf(start)).toBe('policy/unsatisfied');
      }
    }),
    { numRuns: 12 },
  );
});

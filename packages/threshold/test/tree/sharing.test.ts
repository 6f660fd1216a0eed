/** The sharing matrix at work, against sharing gate by gate and against plain Shamir. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicy, sharingMatrix, targetInSpan } from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import { curveOf } from '../../src/curve/noble.ts';
import { decodeScalars } from '../../src/curve/scalars.ts';
import type { GroupKey, PartyId } from '../../src/index.ts';
import {
  additiveImageVarTime,
  additiveShare,
  allImagesVarTime,
  checkHelpers,
  checkQuorum,
  checkedSharing,
  dealTo,
  repairImagesVarTime,
  repairShares,
  sharingOf,
} from '../../src/sharing.ts';
import { dealUnder, groupOf, shareOf, type Shares } from '../life/setup.ts';
import { keyPolicy, setsOf, sharingFor, weightedPolicy } from '../policies.ts';
import { lagrangeAtZero } from '../shamir.ts';

const curve = curveOf('ed25519');
const subSharesOf = (shares: Shares, party: PartyId): readonly bigint[] => {
  const { secret } = shareOf(shares, party);
  return decodeScalars(curve, secret.reveal(), secret.reveal().length / 32)!;
};
const anyPolicy = fc.oneof(keyPolicy(6), weightedPolicy(8, 4));

const thrownBy = (act: () => unknown): KeepsetError => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('sub-shares', () => {
  it('are rows times coefficients, their images the same in the group, and those of a dealing gate by gate', () => {
    fc.assert(
      fc.property(
        anyPolicy,
        fc.infiniteStream(fc.bigInt({ min: 1n, max: curve.order - 1n })),
        (text, random) => {
          const sharing = sharingOf(curve, text);
          const coefficients = Array.from({ length: sharing.columns }, () => random.next().value);
          const images = allImagesVarTime(
            curve,
            sharing,
            coefficients.map((scalar) => curve.multiplyGenerator(scalar)),
          );
          const dealt = new Map(
            sharing.parties.map((party) => [party, [...dealTo(curve, sharing, party, coefficients)]]),
          );
          sharing.rows.forEach(({ party, vector }, place) => {
            const value = curve.reduce(vector.reduce((sum, entry, i) => sum + entry * coefficients[i]!, 0n));
            expect(dealt.get(party)!.shift()).toBe(value);
            expect(curve.equals(images[place]!, curve.multiplyGenerator(value))).toBe(true);
          });
          const { shares } = dealUnder('ed25519', text, text);
          const { commitments, verifyingShares } = groupOf(shares);
          const points = commitments.map((bytes) => curve.decodePoint(bytes)!);
          expect(curve.encodePoints(allImagesVarTime(curve, sharing, points))).toEqual(verifyingShares);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('of every quorum sum up to the key, of no other set are they determined by it', () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(), (text, pick) => {
        const { shares, privateKey } = dealUnder('ed25519', text, text);
        const group = groupOf(shares);
        const quorums = setsOf(text, true);
        const quorum = quorums[pick % quorums.length]!;
        const parts = quorum.map((party) =>
          additiveShare(curve, group, quorum, party, subSharesOf(shares, party)),
        );
        expect(curve.reduce(parts.reduce((a, b) => a + b, 0n))).toBe(privateKey);
        quorum.forEach((party, i) => {
          const image = additiveImageVarTime(curve, group, quorum, party);
          expect(curve.equals(image, curve.multiplyGenerator(parts[i]!))).toBe(true);
        });
        const { rows } = sharingMatrix(parsePolicy(text, { allowRepeats: true }), curve.order);
        for (const few of setsOf(text, false)) {
          const theirs = rows.filter(({ party }) => few.includes(party)).map(({ vector }) => vector);
          expect(targetInSpan(theirs, curve.order)).toBe(false);
          expect(thrownBy(() => additiveShare(curve, group, few, group.parties[0]!, [])).code).toMatch(
            /^(policy\/unsatisfied|bug\/invariant)$/,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('take a tweak each, and the key takes it once', () => {
    fc.assert(
      fc.property(anyPolicy, fc.bigInt({ min: 1n, max: curve.order - 1n }), fc.nat(), (text, tweak, pick) => {
        const { shares, privateKey } = dealUnder('ed25519', text, text);
        const quorums = setsOf(text, true);
        const quorum = quorums[pick % quorums.length]!;
        const sum = quorum.reduce((total, party) => {
          const tweaked = subSharesOf(shares, party).map((value) => value + tweak);
          return total + additiveShare(curve, groupOf(shares), quorum, party, tweaked);
        }, 0n);
        expect(curve.reduce(sum - tweak)).toBe(privateKey);
      }),
      { numRuns: 40 },
    );
  });

  it('of one threshold are weighted as Shamir’s, by all who are there', () => {
    const { shares } = dealUnder('ed25519', 'thresh(2,a,b,c,d)', 'flat');
    for (const quorum of setsOf('thresh(2,a,b,c,d)', true)) {
      const places = quorum.map((party) => 'abcd'.indexOf(party) + 1);
      quorum.forEach((party, i) => {
        const [share = 0n] = subSharesOf(shares, party);
        expect(additiveShare(curve, groupOf(shares), quorum, party, [share])).toBe(
          curve.reduce(share * lagrangeAtZero(curve, places, places[i]!)),
        );
      });
    }
  });

  it('can be repaired by exactly the helpers that are let in', () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(), (text, pick) => {
        const { shares } = dealUnder('ed25519', text, text);
        const group = groupOf(shares);
        const target = group.parties[pick % group.parties.length]!;
        const matrix = sharingMatrix(parsePolicy(text, { allowRepeats: true }), curve.order);
        for (const helpers of setsOf(text, true).filter((set) => !set.includes(target))) {
          const theirs = matrix.rows.filter(({ party }) => helpers.includes(party));
          // A row lies in the span exactly if it cannot be told from zero once the span is divided out.
          const isDetermined = matrix.rows
            .filter(({ party }) => party === target)
            .every(({ vector }) =>
              isInSpan(
                vector,
                theirs.map((row) => row.vector),
              ),
            );
          let allowed = true;
          try {
            checkHelpers(group, helpers, target);
          } catch (error) {
            expect(error).toMatchObject({ code: 'policy/unsatisfied' });
            allowed = false;
          }
          expect(allowed).toBe(isDetermined);
          if (!allowed) continue;
          const parts = helpers.map((helper) =>
            repairShares(curve, group, { helpers, target }, helper, subSharesOf(shares, helper)),
          );
          subSharesOf(shares, target).forEach((value, i) => {
            expect(curve.reduce(parts.reduce((sum, part) => sum + part[i]!, 0n))).toBe(value);
          });
          helpers.forEach((helper, i) => {
            const images = repairImagesVarTime(curve, group, { helpers, target }, helper);
            images.forEach((image, j) => {
              expect(curve.equals(image, curve.multiplyGenerator(parts[i]![j]!))).toBe(true);
            });
          });
        }
      }),
      { numRuns: 25 },
    );
  });
});

/** Rank by elimination: whether adding the vector to the rows adds nothing. */
const isInSpan = (vector: readonly bigint[], rows: readonly (readonly bigint[])[]): boolean =>
  rankOf([...rows, vector]) === rankOf(rows);

const rankOf = (rows: readonly (readonly bigint[])[]): number => {
  const left = rows.map((row) => [...row]);
  let rank = 0;
  for (let column = 0; column < (left[0]?.length ?? 0); column += 1) {
    const at = left.findIndex((row) => curve.reduce(row[column]!) !== 0n);
    const [pivot] = at < 0 ? [] : left.splice(at, 1);
    if (pivot === undefined) continue;
    rank += 1;
    for (const row of left) {
      const factor = row[column]! * curve.invert(pivot[column]!);
      pivot.forEach((entry, i) => {
        row[i] = curve.reduce(row[i]! - factor * entry);
      });
    }
  }
  return rank;
};

describe('a key’s policy', () => {
  it.each([
    ['or(phone,ipad)', 'policy/unsupported', /phone alone/],
    ['phone', 'policy/unsupported', /phone alone/],
    ['thresh(2,phone,phone,server)', 'policy/unsupported', /phone alone/],
    ['or(and(a,b),and(c,or(d,c)))', 'policy/unsupported', /c alone/],
    [`thresh(9,${'a,b,c,d,e,f,g,h,i,'.repeat(8)}j)`, 'policy/unsupported', /at most 64/],
    ['and(a', 'policy/syntax', /position/],
    [`and(${Array.from({ length: 33 }, (_, i) => `p${i}`).join()})`, 'policy/syntax', /at most 32/],
  ])('%s is refused', (text, code, message) => {
    const error = thrownBy(() => sharingOf(curve, text));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('says who the parties are and how few can act; nothing else passes for it', () => {
    const good = sharingFor('and(server,or(phone,thresh(2,laptop,tablet,watch)))');
    expect(good).toMatchObject({ parties: ['server', 'phone', 'laptop', 'tablet', 'watch'], threshold: 2 });
    expect(checkedSharing(curve, good)).toMatchObject({ columns: 3, threshold: 2 });
    for (const change of [
      { threshold: 3 },
      { threshold: 1 },
      { parties: good.parties.slice(1) },
      { parties: [...good.parties, 'more'] },
      { parties: [...good.parties].reverse() },
      { policy: '' },
      { policy: ' '.repeat(5000) },
    ])
      expect(thrownBy(() => checkedSharing(curve, { ...good, ...change })).code).toBe(
        'input/invalid-argument',
      );
  });
});

describe('who can act', () => {
  const keyUnder = (text: string): GroupKey => ({ ...sharingFor(text), scheme: 'ed25519' }) as GroupKey;
  const group = keyUnder('and(server,or(phone,thresh(2,laptop,tablet,watch)))');
  const check = (quorum: readonly PartyId[]) => () => {
    checkQuorum(group, quorum);
  };

  it.each([
    [['server', 'phone']],
    [['server', 'laptop', 'watch']],
    [['server', 'phone', 'laptop', 'tablet']],
    [['server', 'laptop', 'tablet', 'watch']],
  ])('%j can', (quorum) => {
    expect(check(quorum)).not.toThrow();
  });

  it('a party whose leaves cancel out cannot take part: its additive share would be zero', () => {
    const text = 'and(server,or(a,thresh(2,a,a,b),c))';
    const { shares } = dealUnder('ed25519', text, text);
    const idle = additiveShare(curve, groupOf(shares), ['server', 'a', 'c'], 'a', subSharesOf(shares, 'a'));
    expect(idle).toBe(0n);
    const error = thrownBy(() => {
      checkQuorum(keyUnder(text), ['server', 'a', 'c']);
    });
    expect(error).toMatchObject({ code: 'policy/unsatisfied' });
    expect(error.hint).toContain('Leave out a');
    for (const quorum of [
      ['server', 'c'],
      ['server', 'a'],
      ['server', 'a', 'b', 'c'],
    ])
      expect(() => {
        checkQuorum(keyUnder(text), quorum);
      }).not.toThrow();
  });

  it.each([
    [[], 'Nobody is not enough', 'server and phone.'],
    [['server'], 'server alone is not enough', 'phone.'],
    [['phone', 'laptop'], 'phone and laptop are not enough', 'server.'],
    [['server', 'laptop'], 'not enough', 'phone; or tablet; or watch.'],
    [['laptop', 'tablet'], 'not enough', 'server.'],
  ])('%j cannot, and the fewest that would do are named', (quorum, message, hint) => {
    const error = thrownBy(check(quorum));
    expect(error).toMatchObject({ code: 'policy/unsatisfied' });
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it('a party whose branch is not satisfied is told that it is not needed', () => {
    const error = thrownBy(check(['server', 'phone', 'laptop']));
    expect(error).toMatchObject({ code: 'policy/unsatisfied' });
    expect(error.message).toMatch(/^laptop cannot take part/);
    expect(error.hint).toMatch(/Leave out laptop/);
  });

  it.each([
    [['phone', 'server'], 'input/invalid-argument'],
    [['server', 'phone', 'phone'], 'input/invalid-argument'],
    [['server', 'mallory'], 'abort/unknown-party'],
  ])('%j are no set of its parties', (quorum, code) => {
    expect(thrownBy(check(quorum)).code).toBe(code);
  });

  it('a repair names the fewest helpers that would do, and says when nobody can', () => {
    const repair =
      (helpers: readonly PartyId[], target: PartyId, of: GroupKey = group) =>
      () => {
        checkHelpers(of, helpers, target);
      };
    expect(repair(['server', 'laptop', 'tablet'], 'watch')).not.toThrow();
    expect(repair(['server', 'laptop', 'tablet'], 'phone')).not.toThrow();
    // The phone knows the value of the gate, and one leaf of it more fixes the line.
    expect(repair(['server', 'phone', 'laptop'], 'watch')).not.toThrow();
    expect(thrownBy(repair(['server', 'phone'], 'watch'))).toMatchObject({
      code: 'policy/unsatisfied',
      hint: 'The fewest that would do in addition: laptop; or tablet.',
    });
    expect(thrownBy(repair(['phone', 'laptop', 'tablet'], 'server'))).toMatchObject({
      code: 'policy/unsatisfied',
      hint: 'Without server nobody can act for this key.',
    });
    const split = keyUnder('or(and(a,b),and(c,d))');
    expect(thrownBy(repair(['a', 'b'], 'c', split)).hint).toBe('The fewest that would do in addition: d.');
    const lone = keyUnder('or(and(a,b),and(c,d,e))');
    expect(repair(['a', 'b', 'd', 'e'], 'c', lone)).not.toThrow();
    const double = keyUnder('thresh(3,a,a,b,b,c)');
    expect(repair(['b', 'c'], 'a', double)).not.toThrow();
    const heavy = keyUnder('or(and(b,d),thresh(4,a,a,a,e,f))');
    expect(thrownBy(repair(['b', 'd', 'e', 'f'], 'a', heavy))).toMatchObject({
      code: 'policy/unsatisfied',
      hint: 'Reshare the key instead: that gives every party a new share.',
    });
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asFlatThreshold,
  countMinimalQuorums,
  isQuorum,
  minimalQuorums,
  normalise,
  parsePolicy,
  parties,
  printPolicy,
  smallestAdditions,
  type Policy,
} from '../src/index.ts';
import { policyOver, policyWithRepeats, subsets } from './arbitrary.ts';

/** The definition, written a second time: counts over explicit JavaScript, no shared code. */
const holds = (policy: Policy, present: readonly string[]): boolean => {
  if (policy.kind === 'party') return present.includes(policy.name);
  const yes = policy.parts.map((part) => holds(part, present));
  if (policy.kind === 'and') return !yes.includes(false);
  if (policy.kind === 'thresh') return yes.reduce((n, one) => n + (one ? 1 : 0), 0) >= policy.threshold;
  return yes.includes(true);
};

const small = fc.oneof(policyOver(10), policyWithRepeats(12, 6));
const sortSets = (sets: readonly (readonly string[])[]): readonly string[] =>
  sets.map((set) => set.toSorted().join(' ')).toSorted();

describe('isQuorum', () => {
  it('is the definition, on every set', () => {
    fc.assert(
      fc.property(small, (policy) => {
        for (const set of subsets(parties(policy))) expect(isQuorum(policy, set)).toBe(holds(policy, set));
      }),
    );
  });

  it('is monotone: one more party never hurts', () => {
    fc.assert(
      fc.property(policyOver(32), fc.array(fc.nat(31)), fc.nat(31), (policy, picks, extra) => {
        const set = picks.map((n) => `p${n}`);
        if (isQuorum(policy, set)) expect(isQuorum(policy, [...set, `p${extra}`])).toBe(true);
      }),
    );
  });

  it('ignores strangers and repeated names', () => {
    const policy = parsePolicy('thresh(2,a,b,c)');
    expect(isQuorum(policy, ['a', 'a', 'a', 'mallory'])).toBe(false);
    expect(isQuorum(policy, new Set(['a', 'c', 'mallory']))).toBe(true);
    expect(isQuorum(policy, [])).toBe(false);
  });

  it('counts a repeated party as often as it stands there', () => {
    const policy = parsePolicy('thresh(2,boss,boss,clerk,clerk-2)', { allowRepeats: true });
    expect(isQuorum(policy, ['boss'])).toBe(true);
    expect(isQuorum(policy, ['clerk'])).toBe(false);
    expect(minimalQuorums(policy)).toEqual([['boss'], ['clerk', 'clerk-2']]);
    expect(asFlatThreshold(policy)).toBeUndefined();
  });
});

describe('minimalQuorums', () => {
  it('are the minimal sets, found by listing every set', () => {
    fc.assert(
      fc.property(small, (policy) => {
        const winning = subsets(parties(policy)).filter((set) => holds(policy, set));
        const minimal = winning.filter((set) =>
          set.every(
            (one) =>
              !holds(
                policy,
                set.filter((p) => p !== one),
              ),
          ),
        );
        expect(sortSets(minimalQuorums(policy))).toEqual(sortSets(minimal));
        expect(countMinimalQuorums(policy)).toBe(BigInt(minimal.length));
      }),
    );
  });

  it('stand smallest first and in policy order', () => {
    expect(minimalQuorums(parsePolicy('or(and(c,b,a),thresh(2,x,y,z))'))).toEqual([
      ['x', 'y'],
      ['x', 'z'],
      ['y', 'z'],
      ['c', 'b', 'a'],
    ]);
  });

  it('too many are counted, not listed', () => {
    const policy = parsePolicy(`thresh(16,${Array.from({ length: 32 }, (_, i) => `p${i}`).join(',')})`);
    expect(countMinimalQuorums(policy)).toBe(601_080_390n);
    expect(() => minimalQuorums(policy)).toThrow(/601080390 minimal quorums/);
  });
});

describe('smallestAdditions', () => {
  it('are exactly the smallest sets that complete', () => {
    fc.assert(
      fc.property(small, fc.array(fc.nat(9)), (policy, picks) => {
        const present = picks.map((n) => `p${n}`);
        const missing = parties(policy).filter((name) => !present.includes(name));
        const completing = subsets(missing).filter((set) => holds(policy, [...present, ...set]));
        const size = Math.min(...completing.map((set) => set.length));
        const smallest = completing.filter((set) => set.length === size);
        expect(sortSets(smallestAdditions(policy, present, 10_000))).toEqual(sortSets(smallest));
      }),
    );
  });

  it('names what is missing', () => {
    const policy = parsePolicy('and(server,or(phone,thresh(2,usb,cloud,paper)))');
    expect(smallestAdditions(policy, ['usb'])).toEqual([
      ['server', 'phone'],
      ['server', 'cloud'],
      ['server', 'paper'],
    ]);
    expect(smallestAdditions(policy, ['server', 'phone'])).toEqual([[]]);
    expect(smallestAdditions(policy, ['stranger'])).toEqual([['server', 'phone']]);
  });

  it('stops at its limit, however many there are', () => {
    const policy = parsePolicy(`thresh(16,${Array.from({ length: 32 }, (_, i) => `p${i}`).join(',')})`);
    expect(smallestAdditions(policy, [], 3)).toHaveLength(3);
  });
});

describe('normalise', () => {
  it('keeps the quorums and is its own normal form', () => {
    fc.assert(
      fc.property(small, (policy) => {
        const normal = normalise(policy);
        for (const set of subsets(parties(policy))) expect(isQuorum(normal, set)).toBe(isQuorum(policy, set));
        expect(normalise(normal)).toEqual(normal);
      }),
    );
  });

  it.each([
    ['thresh(3,a,b,c)', 'and(a,b,c)'],
    ['thresh(1,a,b)', 'or(a,b)'],
    ['and(a,and(b,thresh(2,c,d)))', 'and(a,b,c,d)'],
    ['or(or(a),or(b,and(c)))', 'or(a,b,c)'],
    ['thresh(2,a,thresh(1,b),c)', 'thresh(2,a,b,c)'],
    ['thresh(2,thresh(2,a,b,c),d,e)', 'thresh(2,thresh(2,a,b,c),d,e)'],
    ['and(or(a,b),or(c,d))', 'and(or(a,b),or(c,d))'],
    ['and(a)', 'a'],
  ])('%s is %s', (text, expected) => {
    expect(printPolicy(normalise(parsePolicy(text)))).toBe(expected);
  });
});

describe('asFlatThreshold', () => {
  it.each([
    ['and(a,b)', 2, ['a', 'b']],
    ['thresh(2,a,b,c)', 2, ['a', 'b', 'c']],
    ['and(a,and(c,b))', 3, ['a', 'c', 'b']],
    ['or(thresh(3,a,b,c,d,e))', 3, ['a', 'b', 'c', 'd', 'e']],
  ])('%s is %i of %j', (text, threshold, names) => {
    expect(asFlatThreshold(parsePolicy(text))).toEqual({ threshold, parties: names });
  });

  it.each(['a', 'or(a,b)', 'thresh(1,a,b)', 'and(a,or(b,c))', 'thresh(2,a,b,and(c,d))', 'thresh(1,a)'])(
    '%s is none',
    (text) => {
      expect(asFlatThreshold(parsePolicy(text))).toBeUndefined();
    },
  );
});

describe('parties', () => {
  it('stand in order of first appearance', () => {
    expect(parties(parsePolicy('or(z,and(m,a),z)', { allowRepeats: true }))).toEqual(['z', 'm', 'a']);
  });
});

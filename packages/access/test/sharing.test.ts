import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  helpersOf,
  isQuorum,
  normalise,
  parsePolicy,
  parties,
  reconstruction,
  repairing,
  sharingMatrix,
  smallestAdditions,
  targetInSpan,
  type Policy,
} from '../src/index.ts';
import { policyOver, policyWithRepeats, subsets } from './arbitrary.ts';

/** The orders of secp256k1 (SEC 2), Ed25519 (RFC 8032) and P-256 (SP 800-186), and one small prime. */
const orders = [
  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  2n ** 252n + 27742317777372353535851937790883648493n,
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  37n,
] as const;
const order = fc.constantFrom(...orders);
const small = fc.oneof(policyOver(8), policyWithRepeats(10, 5));

const rowsOf = (policy: Policy, present: readonly string[], q: bigint): readonly (readonly bigint[])[] =>
  sharingMatrix(policy, q)
    .rows.filter(({ party }) => present.includes(party))
    .map(({ vector }) => vector);

describe('the sharing matrix', () => {
  it('has the target in the span of a set exactly when the set is a quorum', () => {
    fc.assert(
      fc.property(small, order, (policy, q) => {
        for (const set of subsets(parties(policy)))
          expect(targetInSpan(rowsOf(policy, set, q), q)).toBe(isQuorum(policy, set));
      }),
      { numRuns: 60 },
    );
  });

  it('also for 32 parties and random sets', () => {
    fc.assert(
      fc.property(policyOver(32), order, fc.array(fc.nat(31)), (policy, q, picks) => {
        const set = picks.map((n) => `p${n}`);
        expect(targetInSpan(rowsOf(policy, set, q), q)).toBe(isQuorum(policy, set));
      }),
    );
  });

  it('of a flat policy is Shamir’s: party i at point i', () => {
    expect(sharingMatrix(parsePolicy('thresh(3,a,b,c,d)'), 37n)).toEqual({
      order: 37n,
      columns: 3,
      rows: [
        { party: 'a', path: [{ point: 1, first: 1, end: 3 }], vector: [1n, 1n, 1n] },
        { party: 'b', path: [{ point: 2, first: 1, end: 3 }], vector: [1n, 2n, 4n] },
        { party: 'c', path: [{ point: 3, first: 1, end: 3 }], vector: [1n, 3n, 9n] },
        { party: 'd', path: [{ point: 4, first: 1, end: 3 }], vector: [1n, 4n, 16n] },
      ],
    });
  });

  it('of a nested policy gives each gate columns of its own', () => {
    const { columns, rows } = sharingMatrix(
      parsePolicy('and(server,or(phone,thresh(2,usb,cloud,paper)))'),
      37n,
    );
    expect(columns).toBe(3);
    expect(
      rows.map(({ party, path, vector }) => [
        party,
        path.map(({ point }) => point).join('/'),
        vector.join(' '),
      ]),
    ).toEqual([
      ['server', '1', '1 1 0'],
      ['phone', '2/1', '1 2 0'],
      ['usb', '2/2/1', '1 2 1'],
      ['cloud', '2/2/2', '1 2 2'],
      ['paper', '2/2/3', '1 2 3'],
    ]);
  });

  it('is the same for equal normal forms', () => {
    const matrix = (text: string) => sharingMatrix(parsePolicy(text), 37n);
    expect(matrix('thresh(3,a,b,c)')).toEqual(matrix('and(a,and(b,c))'));
  });

  it('needs an order larger than the parts of a gate', () => {
    expect(() => sharingMatrix(parsePolicy('thresh(2,a,b,c)'), 3n)).toThrow(/larger/);
    expect(() => reconstruction(parsePolicy('thresh(3,a,b,c)'), ['a', 'b', 'c'], 4n)).toThrow(/prime/);
  });
});

describe('reconstruction', () => {
  it('gives the secret back from any quorum, and nothing otherwise', () => {
    const value = fc.bigInt({ min: 0n, max: orders[0] });
    fc.assert(
      fc.property(
        fc.oneof(policyOver(20), policyWithRepeats(20, 8)),
        order,
        fc.array(fc.nat(19), { maxLength: 40 }),
        fc.infiniteStream(value),
        (policy, q, picks, random) => {
          const present = picks.map((n) => `p${n}`);
          const { columns, rows } = sharingMatrix(policy, q);
          const inputs = Array.from({ length: columns }, () => random.next().value % q);
          const shares = rows.map(({ vector }) => vector.reduce((sum, c, i) => sum + c * inputs[i]!, 0n) % q);
          const coefficients = reconstruction(policy, present, q);
          expect(coefficients !== undefined).toBe(isQuorum(policy, present));
          if (coefficients === undefined) return;
          for (const { row, value: c } of coefficients) {
            expect(present).toContain(rows[row]!.party);
            expect(c > 0n && c < q).toBe(true);
          }
          expect(coefficients.reduce((sum, { row, value: c }) => sum + c * shares[row]!, 0n) % q).toBe(
            inputs[0],
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is Lagrange interpolation for a flat policy', () => {
    // At points 1 and 3: 3/2 and −1/2.
    expect(reconstruction(parsePolicy('thresh(2,a,b,c)'), ['c', 'a'], 37n)).toEqual([
      { row: 0, value: 20n },
      { row: 2, value: 18n },
    ]);
  });

  it('gives every satisfied part a share in it, and a part that is not satisfied none', () => {
    const policy = parsePolicy('and(a,or(b,thresh(2,c,d,e)))');
    const rowsOf = (present: readonly string[]): readonly number[] =>
      (reconstruction(policy, present, 37n) ?? []).map(({ row }) => row);
    expect(rowsOf(['a', 'b', 'c', 'd', 'e'])).toEqual([0, 1, 2, 3, 4]);
    expect(rowsOf(['a', 'b', 'c'])).toEqual([0, 1]);
    expect(rowsOf(['a', 'c', 'e'])).toEqual([0, 2, 4]);
    // The value of an `or` is that of each part: the weights of its parts at points 1 and 2 sum up to 1.
    expect(reconstruction(parsePolicy('or(a,b)'), ['a', 'b'], 37n)).toEqual([
      { row: 0, value: 2n },
      { row: 1, value: 36n },
    ]);
  });

  it('rows stand in the order of the leaves of the normal form', () => {
    fc.assert(
      fc.property(small, (policy) => {
        const names = sharingMatrix(policy, 37n).rows.map(({ party }) => party);
        expect([...new Set(names)]).toEqual(parties(normalise(policy)));
      }),
    );
  });
});

describe('repairing', () => {
  const target = fc.nat(7).map((n) => `p${n}`);

  it('combines the target’s sub-shares from the helpers’, for exactly the quorums of helpersOf', () => {
    const value = fc.bigInt({ min: 0n, max: orders[0] });
    fc.assert(
      fc.property(
        fc.oneof(policyOver(7), policyWithRepeats(8, 5)),
        order,
        target,
        fc.infiniteStream(value),
        (policy, q, lost, random) => {
          const { columns, rows } = sharingMatrix(policy, q);
          const inputs = Array.from({ length: columns }, () => random.next().value % q);
          const shares = rows.map(({ vector }) => vector.reduce((sum, c, i) => sum + c * inputs[i]!, 0n) % q);
          const able = helpersOf(policy, lost);
          const theirs = shares.filter((_share, row) => rows[row]!.party === lost);
          for (const helpers of subsets(parties(policy).filter((party) => party !== lost))) {
            if (!isQuorum(policy, helpers)) continue;
            const found = repairing(policy, helpers, lost, q);
            expect(found !== undefined).toBe(able !== undefined && isQuorum(able, helpers));
            if (found === undefined) continue;
            const combined = found.map((coefficients) =>
              coefficients.reduce((sum, { row, value: c }) => {
                expect(helpers).toContain(rows[row]!.party);
                return (sum + c * shares[row]!) % q;
              }, 0n),
            );
            expect(combined).toEqual(theirs);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is Lagrange interpolation at the target’s place for a flat policy', () => {
    // From 1 and 3 to 2: 1/2 each.
    expect(repairing(parsePolicy('thresh(2,a,b,c)'), ['a', 'c'], 'b', 37n)).toEqual([
      [
        { row: 0, value: 19n },
        { row: 2, value: 19n },
      ],
    ]);
  });

  it('needs more than a quorum where the gate inside is not determined', () => {
    const policy = parsePolicy('and(a,or(b,thresh(2,c,d,e)))');
    expect(repairing(policy, ['a', 'b'], 'c', 37n)).toBeUndefined();
    expect(repairing(policy, ['a', 'b', 'd'], 'c', 37n)).toBeDefined();
    expect(smallestAdditions(helpersOf(policy, 'c')!, ['a', 'b'])).toEqual([['d'], ['e']]);
    expect(helpersOf(policy, 'a')).toBeUndefined();
    expect(helpersOf(policy, 'stranger')).toBeUndefined();
  });
});

describe('targetInSpan', () => {
  it('knows the trivial cases', () => {
    expect(targetInSpan([], 37n)).toBe(false);
    expect(targetInSpan([[0n, 0n]], 37n)).toBe(false);
    expect(targetInSpan([[1n]], 37n)).toBe(true);
    expect(
      targetInSpan(
        [
          [1n, 1n],
          [2n, 2n],
        ],
        37n,
      ),
    ).toBe(false);
    expect(targetInSpan([[-36n, 0n]], 37n)).toBe(true);
  });
});

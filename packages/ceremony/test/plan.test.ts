import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { planKeygen } from '../src/index.ts';

const codeOf = (policy: string, server = 'server'): string => {
  try {
    planKeygen(policy, server);
    return 'planned';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('a plan', () => {
  it.each([
    ['and(server,phone)', ['server', 'phone'], 2],
    ['and(phone,server)', ['phone', 'server'], 2],
    ['thresh(2,server,phone)', ['server', 'phone'], 2],
    [' thresh( 2 , phone, server,laptop ) ', ['phone', 'server', 'laptop'], 2],
    ['and(server,phone,laptop)', ['server', 'phone', 'laptop'], 3],
    ['and(server,or(phone,laptop))', ['server', 'phone', 'laptop'], 2],
    [
      'or(and(phone,server),thresh(3,laptop,tablet,watch))',
      ['phone', 'server', 'laptop', 'tablet', 'watch'],
      2,
    ],
  ])('of %s', (policy, parties, threshold) => {
    const plan = planKeygen(policy, 'server');
    expect(plan).toMatchObject({ parties, threshold });
    // Its policy is the canonical text: planned again, it is the same.
    expect(planKeygen(plan.policy, 'server')).toEqual(plan);
  });

  it('is not changed by white space, and is by order: parties are numbered as they stand', () => {
    const plan = planKeygen('and(server,phone)', 'server');
    expect(planKeygen(' and ( server , phone ) ', 'server')).toEqual(plan);
    expect(planKeygen('and(phone,server)', 'server')).not.toEqual(plan);
  });

  it.each([
    ['', 'policy/syntax'],
    ['and(server,', 'policy/syntax'],
    ['and(server,phone', 'policy/syntax'],
    ['thresh(3,server,phone)', 'policy/syntax'],
    ['thresh(0,server,phone)', 'policy/syntax'],
    ['and(server,server)', 'policy/syntax'],
    ['xor(server,phone)', 'policy/syntax'],
    ['server', 'policy/unsupported'],
    ['or(server,phone)', 'policy/unsupported'],
    ['thresh(1,server,phone)', 'policy/unsupported'],
    ['or(server,and(phone,laptop))', 'policy/unsupported'],
    ['or(and(server,phone),and(server,laptop))', 'policy/syntax'],
    ['or(and(server,phone),laptop)', 'policy/unsupported'],
  ])('of %s is refused: %s', (policy, code) => {
    expect(codeOf(policy)).toBe(code);
  });

  it('gives a server that the policy does not name no share: it witnesses', () => {
    expect(planKeygen('and(server,phone)', 'vault').isWitnessed).toBe(true);
    expect(planKeygen('and(vault,phone)', 'vault').isWitnessed).toBe(false);
  });

  it('lets a party stand twice only where that was asked for', () => {
    const policy = 'or(and(server,phone),and(server,laptop))';
    expect(codeOf(policy)).toBe('policy/syntax');
    expect(planKeygen(policy, 'server', { allowRepeats: true })).toEqual({
      policy,
      parties: ['server', 'phone', 'laptop'],
      threshold: 2,
      isWitnessed: false,
    });
  });

  it('property: any text is planned or refused in terms of policies', () => {
    const token = fc.constantFrom(
      'and(',
      'or(',
      'thresh(',
      ')',
      ',',
      '2',
      '3',
      'server',
      'phone',
      'laptop',
      ' ',
      'é',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        expect(codeOf(tokens.join(''))).toMatch(/^(planned|policy\/(syntax|unsupported))$/);
      }),
    );
  });
});

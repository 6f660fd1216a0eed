import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { parsePolicy, policyLimits, printPolicy, tryParsePolicy } from '../src/index.ts';
import { partyName, policyOver, policyWithRepeats, spaced } from './arbitrary.ts';

describe('round trips', () => {
  it('parse after print is the identity', () => {
    fc.assert(
      fc.property(policyOver(32), (policy) => {
        expect(parsePolicy(printPolicy(policy))).toEqual(policy);
      }),
    );
  });

  it('keeps repeated parties when they are asked for', () => {
    fc.assert(
      fc.property(policyWithRepeats(20, 6), (policy) => {
        expect(parsePolicy(printPolicy(policy), { allowRepeats: true })).toEqual(policy);
      }),
    );
  });

  it('white space between tokens changes nothing and is not printed', () => {
    const gap = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
    fc.assert(
      fc.property(policyOver(12), fc.array(gap, { minLength: 1, maxLength: 7 }), (policy, gaps) => {
        expect(printPolicy(parsePolicy(`${spaced(policy, gaps)} \n`))).toBe(printPolicy(policy));
      }),
    );
  });

  it('takes every name the grammar allows', () => {
    fc.assert(
      fc.property(partyName, (name) => {
        expect(parsePolicy(name)).toEqual({ kind: 'party', name });
      }),
    );
  });

  it('takes words that merely begin like an operator', () => {
    expect(printPolicy(parsePolicy('and(android,or-1,thresher)'))).toBe('and(android,or-1,thresher)');
  });
});

const longName = 'a'.repeat(33);
const deep = (levels: number): string => `${'and('.repeat(levels)}a${')'.repeat(levels)}`;
const wide = (n: number): string => `or(${Array.from({ length: n }, (_, i) => `p${i}`).join(',')})`;

/** Text, 1-based position of the mistake, what is found, part of what is expected. */
const mistakes: readonly (readonly [string, number, string, string])[] = [
  ['', 1, 'the end of the text', 'a party name'],
  ['   ', 4, 'the end of the text', 'a party name'],
  ['and', 4, 'the end of the text', '"(" after and'],
  ['and(', 5, 'the end of the text', 'a party name'],
  ['and()', 5, '")"', 'a party name'],
  ['and(a', 6, 'the end of the text', '"," or ")"'],
  ['and(a,', 7, 'the end of the text', 'a party name'],
  ['and(a,)', 7, '")"', 'a party name'],
  ['and(,a)', 5, '","', 'a party name'],
  ['and(a b)', 7, '"b"', '"," or ")"'],
  ['and(a;b)', 6, '";"', '"," or ")"'],
  ['and(a,b))', 9, '")"', 'the end'],
  ['a b', 3, '"b"', 'the end'],
  ['a,b', 2, '","', 'the end'],
  ['(a)', 1, '"("', 'a party name'],
  ['Phone', 1, '"P"', 'a party name'],
  ['1phone', 1, '"1"', 'a party name'],
  ['-a', 1, '"-"', 'a party name'],
  ['my_phone', 3, '"_"', 'the end'],
  ['and(a,ph\u00f6ne)', 9, 'U+00F6', '"," or ")"'],
  ['and(a,\u202eb)', 7, 'U+202E', 'a party name'],
  ['and(a,\u001b[2Jb)', 7, 'U+001B', 'a party name'],
  ['and(a,\u00a0b)', 7, 'U+00A0', 'a party name'],
  ['and(a,\u{1f511})', 7, 'U+1F511', 'a party name'],
  ['and(a,\u0000)', 7, 'U+0000', 'a party name'],
  ['xor(a,b)', 1, '"xor("', 'a party name'],
  ['and(a,multi(b,c))', 7, '"multi("', 'a party name'],
  ['thresh', 7, 'the end of the text', '"(" after thresh'],
  ['thresh(', 8, 'the end of the text', 'a number'],
  ['thresh()', 8, '")"', 'a number'],
  ['thresh(a,b)', 8, '"a"', 'a number'],
  ['thresh(-1,a)', 8, '"-"', 'a number'],
  ['thresh(2)', 9, '")"', '","'],
  ['thresh(2,)', 10, '")"', 'a party name'],
  ['thresh(0,a,b)', 8, '0', 'from 1'],
  ['thresh(02,a,b)', 8, '02', 'without leading zeros'],
  ['thresh(3,a,b)', 8, '3', 'from 1 to 2'],
  ['thresh(2,a,thresh( 9 ,b,c))', 20, '9', 'from 1 to 2'],
  ['thresh(1e1,a)', 9, '"e"', '","'],
  ['thresh(2.5,a,b,c)', 9, '"."', '","'],
  [`thresh(${'9'.repeat(400)},a)`, 8, `${'9'.repeat(37)}...`, 'from 1 to 1'],
  ['and(a,a)', 7, '"a" again', 'each party once'],
  ['thresh(2,a,and(b,a))', 18, '"a" again', 'each party once'],
  [`and(b,${longName})`, 7, 'a name of 33 characters', 'at most 32'],
  [deep(17), 65, 'gate number 17', 'at most 16'],
  [wide(33), wide(33).indexOf('p32') + 1, 'party number 33', 'at most 32'],
  [`and(a,${' '.repeat(4096)}b)`, 4097, 'a text of 4104 characters', 'at most 4096'],
];

describe('mistakes', () => {
  it.each(mistakes)('%j fails at %i', (text, position, found, expected) => {
    const result = tryParsePolicy(text);
    if (result.ok) throw new Error('parsed');
    expect(result.problem.position).toBe(position);
    expect(result.problem.found).toContain(found);
    expect(result.problem.expected).toContain(expected);
    expect(result.problem.message).toContain(`position ${position}:`);
  });

  it('are thrown as policy/syntax with the place under a caret', () => {
    const thrown = catchError(() => parsePolicy('and(phone,, server)'));
    expect(thrown.code).toBe('policy/syntax');
    expect(thrown.message).toBe(
      'Policy error at position 11: found ",", expected a party name, and(…), or(…) or thresh(k,…).',
    );
    expect(thrown.hint).toBe('and(phone,, server)\n          ^');
  });

  it('the caret stands under the reported character, also in long and in hostile text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        policyOver(12),
        fc.nat(),
        (junk, policy, where) => {
          const good = printPolicy(policy);
          const cut = where % (good.length + 1);
          const text = good.slice(0, cut) + junk + good.slice(cut);
          const result = tryParsePolicy(text);
          if (result.ok) return;
          const [line = '', caret = ''] = result.problem.excerpt.split('\n');
          expect(result.problem.excerpt).toMatch(/^[\x20-\x7e]*\n *\^$/);
          expect(result.problem.message).toMatch(/^[\x20-\x7e…]*$/);
          const at = text[result.problem.position - 1];
          if (at !== undefined && /[\x21-\x7e]/.test(at)) expect(line[caret.length - 1]).toBe(at);
        },
      ),
    );
  });

  it('no input makes it throw anything else, nor parse to something that prints differently', () => {
    const token = fc.constantFrom('and(', 'or(', 'thresh(', '2', ',', ')', 'a', 'b', ' ', '0', '(', 'C');
    const soup = fc.array(token, { maxLength: 60 }).map((tokens) => tokens.join(''));
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        const result = tryParsePolicy(text);
        if (result.ok) expect(printPolicy(result.policy)).toBe(text.replaceAll(/[ \t\r\n]/g, ''));
        else expect(result.problem.position).toBeLessThanOrEqual(text.length + 1);
      }),
      { numRuns: 2000 },
    );
  });

  it('a million brackets are refused, not recursed into', () => {
    expect(catchError(() => parsePolicy(deep(1_000_000))).code).toBe('policy/syntax');
    expect(tryParsePolicy('('.repeat(4096)).ok).toBe(false);
    expect(tryParsePolicy('and('.repeat(1024)).ok).toBe(false);
  });
});

describe('limits', () => {
  it('are met exactly', () => {
    expect(tryParsePolicy(deep(policyLimits.depth)).ok).toBe(true);
    expect(tryParsePolicy(wide(policyLimits.parties)).ok).toBe(true);
    expect(tryParsePolicy('a'.repeat(policyLimits.nameLength)).ok).toBe(true);
    expect(tryParsePolicy(`a${' '.repeat(policyLimits.characters - 1)}`).ok).toBe(true);
  });

  it('64 parties can be analysed when asked for', () => {
    expect(tryParsePolicy(wide(64), { maxParties: 64 }).ok).toBe(true);
    expect(tryParsePolicy(wide(65), { maxParties: 64 }).ok).toBe(false);
  });
});

const catchError = (run: () => unknown): KeepsetError => {
  try {
    run();
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('did not throw');
};

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import {
  allAnswers,
  analyse,
  eventLibrary,
  parseSetup,
  presets,
  printAnswers,
  printSetup,
  propose,
  type SetupInput,
} from '../src/index.ts';
import { smallSetup } from './world.ts';

describe('a setup', () => {
  it('reads as it prints, through JSON', () => {
    fc.assert(
      fc.property(smallSetup, (setup) => {
        expect(parseSetup(JSON.parse(JSON.stringify(printSetup(setup))))).toEqual(setup);
      }),
      { numRuns: 200 },
    );
  });

  it('reads as it prints, for every preset and a proposal', () => {
    for (const { original, corrected } of presets)
      for (const setup of [original, corrected]) expect(parseSetup(printSetup(setup))).toEqual(setup);
    const { setup } = propose(printAnswers(allAnswers.at(-1)!));
    expect(parseSetup(printSetup(setup))).toEqual(setup);
  });

  it('gives a party without copies one of its own name', () => {
    const setup = parseSetup({ policy: 'and(a,b)', shares: { a: [{}, { location: 'bank' }] } });
    expect([...setup.shares]).toEqual([
      ['a', [{ id: 'a' }, { id: 'a-2', location: 'bank' }]],
      ['b', [{ id: 'b' }]],
    ]);
  });

  it('takes events of the library by their ids', () => {
    const { events } = parseSetup({ policy: 'a', events: ['house-fire', 'owner-dies'] });
    expect(events).toEqual(eventLibrary.filter(({ id }) => ['house-fire', 'owner-dies'].includes(id)));
  });

  it('reads ranges with and without their likely value', () => {
    const setup = parseSetup({
      policy: 'or(a,b,c)',
      shares: { a: [{ loss: 0.1 }], b: [{ loss: [0.01, 0.04] }], c: [{ loss: [0.1, 0.3, 0.4] }] },
    });
    expect([...setup.shares.values()].flat().map(({ loss }) => loss)).toEqual([
      { low: 0.1, likely: 0.1, high: 0.1 },
      { low: 0.01, likely: 0.02, high: 0.04 },
      { low: 0.1, likely: 0.3, high: 0.4 },
    ]);
  });
});

const of = (more: object): unknown => ({ policy: 'and(a,b)', ...more });
const event = (more: object): unknown => of({ events: [{ id: 'e', title: 'it strikes', ...more }] });

describe('bad setups', () => {
  it.each([
    ['nothing', undefined, 'input/malformed'],
    ['a list', [], 'input/malformed'],
    ['text', 'and(a,b)', 'input/malformed'],
    ['no policy', {}, 'input/malformed'],
    ['policy of another type', { policy: 7 }, 'input/malformed'],
    ['policy that is none', { policy: 'and(a' }, 'policy/syntax'],
    ['unknown property', of({ place: [] }), 'input/malformed'],
    ['unknown property of a copy', of({ shares: { a: [{ colour: 'red' }] } }), 'input/malformed'],
    ['a stranger’s share', of({ shares: { c: [{}] } }), 'input/invalid-argument'],
    ['a share without copies', of({ shares: { a: [] } }), 'input/malformed'],
    ['copies of one id', of({ shares: { a: [{ id: 'x' }], b: [{ id: 'x' }] } }), 'input/invalid-argument'],
    ['probability above one', of({ shares: { a: [{ loss: 1.1 }] } }), 'input/malformed'],
    ['negative probability', of({ shares: { a: [{ theft: -0.1 }] } }), 'input/malformed'],
    ['probability that is none', of({ shares: { a: [{ theft: Number.NaN }] } }), 'input/malformed'],
    ['range upside down', of({ shares: { a: [{ loss: [0.2, 0.1] }] } }), 'input/malformed'],
    ['range of four', of({ shares: { a: [{ loss: [0.1, 0.2, 0.3, 0.4] }] } }), 'input/malformed'],
    ['range of one', of({ shares: { a: [{ loss: [0.1] }] } }), 'input/malformed'],
    ['lock that is no policy', of({ shares: { a: [{ unlock: 'and(' }] } }), 'policy/syntax'],
    ['lock without a secret', of({ shares: { a: [{ unlock: 'pin' }] } }), 'input/invalid-argument'],
    ['secret with a bad name', of({ secrets: { 'a b': [{}] } }), 'policy/syntax'],
    ['secret that is a gate', of({ secrets: { 'or(a,b)': [{}] } }), 'input/invalid-argument'],
    ['way from nowhere', of({ shares: { a: [{ usableFrom: [{ from: 'phone' }] }] } }), 'input/malformed'],
    ['event of no name', of({ events: ['meteor'] }), 'input/invalid-argument'],
    ['events of one id', of({ events: ['house-fire', 'house-fire'] }), 'input/invalid-argument'],
    ['selector of no kind', event({ loses: ['home'] }), 'input/malformed'],
    ['selector of another kind', event({ exposes: ['planet:earth'] }), 'input/malformed'],
    ['title with an escape', event({ title: '\u001b[2J' }), 'input/malformed'],
    ['title with a line end', event({ title: 'a\nb' }), 'input/malformed'],
    ['title that turns the text round', event({ title: 'a\u202eb' }), 'input/malformed'],
    ['title too long', event({ title: 'x'.repeat(81) }), 'input/malformed'],
    ['policy too long', { policy: `a${' '.repeat(5000)}` }, 'input/malformed'],
    [
      'too many copies',
      of({
        shares: { a: Array.from({ length: 100 }, () => ({})), b: Array.from({ length: 100 }, () => ({})) },
      }),
      'input/invalid-argument',
    ],
    [
      'too many events',
      of({ events: Array.from({ length: 65 }, (_, n) => ({ id: `e${n}`, title: 'x' })) }),
      'input/malformed',
    ],
  ])('%s', (_, value, code) => {
    let thrown: unknown;
    try {
      parseSetup(value);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(KeepsetError);
    expect((thrown as KeepsetError).code).toBe(code);
  });

  it('locks in a circle are refused when analysed', () => {
    const input: SetupInput = {
      policy: 'a',
      shares: { a: [{ unlock: 's' }] },
      secrets: { s: [{ id: 's', unlock: 't' }], t: [{ id: 't', unlock: 's' }] },
    };
    expect(() => analyse(parseSetup(input))).toThrow(/circle/);
  });

  const chain = (depth: number): SetupInput => ({
    policy: 'a',
    shares: { a: [{ unlock: `s${depth - 1}`, loss: 0.1 }] },
    secrets: Object.fromEntries(
      Array.from({ length: depth }, (_, n) => {
        const unlock = n === 0 ? {} : { unlock: n === 1 ? 's0' : `or(s${n - 1},s${n - 2})` };
        return [
          `s${n}`,
          [
            { id: `s${n}-1`, loss: 0.1, ...unlock },
            { id: `s${n}-2`, loss: 0.1, ...unlock },
          ],
        ];
      }),
    ),
  });

  it('locks behind locks are analysed', () => {
    // By hand: s0 is lost with 0.01; s1 with (0.01 + 0.99 · 0.01), its copies lost by themselves or through s0.
    const { loss } = analyse(parseSetup(chain(2)));
    const s1 = 0.01 + 0.99 * 0.01;
    expect(loss.probability?.likely).toBeCloseTo(1 - 0.9 * (1 - s1), 12);
  });

  it('locks behind many locks end in an answer or in a refusal', () => {
    for (const depth of [5, 10, 60]) {
      try {
        const { loss } = analyse(parseSetup(chain(depth)));
        expect(loss.probability?.likely).toBeGreaterThan(0.1);
      } catch (error) {
        expect((error as KeepsetError).code).toBe('policy/unsupported');
        expect(depth).toBe(60);
      }
    }
  });
});

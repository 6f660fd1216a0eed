import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  analyse,
  analysisToJson,
  bareSetup,
  compare,
  comparisonLines,
  explainLines,
  parsePolicy,
  parseSetup,
  policySvg,
  presets,
  presetTable,
  printPolicy,
  proposalLines,
  propose,
  rangeOf,
  simulate,
  simulationLines,
  suggest,
  suggestionLines,
} from '../src/index.ts';
import { tableLines, wrap } from '../src/render/text.ts';
import { policyOver } from './arbitrary.ts';
import { smallSetup } from './world.ts';

const fits = (lines: readonly string[]): void => {
  for (const line of lines) {
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line).toBe(line.trimEnd());
    expect(line).not.toContain('\n');
    expect(line).not.toMatch(/undefined|NaN|\[object/);
  }
};

describe('text fits 80 columns', () => {
  it('for random setups', () => {
    fc.assert(
      fc.property(smallSetup, (setup) => {
        fits(explainLines(analyse(setup)));
        fits(comparisonLines(compare([{ name: 'x'.repeat(90), setup }])));
      }),
      { numRuns: 60 },
    );
  });

  it('for large policies', () => {
    fc.assert(
      fc.property(policyOver(32), (policy) => {
        fits(explainLines(analyse(bareSetup(policy, rangeOf(0.01, 0.1), rangeOf(0.001, 0.01)))));
      }),
      { numRuns: 30 },
    );
  });

  it('for the longest names and titles', () => {
    const name = 'n'.repeat(30);
    const names = Array.from({ length: 12 }, (_, n) => `${name}${n}`);
    const setup = parseSetup({
      policy: `thresh(2,${names.join(',')})`,
      shares: Object.fromEntries(names.map((one) => [one, [{ location: 'l'.repeat(64), loss: 0.1 }]])),
      events: [{ id: 'e', title: 'w'.repeat(80), probability: 0.5, loses: [`location:${'l'.repeat(64)}`] }],
    });
    fits(explainLines(analyse(setup)));
    fits(simulationLines(simulate(setup, ['e'])));
  });

  it('for presets, suggestions, simulations and proposals', () => {
    fits(comparisonLines(presetTable()));
    for (const { original } of presets) {
      fits(explainLines(analyse(original)));
      fits(suggestionLines(suggest(original)));
    }
    fits(simulationLines(simulate(presets[0]!.corrected, ['house-fire', 'server-gone'])));
    fits(proposalLines(propose('CBA')));
  });

  it('words are broken only where they must be', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        (text, width) => {
          const lines = wrap(text, width);
          for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(width);
          expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
        },
      ),
    );
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('thresh(2,phone,server)', 15)).toEqual(['thresh(2,phone,', 'server)']);
    expect(tableLines({ head: ['a', 'b'], rows: [['1', '22']] })).toEqual(['a  b', '-  --', '1  22']);
  });
});

describe('explain says', () => {
  it('both numbers, always', () => {
    const text = explainLines(
      analyse(bareSetup(parsePolicy('thresh(2,a,b,c)'), rangeOf(0.05), rangeOf(0.01))),
    ).join('\n');
    expect(text).toContain('Loss tolerance   1 party, 1 single place');
    expect(text).toContain('Theft tolerance  1 party, 1 single place');
    expect(text).toContain('7.25e-3 (1 in 138)');
    expect(text).toContain('2.98e-4 (1 in 3,400)');
    expect(text).toContain('Credible minimum met');
  });

  it('what lacks to the credible minimum', () => {
    const text = explainLines(analyse(bareSetup(parsePolicy('and(a,b)')))).join('\n');
    expect(text).toContain(
      'Below the credible minimum:\n  - Without a nobody can sign.\n  - Without b nobody can sign.',
    );
  });

  it('how many more sets there are than it lists', () => {
    const names = Array.from({ length: 32 }, (_, n) => `p${n}`).join(',');
    const text = explainLines(analyse(bareSetup(parsePolicy(`thresh(16,${names})`)))).join('\n');
    expect(text).toContain(`and ${601_080_390 - 12} more`);
  });
});

describe('JSON', () => {
  it('has the named fields, and survives a round trip', () => {
    const json = analysisToJson(
      analyse(bareSetup(parsePolicy('thresh(2,a,b,c)'), rangeOf(0.05), rangeOf(0.01))),
    );
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      policy: 'thresh(2,a,b,c)',
      parties: ['a', 'b', 'c'],
      lossTolerance: 1,
      theftTolerance: 1,
      minimalQuorums: [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ],
      minimalCuts: [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ],
      singlePointsOfFailure: [],
      credibleMinimum: true,
    });
    expect(json['lossProbability']).toBeCloseTo(0.00725, 12);
    expect(json['theftProbability']).toBeCloseTo(0.000298, 12);
  });

  it('has no probability where none was given', () => {
    const json = analysisToJson(analyse(bareSetup(parsePolicy('and(a,b)'))));
    expect(Object.keys(json).filter((key) => key.includes('Probability'))).toEqual([]);
    expect(json).toMatchObject({ singlePointsOfFailure: ['a', 'b'], credibleMinimum: false });
  });

  it('is plain for every random setup', () => {
    fc.assert(
      fc.property(smallSetup, (setup) => {
        expect(JSON.stringify(analysisToJson(analyse(setup)))).not.toMatch(/Infinity|NaN/);
      }),
      { numRuns: 40 },
    );
  });
});

/** Well-formed enough to be read as XML: one root, tags closed in order, no stray marks. */
const checkXml = (text: string): Map<string, number> => {
  const open: string[] = [];
  const seen = new Map<string, number>();
  const rest = text.replaceAll(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>/g,
    (_, close: string, name: string, _a: string, self: string) => {
      if (close === '/') expect(open.pop()).toBe(name);
      else if (self === '') open.push(name);
      if (close === '') seen.set(name, (seen.get(name) ?? 0) + 1);
      return '';
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/);
  return seen;
};

describe('the picture', () => {
  it('is well formed and has one mark per party of each set', () => {
    fc.assert(
      fc.property(policyOver(8), (policy) => {
        const setup = bareSetup(policy);
        const analysis = analyse(setup);
        const tags = checkXml(policySvg(setup, analysis));
        const shown = [analysis.minimalQuorums, analysis.minimalCuts].flatMap(({ sets }) =>
          sets.slice(0, 12),
        );
        expect(tags.get('circle')).toBe(shown.flat().length);
        expect(tags.get('svg')).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  it('shows the placements', () => {
    const { corrected } = presets.find(({ id }) => id === 'topology-1')!;
    const picture = policySvg(corrected, analyse(corrected));
    checkXml(picture);
    expect(picture).toContain('usb · usb · location:relatives · opens with or(passphrase,kit)');
    expect(picture).toContain('2 of 3');
  });

  it('shows every lock of the presets whole', () => {
    for (const { original, corrected } of presets)
      for (const setup of [original, corrected]) {
        const picture = policySvg(setup, analyse(setup));
        checkXml(picture);
        for (const { unlock } of [...setup.shares.values()].flat())
          if (unlock !== undefined) expect(picture).toContain(`opens with ${printPolicy(unlock)}</text>`);
      }
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  analyse,
  bareSetup,
  comparisonLines,
  eventLibrary,
  normalise,
  parsePolicy,
  parseSetup,
  policyLimits,
  printPolicy,
  rangeOf,
  sharingMatrix,
  simulate,
  strategyTable,
  tryParsePolicy,
} from '../src/index.ts';

const text = readFileSync(new URL('../../../spec/policy.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, kind, body]) => ({ kind, body }));

describe('spec/policy.md says what the code does', () => {
  it('the grammar’s limits', () => {
    expect(policyLimits).toEqual({ characters: 4096, depth: 16, parties: 32, nameLength: 32 });
  });

  it('the mistake', () => {
    const shown = blocks.find(({ body }) => body?.startsWith('Policy error'))!.body!;
    const result = tryParsePolicy('and(phone,, server)');
    if (result.ok) throw new Error('parsed');
    expect(shown).toBe(`${result.problem.message}\n${result.problem.excerpt}\n`);
  });

  it('the normal forms', () => {
    for (const policy of ['thresh(3,a,b,c)', 'and(a,and(b,c))'])
      expect(printPolicy(normalise(parsePolicy(policy)))).toBe('and(a,b,c)');
  });

  it('the sharing matrix', () => {
    const { rows } = sharingMatrix(parsePolicy('and(server,or(phone,thresh(2,usb,cloud,paper)))'), 101n);
    for (const { party, path, vector } of rows)
      expect(text.replaceAll(/ +/g, ' ')).toContain(
        `| ${party} | ${path.map(({ point }) => point).join('/')} | ${vector.join(' ')} |`,
      );
  });

  it('the setup, and what is said of it', () => {
    const setup = parseSetup(JSON.parse(blocks.find(({ kind }) => kind === 'json')!.body!));
    expect(setup.events.map(({ id }) => id)).toEqual(['phone-stolen', 'house-fire', 'usb-rot', 'flood']);
    // The thief who saw the passcode has the phone’s share, and the server signs for him.
    const [stolen] = simulate(setup, ['phone-stolen']);
    expect(stolen?.shares.map(({ outcome }) => outcome)).toEqual(['stolen', 'stolen', 'safe']);
    expect(stolen?.key.outcome).toBe('stolen');
    // Memory has no probability here.
    expect(analyse(setup).loss.probability?.unrated.map(({ id }) => id)).toContain('loss/in-mind');
  });

  it('the library', () => {
    for (const { id } of eventLibrary) expect(text).toContain(`\`${id}\``);
    expect(eventLibrary).toHaveLength(11);
  });

  it('the table', () => {
    const shown = blocks.find(({ body }) => body?.startsWith('Setup '))!.body!;
    expect(`${comparisonLines(strategyTable()).join('\n')}\n`.startsWith(shown)).toBe(true);
  });

  it('the bound', () => {
    const { loss } = analyse(bareSetup(parsePolicy('thresh(2,a,b,c)'), rangeOf(0.05)));
    expect(loss.anyDependence?.toExponential(1)).toBe('7.5e-2');
    expect(loss.anyDependence! / loss.probability!.likely).toBeGreaterThan(10);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  analyse,
  backupTable,
  bareSetup,
  isQuorum,
  parsePolicy,
  presets,
  presetTable,
  rangeOf,
  simulate,
  strategyTable,
  suggest,
  type Setup,
} from '../src/index.ts';
import { simulateWorld, smallSetup } from './world.ts';

const preset = (id: string) => presets.find((one) => one.id === id)!;
const total = (setup: Setup): number => {
  const { loss, theft } = analyse(setup);
  return (loss.probability?.likely ?? 0) + (theft.probability?.likely ?? 0);
};

describe('suggestions', () => {
  it('remove what they say, are ranked by it, and keep what tolerance there is', () => {
    for (const { original } of presets) {
      const suggestions = suggest(original, { limit: 20 });
      expect(suggestions.length).toBeGreaterThan(2);
      for (const [at, one] of suggestions.entries()) {
        expect(total(original) - total(one.setup)).toBeCloseTo(one.removed, 12);
        expect(one.removed).toBeGreaterThan(0);
        expect(one.removed).toBeLessThanOrEqual(suggestions[at - 1]?.removed ?? Infinity);
        const [before, after] = [analyse(original), analyse(one.setup)];
        expect(after.theftTolerance).toBeGreaterThanOrEqual(Math.min(1, before.theftTolerance));
        expect(after.lossTolerance).toBeGreaterThanOrEqual(Math.min(1, before.lossTolerance));
        expect(one.after.loss).toBe(after.loss.probability?.likely);
        expect(one.after.theft).toBe(after.theft.probability?.likely);
      }
    }
  });

  it('for the default settings begin with a third party, and tell the server to wait', () => {
    const titles = suggest(preset('defaults').original, { limit: 20 }).map(({ title }) => title);
    expect(titles[0]).toContain('thresh(2,server,phone,paper)');
    expect(titles.some((title) => title.startsWith('Let server wait'))).toBe(true);
  });

  it('weigh theft as they are told', () => {
    const { original } = preset('pro');
    const [even] = suggest(original);
    const [weighted] = suggest(original, { theftWeight: 1000 });
    expect(even?.title).toContain('Add a party');
    expect(weighted?.title).toContain('wait');
  });

  it('judge a new place with the risk it brings', () => {
    for (const { setup } of suggest(preset('option-a').original, { limit: 20 })) {
      const locations = [...setup.shares.values(), ...setup.secrets.values()]
        .flat()
        .flatMap((copy) => copy.location ?? []);
      for (const location of locations)
        if (location.startsWith('elsewhere'))
          expect(setup.events.some(({ exposes }) => exposes.includes(`location:${location}`))).toBe(true);
    }
  });

  it('go by tolerance where there are no probabilities', () => {
    expect(suggest(bareSetup(parsePolicy('and(a,b)'))).map(({ title }) => title)).toEqual([
      'Add a party, paper: thresh(2,a,b,paper).',
    ]);
    expect(suggest(bareSetup(parsePolicy('a')))).toEqual([]);
  });

  it('stop at their limit', () => {
    expect(suggest(preset('defaults').original, { limit: 1 })).toHaveLength(1);
  });
});

describe('simulation', () => {
  it('is the world played through, step by step', () => {
    fc.assert(
      fc.property(smallSetup, fc.array(fc.nat()), (setup, picks) => {
        const possible = [
          ...[...setup.shares.values(), ...setup.secrets.values()].flat().map(({ id }) => `loss/${id}`),
          ...setup.events.filter(({ each }) => each !== true).map(({ id }) => id),
        ];
        const ids = [...new Set(picks.map((n) => possible[n % possible.length]!))].filter((id) => {
          try {
            return simulate(setup, [id]).length === 1;
          } catch {
            // Losing a secret that opens nothing is not a happening of this setup.
            return false;
          }
        });
        for (const [at, step] of simulate(setup, ids).entries()) {
          const world = simulateWorld(setup, new Set(ids.slice(0, at + 1)));
          expect(step.key.lost).toBe(world.lockedOut);
          expect(step.key.leaked).toBe(world.stolen);
          expect(step.quorum === undefined).toBe(world.lockedOut);
          if (step.quorum !== undefined) {
            expect(isQuorum(setup.policy, step.quorum)).toBe(true);
            for (const one of step.quorum) {
              expect(step.shares.find(({ party }) => party === one)?.lost).toBe(false);
              expect(
                isQuorum(
                  setup.policy,
                  step.quorum.filter((other) => other !== one),
                ),
              ).toBe(false);
            }
          }
          const leaked = step.shares.filter((share) => share.leaked).map(({ party }) => party);
          expect(isQuorum(setup.policy, [...leaked, ...step.thiefNeeds])).toBe(true);
          expect(step.thiefNeeds.length === 0).toBe(world.stolen);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('says what to do', () => {
    const [stolen, rotten] = simulate(preset('defaults').corrected, ['phone-stolen', 'usb-rot/usb']);
    expect(stolen?.key.outcome).toBe('degraded');
    expect(stolen?.quorum).toEqual(['server', 'usb', 'paper']);
    expect(stolen?.thiefNeeds).toEqual(['usb']);
    expect(stolen?.advice[0]).toBe(
      'Refresh with server, usb and paper, so that what leaked of phone and server becomes useless.',
    );
    expect(rotten?.key.outcome).toBe('locked out');
    expect(rotten?.quorum).toBeUndefined();
  });

  it('refuses what cannot happen, and names what can', () => {
    expect(() => simulate(preset('option-a').original, ['meteor'])).toThrow(/cannot happen/);
    expect(() => simulate(preset('option-a').original, ['usb-rot'])).toThrow(/cannot happen/);
  });

  it('takes an event that strikes nothing here as what it is', () => {
    const [step] = simulate(preset('option-a').original, ['apple-locked']);
    expect(step?.key.outcome).toBe('safe');
    expect(step?.advice).toEqual([]);
  });
});

describe('tables', () => {
  const row = (name: string) => strategyTable().find((one) => one.name === name)!;

  it.each([
    ['Single device', 0, 0, '5.00e-2', '1.00e-2'],
    ['AND (2 of 2)', 0, 1, '9.75e-2', '1.00e-4'],
    ['OR (1 of 2)', 1, 0, '2.50e-3', '1.99e-2'],
    ['2 of 3', 1, 1, '7.25e-3', '2.98e-4'],
    ['2 of 4', 2, 1, '4.81e-4', '5.92e-4'],
    ['3 of 5', 2, 2, '1.16e-3', '9.85e-6'],
  ])('6.2, %s: %i lost, %i stolen', (name, lossTolerance, theftTolerance, loss, theft) => {
    expect(row(name)).toMatchObject({ lossTolerance, theftTolerance });
    expect([row(name).loss!.likely, row(name).theft!.likely].map((p) => p.toExponential(2))).toEqual([
      loss,
      theft,
    ]);
  });

  it('7: only shares stand an account taken over; a backup needs the internet', () => {
    const [backup, shares, hybrid] = backupTable();
    expect(backup).toMatchObject({ offlineRecovery: false, credibleMinimum: false });
    expect(backup?.stolenBy).toContain('apple-taken');
    expect(hybrid?.stolenBy).toContain('apple-taken');
    expect(hybrid?.offlineRecovery).toBe(true);
    expect(shares).toMatchObject({
      stolenBy: [],
      lockedOutBy: [],
      offlineRecovery: true,
      credibleMinimum: true,
    });
  });

  it('presets stand beside their corrected forms', () => {
    const rows = presetTable();
    expect(rows).toHaveLength(presets.length * 2);
    expect(rows.filter((_, n) => n % 2 === 1).every(({ credibleMinimum }) => credibleMinimum)).toBe(true);
    expect(rows.filter((_, n) => n % 2 === 0).some(({ credibleMinimum }) => credibleMinimum)).toBe(false);
  });

  it('ranges default to the geometric mean, and to the middle from zero', () => {
    expect(rangeOf(0.01, 0.04).likely).toBeCloseTo(0.02, 12);
    expect(rangeOf(0, 0.5).likely).toBe(0.25);
  });
});

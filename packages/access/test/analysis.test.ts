import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  analyse,
  bareSetup,
  isQuorum,
  parsePolicy,
  parseSetup,
  parties,
  rangeOf,
  type Setup,
  type SetupInput,
} from '../src/index.ts';
import { faultModelOf, type FaultModel } from '../src/analysis/faults.ts';
import { countOccurrences, holds, type Formula } from '../src/analysis/formula.ts';
import { probabilityOf } from '../src/analysis/probability.ts';
import { scenariosOf } from '../src/analysis/scenarios.ts';
import { policyOver, policyWithRepeats, subsets } from './arbitrary.ts';
import { simulateWorld, smallSetup } from './world.ts';

/** Three significant digits, as the fixtures print them. */
const digits = (value: number | undefined, n: number): string => (value ?? Number.NaN).toExponential(n);

describe('fixtures: per place loss 5 %, theft 1 %, independent', () => {
  it.each([
    ['and(a,b)', '9.75e-2', '1.0e-4'],
    ['thresh(2,a,b,c)', '7.25e-3', '2.98e-4'],
    ['thresh(2,a,b,c,d)', '4.81e-4', '5.92e-4'],
    ['thresh(3,a,b,c,d,e)', '1.16e-3', '9.85e-6'],
    ['and(server,or(phone,icloud))', '5.24e-2', '1.99e-4'],
    ['and(server,or(phone,icloud,usb))', '5.01e-2', '2.97e-4'],
  ])('%s: loss %s, theft %s', (policy, loss, theft) => {
    const analysis = analyse(bareSetup(parsePolicy(policy), rangeOf(0.05), rangeOf(0.01)));
    expect(digits(analysis.loss.probability?.likely, 2)).toBe(loss);
    expect(digits(analysis.theft.probability?.likely, theft.length - 5)).toBe(theft);
  });

  it('copies of one share count as an or of parties does', () => {
    const place = { loss: 0.05, theft: 0.01 };
    const analysis = analyse(
      parseSetup({
        policy: 'and(server,phone)',
        shares: {
          server: [place],
          phone: [
            { id: 'enclave', ...place },
            { id: 'icloud', ...place },
          ],
        },
      }),
    );
    expect(digits(analysis.loss.probability?.likely, 2)).toBe('5.24e-2');
    expect(digits(analysis.theft.probability?.likely, 2)).toBe('1.99e-4');
    expect([analysis.lossTolerance, analysis.theftTolerance]).toEqual([0, 1]);
  });

  const three = (effect: object): SetupInput => ({
    policy: 'thresh(2,phone,icloud,usb)',
    shares: Object.fromEntries(['phone', 'icloud', 'usb'].map((id) => [id, [{ loss: 0.05, theft: 0.01 }]])),
    events: [{ id: 'event', title: 'the event strikes', probability: 0.01, ...effect }],
  });

  it('a 1 % event that takes phone and icloud: theft 1.03e-2', () => {
    const analysis = analyse(parseSetup(three({ exposes: ['share:phone', 'share:icloud'] })));
    expect(digits(analysis.theft.probability?.likely, 2)).toBe('1.03e-2');
    expect(analysis.events[0]?.key.outcome).toBe('stolen');
    expect(analysis.credibleMinimum.met).toBe(false);
  });

  it('a 1 % fire that takes phone and usb: loss 1.72e-2', () => {
    const analysis = analyse(parseSetup(three({ loses: ['share:phone', 'share:usb'] })));
    expect(digits(analysis.loss.probability?.likely, 2)).toBe('1.72e-2');
    expect(analysis.events[0]?.key.outcome).toBe('locked out');
  });
});

const ends = (model: FaultModel): readonly (readonly [Formula, 'lockedOut' | 'stolen'])[] => [
  [model.lockedOut, 'lockedOut'],
  [model.stolen, 'stolen'],
];

const chancesOf = (model: FaultModel): readonly number[] =>
  model.happenings.map(({ probability }) => probability?.likely ?? 0);

describe('agreement with the world played through', () => {
  it('each single case: locked out, stolen, and every copy', () => {
    fc.assert(
      fc.property(smallSetup, fc.infiniteStream(fc.boolean()), (setup, coins) => {
        const model = faultModelOf(setup);
        for (let round = 0; round < 20; round += 1) {
          const happened = new Set(model.happenings.keys().filter(() => coins.next().value));
          const world = simulateWorld(
            setup,
            new Set([...happened].map((index) => model.happenings[index]!.id)),
          );
          expect(holds(model.lockedOut, happened)).toBe(world.lockedOut);
          expect(holds(model.stolen, happened)).toBe(world.stolen);
          for (const share of model.shares) {
            expect(holds(share.leaked, happened)).toBe(world.leaked.has(`share:${share.party}`));
            for (const { copy, lost } of share.copies)
              expect(holds(lost, happened)).toBe(world.lost.has(copy.id));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('the probability is the sum over all cases, and each slope the difference it makes', () => {
    fc.assert(
      fc.property(smallSetup, (setup) => {
        const model = faultModelOf(setup);
        const chances = chancesOf(model);
        for (const [formula, end] of ends(model)) {
          const relevant = [...countOccurrences(formula).keys()];
          if (relevant.length > 11) continue;
          const sumOver = (fixed?: number, value?: boolean): number =>
            subsets(relevant).reduce((sum, set) => {
              if (fixed !== undefined && set.includes(fixed) !== value) return sum;
              const ids = new Set(set.map((index) => model.happenings[index]!.id));
              if (!simulateWorld(setup, ids)[end]) return sum;
              const weight = relevant.reduce((w, index) => {
                if (index === fixed) return w;
                return w * (set.includes(index) ? chances[index]! : 1 - chances[index]!);
              }, 1);
              return sum + weight;
            }, 0);
          const { value, slope } = probabilityOf(formula, chances);
          expect(value).toBeCloseTo(sumOver(), 12);
          for (const [index, rise] of slope)
            expect(rise).toBeCloseTo(sumOver(index, true) - sumOver(index, false), 12);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('16 elements of a random policy, by listing all 65,536 cases', () => {
    fc.assert(
      fc.property(
        fc.oneof(policyOver(16), policyWithRepeats(20, 16)),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }),
        (policy, chances) => {
          const names = parties(policy);
          const setup: Setup = {
            ...bareSetup(policy),
            shares: new Map(
              names.map((id, n) => [id, [{ id, loss: rangeOf(chances[n]!), theft: rangeOf(chances[n]!) }]]),
            ),
          };
          let [loss, theft] = [0, 0];
          for (const struck of subsets(names)) {
            const weight = names.reduce(
              (w, name, n) => w * (struck.includes(name) ? chances[n]! : 1 - chances[n]!),
              1,
            );
            if (isQuorum(policy, struck)) theft += weight;
            if (
              !isQuorum(
                policy,
                names.filter((name) => !struck.includes(name)),
              )
            )
              loss += weight;
          }
          const analysis = analyse(setup);
          expect(analysis.loss.probability?.likely).toBeCloseTo(loss, 12);
          expect(analysis.theft.probability?.likely).toBeCloseTo(theft, 12);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('the scenarios are the minimal sets', () => {
    fc.assert(
      fc.property(smallSetup, (setup) => {
        const model = faultModelOf(setup);
        for (const [formula] of ends(model)) {
          const relevant = [...countOccurrences(formula).keys()].toSorted((a, b) => a - b);
          if (relevant.length > 11) continue;
          const fatal = subsets(relevant).filter((set) => holds(formula, new Set(set)));
          const minimal = fatal.filter((set) =>
            set.every((one) => !holds(formula, new Set(set.filter((i) => i !== one)))),
          );
          const { sets, total } = scenariosOf(formula);
          expect(sets.map(String).toSorted()).toEqual(minimal.map(String).toSorted());
          expect(total).toBe(BigInt(minimal.length));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('ranges', () => {
  it('contain the probability for any numbers within, and lie below the bound for any dependence', () => {
    fc.assert(
      fc.property(smallSetup, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (setup, picks) => {
        const model = faultModelOf(setup);
        const analysis = analyse(setup);
        for (const [formula, risk] of [
          [model.lockedOut, analysis.loss],
          [model.stolen, analysis.theft],
        ] as const) {
          if (risk.probability === undefined) continue;
          const within = model.happenings.map(({ probability: p }, n) =>
            p === undefined ? 0 : p.low + (p.high - p.low) * (picks[n % picks.length] ?? 0.5),
          );
          const { value } = probabilityOf(formula, within);
          expect(value).toBeGreaterThanOrEqual(risk.probability.low - 1e-12);
          expect(value).toBeLessThanOrEqual(risk.probability.high + 1e-12);
          expect(risk.probability.high).toBeLessThanOrEqual(risk.anyDependence! + 1e-12);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('the bound holds when everything comes together: the worst coupling of 2 of 3 reaches it', () => {
    // Each place is lost with 5 %. Coupled so that losses come in pairs, a pair is lost with 3 × 2.5 %.
    const { loss } = analyse(bareSetup(parsePolicy('thresh(2,a,b,c)'), rangeOf(0.05)));
    expect(loss.anyDependence).toBeCloseTo(0.075, 12);
  });

  it('name what has no probability and is counted as never', () => {
    const analysis = analyse(
      parseSetup({ policy: 'thresh(2,a,b,c)', shares: { a: [{ loss: 0.1 }], b: [{ loss: 0.1 }], c: [{}] } }),
    );
    expect(analysis.loss.probability?.unrated.map(({ id }) => id)).toEqual(['loss/c']);
    expect(analysis.loss.probability?.likely).toBeCloseTo(0.01, 12);
    expect(analysis.theft.probability).toBeUndefined();
  });

  it('keep their digits when tiny', () => {
    const policy = parsePolicy(`and(${Array.from({ length: 16 }, (_, n) => `p${n}`).join(',')})`);
    const { theft } = analyse(bareSetup(policy, undefined, rangeOf(1e-3)));
    expect((theft.probability?.likely ?? 0) / 1e-48).toBeCloseTo(1, 9);
  });
});

describe('size', () => {
  const letters = Array.from({ length: 64 }, (_, n) => `p${n}`);

  /** People with devices in homes: 64 parties, 40 events, each striking a whole domain. */
  const household = (policy: string): Setup =>
    parseSetup({
      policy,
      shares: Object.fromEntries(
        letters.map((id, n) => [
          id,
          [
            {
              device: `d${n >> 1}`,
              person: `o${n >> 2}`,
              location: `l${n >> 3}`,
              account: `a${n % 4}`,
              loss: [0.01, 0.05],
              theft: 0.01,
            },
          ],
        ]),
      ),
      events: [
        ...Array.from({ length: 8 }, (_, n) => ['location', `l${n}`]),
        ...Array.from({ length: 16 }, (_, n) => ['person', `o${n}`]),
        ...Array.from({ length: 12 }, (_, n) => ['device', `d${n}`]),
        ...Array.from({ length: 4 }, (_, n) => ['account', `a${n}`]),
      ].map(([kind, name]) => ({
        id: `${kind}-${name}`,
        title: `${kind} ${name} is struck`,
        probability: [0.001, 0.01],
        loses: [`${kind}:${name}`],
        exposes: [`${kind}:${name}`],
      })),
    });

  it.each([
    ['flat', `thresh(40,${letters.join(',')})`],
    [
      'nested',
      `thresh(3,${Array.from({ length: 8 }, (_, g) => `thresh(5,${letters.slice(g * 8, g * 8 + 8).join(',')})`).join(',')})`,
    ],
  ])('64 parties and 40 events, %s, exactly; a sample of cases agrees', (_, policy) => {
    const setup = household(policy);
    expect(setup.events).toHaveLength(40);
    const analysis = analyse(setup);
    const { low = 0, likely = 0, high = 0 } = analysis.loss.probability ?? {};
    expect(low).toBeGreaterThan(0);
    expect(likely).toBeGreaterThan(low);
    expect(high).toBeGreaterThan(likely);
    // Conditioning by hand on the four accounts, which cross everything else, must give the same sum.
    const model = faultModelOf(setup);
    const accounts = [...model.happenings.keys()].filter((n) =>
      model.happenings[n]!.event?.startsWith('account'),
    );
    const chances = chancesOf(model);
    const sum = subsets(accounts).reduce((total, set) => {
      const fixed = chances.map((p, n) => (accounts.includes(n) ? (set.includes(n) ? 1 : 0) : p));
      const weight = accounts.reduce((w, n) => w * (set.includes(n) ? chances[n]! : 1 - chances[n]!), 1);
      return total + weight * probabilityOf(model.lockedOut, fixed).value;
    }, 0);
    expect(likely / sum).toBeCloseTo(1, 9);
  });

  it('events that strike at random are refused rather than guessed', () => {
    const events = letters.slice(0, 40).map((id, n) => ({
      id: `e-${id}`,
      title: 'something strikes',
      probability: 0.01,
      loses: Array.from({ length: 16 }, (_, k) => `share:p${(n * 17 + k * k * 7 + n * n * k) % 64}`),
    }));
    const setup = parseSetup({
      policy: `thresh(32,${letters.join(',')})`,
      shares: Object.fromEntries(letters.map((id) => [id, [{ loss: 0.05 }]])),
      events,
    });
    const { loss, events: outcomes } = analyse(setup);
    expect(loss).toMatchObject({ probability: undefined, tooEntangled: true });
    expect(loss.anyDependence).toBeGreaterThan(0);
    expect(outcomes).toHaveLength(40);
  });
});

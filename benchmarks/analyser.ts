/**
 * What the analyser costs: processor time of the whole analysis, cold (first run in the process) and warm (median
 * of five). Processor time, so that other work on the machine does not count; on an idle one it is the wait.
 *
 *     npm run bench -- analyser [--json]
 *
 * The large setups have 64 parties and 40 events. In the households each event strikes a whole domain, and the
 * accounts cross all homes; in the random ones each event strikes parties picked anywhere.
 */
import {
  allAnswers,
  analyse,
  parseSetup,
  presets,
  printAnswers,
  propose,
  type Setup,
  type SetupInput,
} from '@keepset/access';

const names = Array.from({ length: 64 }, (_, n) => `p${n}`);
const flat = (threshold: number): string => `thresh(${threshold},${names.join(',')})`;
const groups = (size: number, threshold: number): readonly string[] =>
  Array.from(
    { length: 64 / size },
    (_, at) => `thresh(${threshold},${names.slice(at * size, (at + 1) * size).join(',')})`,
  );

/** 64 devices, two to a device shelf, four to a person, eight to a home, spread over four accounts. */
const household = (policy: string): Setup => {
  const domains = [
    ...Array.from({ length: 8 }, (_, n) => `location:l${n}`),
    ...Array.from({ length: 16 }, (_, n) => `person:o${n}`),
    ...Array.from({ length: 12 }, (_, n) => `device:d${n}`),
    ...Array.from({ length: 4 }, (_, n) => `account:a${n}`),
  ];
  return large(
    policy,
    domains.map((domain) => [domain]),
  );
};

/** Events that each strike `size` parties anywhere, from a fixed seed. */
const random = (policy: string, size: number): Setup => {
  let state = 1;
  const next = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  return large(
    policy,
    Array.from({ length: 40 }, () => Array.from({ length: size }, () => `share:p${Math.floor(next() * 64)}`)),
  );
};

const large = (policy: string, events: readonly (readonly string[])[]): Setup => {
  const input: SetupInput = {
    policy,
    shares: Object.fromEntries(
      names.map((name, n) => [
        name,
        [
          {
            device: `d${n >> 1}`,
            person: `o${n >> 2}`,
            location: `l${n >> 3}`,
            account: `a${n % 4}`,
            loss: [0.01, 0.05],
            theft: [0.001, 0.01],
          },
        ],
      ]),
    ),
    events: events.map((selectors, n) => ({
      id: `e${n}`,
      title: `event ${n} strikes`,
      probability: [0.001, 0.01],
      loses: [...selectors],
      exposes: [...selectors],
    })),
  };
  return parseSetup(input);
};

const isExact = (setup: Setup): boolean => {
  const { loss, theft } = analyse(setup);
  return !loss.tooEntangled && !theft.tooEntangled;
};

/** A case's work says whether every probability came out exactly. */
const cases: readonly (readonly [name: string, work: () => boolean])[] = [
  ...(
    [
      ['household, 40 of 64', household(flat(40))],
      ['household, 2 of 64', household(flat(2))],
      ['household, 3 of 8 groups, 5 of 8 each', household(`thresh(3,${groups(8, 5).join(',')})`)],
      ['household, all of 16 groups, 1 of 4 each', household(`and(${groups(4, 1).join(',')})`)],
      ['random pairs, 32 of 64', random(flat(32), 2)],
      ['random triples, 60 of 64', random(flat(60), 3)],
      ['random sixes, 62 of 64', random(flat(62), 6)],
    ] as const
  ).map(([name, setup]) => [name, () => isExact(setup)] as const),
  [
    'all presets, both forms',
    () => presets.every(({ original, corrected }) => isExact(original) && isExact(corrected)),
  ],
  ['wizard, all 27 answers', () => allAnswers.every((answers) => propose(printAnswers(answers)).reached)],
];

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const timed = (work: () => unknown): number => {
  const begin = processorMs();
  work();
  return processorMs() - begin;
};

const measure = (work: () => unknown): { readonly cold: number; readonly warm: number } => {
  const cold = timed(work);
  const warm = Array.from({ length: 5 }, () => timed(work)).toSorted((a, b) => a - b)[2] ?? cold;
  return { cold, warm };
};

// `exact` is worked out after the cold run.
const results = cases.map(([name, work]) => ({ name, ...measure(work), exact: work() }));

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ milliseconds: results })}\n`);
else
  for (const { name, cold, warm, exact } of results)
    process.stdout.write(
      `${name.padEnd(44)} ${cold.toFixed(0).padStart(6)} ms cold ${warm.toFixed(0).padStart(6)} ms warm${exact ? '' : '  (not every probability exact)'}\n`,
    );

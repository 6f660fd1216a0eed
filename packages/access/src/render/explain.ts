import type { Analysis } from '../analysis/analyse.ts';
import type { EventOutcome, Outcome } from '../analysis/outcomes.ts';
import type { Risk, RiskProbability, Scenario } from '../analysis/risk.ts';
import type { PartySets } from '../analysis/tolerance.ts';
import {
  bullet,
  counted,
  indented,
  lineWidth,
  listed,
  oddsOf,
  scientific,
  tableLines,
  wrap,
} from './text.ts';

/** What the analyser found, as lines of at most 80 columns. */
export const explainLines = (analysis: Analysis): readonly string[] => [
  ...wrap(analysis.policy),
  '',
  ...figureLines(analysis),
  '',
  ...minimumLines(analysis),
  '',
  ...setLines('Can sign together:', analysis.minimalQuorums),
  '',
  ...setLines('Nobody can sign once these are gone together:', analysis.minimalCuts),
  ...matrixLines(analysis),
  ...domainLines(analysis),
  ...scenarioLines('How you could be locked out', analysis.loss),
  ...scenarioLines('How somebody else could come to sign', analysis.theft),
  ...sensitivityLines(analysis),
];

/** Both tolerances and both probabilities. */
export const figureLines = (analysis: Analysis): readonly string[] => [
  ...toleranceLines(analysis),
  ...riskLines(analysis),
];

const toleranceLines = ({ lossTolerance, theftTolerance, places }: Analysis): readonly string[] => [
  `Loss tolerance   ${counted(lossTolerance, 'party', 'parties')}, ${counted(places.loss, 'single place', 'single places')}`,
  `Theft tolerance  ${counted(theftTolerance, 'party', 'parties')}, ${counted(places.theft, 'single place', 'single places')}`,
];

const riskLines = ({ loss, theft }: Analysis): readonly string[] =>
  (
    [
      ['Locked out      ', loss],
      ['Stolen          ', theft],
    ] as const
  ).flatMap(([label, { probability, anyDependence, tooEntangled }]) => [
    ...(probability === undefined ? [] : probabilityLines(label, probability)),
    ...(tooEntangled ? [`${label} too many events strike across one another for an exact figure`] : []),
    ...(anyDependence !== undefined && anyDependence < 1
      ? [`${' '.repeat(17)}at most ${scientific(anyDependence)} if chances come together`]
      : []),
  ]);

const probabilityLines = (
  label: string,
  { low, likely, high, unrated }: RiskProbability,
): readonly string[] => {
  const range = low === high ? '' : `, range ${scientific(low)} to ${scientific(high)}`;
  const missing = `Without a probability, and counted as never: ${listed(unrated.map(({ id }) => id))}.`;
  return [`${label} ${oddsOf(likely)}${range}`, ...(unrated.length > 0 ? indented(missing, 17) : [])];
};

/** The credible minimum, met or with what it lacks, and what the minimum does not ask for. */
export const minimumLines = ({ credibleMinimum, events }: Analysis): readonly string[] => {
  if (!credibleMinimum.met)
    return ['Below the credible minimum:', ...credibleMinimum.shortfalls.flatMap((line) => bullet(line))];
  const fatal = events.filter(({ key }) => key.lost);
  return [
    ...wrap(
      `Credible minimum met: no party${events.length === 0 ? ' or place' : ', place or listed event'} alone lets anyone sign, and no party or place alone loses the key.`,
    ),
    ...(events.length === 0 ? ['No events are listed.'] : []),
    ...(fatal.length === 0
      ? []
      : ['Yet an event can:', ...fatal.flatMap(({ title }) => bullet(`If ${title}, nobody can sign.`))]),
  ];
};

const shownSets = 12;

const setLines = (title: string, { sets, total }: PartySets): readonly string[] => [
  title,
  ...sets.slice(0, shownSets).flatMap((set) => bullet(listed(set))),
  ...(total > BigInt(Math.min(sets.length, shownSets))
    ? [`  and ${total - BigInt(Math.min(sets.length, shownSets))} more`]
    : []),
];

const short: Readonly<Record<Outcome, string>> = { safe: '.', degraded: 'd', 'locked out': 'L', stolen: 'S' };

/** The share × event matrix: words while they fit, then letters, then counts. */
export const matrixLines = ({ events, parties }: Analysis): readonly string[] => {
  if (events.length === 0) return [];
  const isWordy = parties.length <= 4;
  const isLettered = parties.length <= 12;
  const cell = ({ outcome, lost, leaked }: EventOutcome['key']): string => {
    const both = lost && leaked;
    if (isWordy) return both ? 'stolen, lost' : outcome;
    return both ? 'SL' : short[outcome];
  };
  const head = isLettered ? ['If', ...parties, 'key'] : ['If', 'shares', 'key'];
  const striking = events.filter(({ key }) => key.outcome !== 'safe');
  const idle = events.filter(({ key }) => key.outcome === 'safe');
  const rows = striking.map(({ title, shares, key }) => [
    title,
    ...(isLettered ? shares.map(cell) : [summary(shares)]),
    isWordy ? cell(key) : key.lost && key.leaked ? 'stolen, locked out' : key.outcome,
  ]);
  return [
    '',
    'What each event does:',
    ...(rows.length > 0 ? tableLines({ head, rows }) : ['  Nothing.']),
    ...(idle.length > 0 ? wrap(`No effect: ${idle.map(({ title }) => title).join('; ')}.`) : []),
    ...(isWordy || !isLettered ? [] : wrap('. safe, d some copy lost, L all copies lost, S in another hand')),
  ];
};

const summary = (shares: EventOutcome['shares']): string => {
  const parts = (['degraded', 'locked out', 'stolen'] as const).flatMap((outcome) => {
    const n = shares.filter((share) => share.outcome === outcome).length;
    return n === 0 ? [] : [`${n} ${outcome}`];
  });
  return parts.length === 0 ? 'all safe' : parts.join(', ');
};

const domainLines = ({ domains }: Analysis): readonly string[] =>
  domains.length === 0
    ? []
    : [
        '',
        'All at once in one place:',
        ...domains.flatMap(({ domain, locksOut, steals }) => [
          ...(locksOut ? bullet(`If ${domain} is gone, nobody can sign.`) : []),
          ...(steals ? bullet(`Whoever has ${domain} can sign.`) : []),
        ]),
      ];

const shownScenarios = 6;

const scenarioLines = (title: string, { scenarios, scenarioCount }: Risk): readonly string[] => {
  if (scenarios.length === 0) return [];
  const shown = scenarios.toSorted((a, b) => chanceOf(b) - chanceOf(a)).slice(0, shownScenarios);
  const rest = scenarioCount === undefined ? undefined : scenarioCount - BigInt(shown.length);
  return [
    '',
    `${title}:`,
    ...shown.flatMap((scenario) => bullet(listed(scenario.map((happening) => happening.title)))),
    ...(rest === 0n
      ? []
      : [`  and ${rest === undefined ? 'more than can be counted' : `${rest} ways more`}`]),
  ];
};

/** Likeliest first; without probabilities the order stays, smallest first. */
const chanceOf = (scenario: Scenario): number =>
  scenario.reduce((chance, { probability }) => chance * (probability?.likely ?? 0), 1);

const shownSensitivities = 5;

const sensitivityLines = ({ loss, theft }: Analysis): readonly string[] => {
  const rows = (
    [
      ['loss', loss],
      ['theft', theft],
    ] as const
  ).flatMap(([end, { probability }]) =>
    (probability?.sensitivity ?? [])
      .slice(0, shownSensitivities)
      .filter(({ removable }) => removable > 0)
      .map(({ happening, removable, atLow, atHigh }) => [
        happening.title,
        end,
        scientific(removable),
        atLow === atHigh ? '-' : `${scientific(atLow)} to ${scientific(atHigh)}`,
      ]),
  );
  if (rows.length === 0) return [];
  return [
    '',
    'What matters most:',
    ...tableLines({ head: ['That', 'end', 'would go', 'over its range'], rows }, lineWidth),
  ];
};

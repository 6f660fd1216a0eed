import type { SimulatedStep } from '../advice/simulate.ts';
import type { Standing, Suggestion } from '../advice/suggest.ts';
import type { Comparison } from '../advice/tables.ts';
import { printPolicy } from '../policy.ts';
import type { PresetFacts } from '../setup/presets.ts';
import type { Setup } from '../setup/setup.ts';
import type { Floor } from '../wizard/floor.ts';
import type { Proposal } from '../wizard/wizard.ts';
import { figureLines, matrixLines, minimumLines } from './explain.ts';
import { bullet, counted, listed, scientific, sentence, tableLines, wrap } from './text.ts';

/** Setups side by side, at most 80 columns: what they stand, then what decides over each. */
export const comparisonLines = (rows: readonly Comparison[]): readonly string[] => [
  ...tableLines({
    head: ['Setup', 'policy', 'parties', 'places', 'P(loss)', 'P(theft)', 'minimum'],
    rows: rows.map((row) => [
      row.name,
      row.policy,
      lostAndStolen(row.lossTolerance, row.theftTolerance),
      lostAndStolen(row.places.loss, row.places.theft),
      row.loss === undefined ? '-' : scientific(row.loss.likely),
      row.theft === undefined ? '-' : scientific(row.theft.likely),
      row.credibleMinimum ? 'met' : 'below',
    ]),
  }),
  'parties, places: how many of them, whichever, may be lost / stolen',
  '',
  ...tableLines({
    head: ['Setup', 'needs', 'alone enough', 'locked out by', 'stolen by', 'offline'],
    rows: rows.map((row) => [
      row.name,
      orDash(row.singlePointsOfFailure),
      orDash(row.singlePointsOfCompromise),
      orDash(row.lockedOutBy),
      orDash(row.stolenBy),
      row.offlineRecovery ? 'yes' : 'no',
    ]),
  }),
];

const lostAndStolen = (loss: number, theft: number): string =>
  [loss, theft].map((count) => (Number.isFinite(count) ? count : 'all')).join(' / ');

const orDash = (names: readonly string[]): string => (names.length === 0 ? '-' : names.join(', '));

/** Which preset is explained, and what its corrected form changes. */
export const presetLines = ({ id, title, corrected, changes }: PresetFacts): readonly string[] => [
  ...wrap(`${title}${corrected ? ', corrected. What was changed:' : ', as originally recommended.'}`),
  ...(corrected
    ? changes.flatMap((change) => bullet(change))
    : wrap(`Its corrected form: keepset policy explain --preset ${id} --corrected`)),
];

/** A simulation, step by step. */
export const simulationLines = (steps: readonly SimulatedStep[]): readonly string[] =>
  steps.flatMap((step, at) => [
    ...(at > 0 ? [''] : []),
    ...wrap(`${at + 1}. ${sentence(step.title)}`),
    ...tableLines({
      head: ['share', 'outcome', 'copies left'],
      rows: step.shares.map((share) => [
        share.party,
        share.lost && share.leaked ? 'stolen, lost' : share.outcome,
        `${share.copies - share.copiesLost} of ${share.copies}`,
      ]),
    }),
    ...bullet(
      step.quorum === undefined ? 'You cannot sign any more.' : `You can sign with ${listed(step.quorum)}.`,
    ),
    ...(step.thiefNeeds.length === 0
      ? []
      : bullet(`Somebody else would still need ${listed(step.thiefNeeds)}.`)),
    ...step.advice.flatMap((line) => bullet(line)),
  ]);

/** Suggestions, best first. */
export const suggestionLines = (suggestions: readonly Suggestion[]): readonly string[] =>
  suggestions.length === 0
    ? ['No single change makes this better.']
    : suggestions.flatMap(({ title, before, after }, at) => [
        ...(at > 0 ? [''] : []),
        ...wrap(`${at + 1}. ${title}`),
        ...tableLines({
          head: ['', 'P(loss)', 'P(theft)', 'loss tol.', 'theft tol.', 'fatal events', 'minimum'],
          rows: [standingRow('now', before), standingRow('then', after)],
        }),
      ]);

const standingRow = (label: string, standing: Standing): readonly string[] => [
  label,
  standing.loss === undefined ? '-' : scientific(standing.loss),
  standing.theft === undefined ? '-' : scientific(standing.theft),
  String(standing.lossTolerance),
  String(standing.theftTolerance),
  String(standing.fatalEvents),
  standing.credibleMinimum ? 'met' : 'below',
];

const floorEvents: Readonly<Record<Floor['events'], string>> = {
  anything: '',
  'no theft': ', and no listed event alone lets anyone else sign',
  neither: ', and no listed event alone decides',
};

/** What the wizard proposes. */
export const proposalLines = ({
  answers,
  floor,
  reached,
  missing,
  wouldReach,
  setup,
  analysis,
  needs,
}: Proposal): readonly string[] => [
  `Answers ${answers}`,
  ...wrap(
    `Floor: ${counted(floor.loss, 'loss', 'losses')} and ${counted(floor.theft, 'theft', 'thefts')} tolerated${floorEvents[floor.events]}.`,
  ),
  '',
  ...(reached
    ? [`Proposal: ${analysis.policy}`]
    : [
        'The floor is not reached with these answers. Missing:',
        ...missing.flatMap((line) => bullet(line)),
        ...wrap(
          wouldReach.length === 0
            ? 'None was found with other answers to the second and third question either.'
            : `It would be with ${listed(wouldReach, 'or')}.`,
        ),
        '',
        `The best found: ${analysis.policy}`,
      ]),
  '',
  ...copiesTable('share', setup.shares),
  '',
  ...copiesTable('secret', setup.secrets),
  ...(needs.length === 0 ? [] : ['', 'To do:', ...needs.flatMap((line) => bullet(line))]),
  '',
  ...figureLines(analysis),
  '',
  ...minimumLines(analysis),
  ...matrixLines(analysis),
];

/** Where each copy is and what must be known to use it. */
const copiesTable = (holder: string, held: Setup['shares']): readonly string[] =>
  tableLines({
    head: [holder, 'copy', 'kind', 'where', 'opens with'],
    rows: [...held].flatMap(([name, copies]) =>
      copies.map((copy) => [
        name,
        copy.id,
        copy.kind ?? '-',
        copy.location ?? copy.account ?? copy.device ?? copy.person ?? '-',
        copy.unlock === undefined ? '-' : printPolicy(copy.unlock),
      ]),
    ),
  });

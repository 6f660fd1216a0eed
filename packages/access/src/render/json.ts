import type { Comparison } from '../advice/tables.ts';
import type { Analysis } from '../analysis/analyse.ts';
import type { Risk } from '../analysis/risk.ts';

/** The analysis as plain JSON. Counts that may be large are decimal strings; an unlimited tolerance is null. */
export const analysisToJson = (analysis: Analysis): Readonly<Record<string, unknown>> => ({
  policy: analysis.policy,
  parties: analysis.parties,
  lossTolerance: analysis.lossTolerance,
  theftTolerance: analysis.theftTolerance,
  placeLossTolerance: finite(analysis.places.loss),
  placeTheftTolerance: finite(analysis.places.theft),
  minimalQuorums: analysis.minimalQuorums.sets,
  minimalQuorumCount: String(analysis.minimalQuorums.total),
  minimalCuts: analysis.minimalCuts.sets,
  minimalCutCount: String(analysis.minimalCuts.total),
  singlePointsOfFailure: analysis.singlePointsOfFailure,
  singlePointsOfCompromise: analysis.singlePointsOfCompromise,
  credibleMinimum: analysis.credibleMinimum.met,
  shortfalls: analysis.credibleMinimum.shortfalls,
  events: analysis.events,
  domains: analysis.domains,
  ...riskToJson('loss', analysis.loss),
  ...riskToJson('theft', analysis.theft),
});

/** A row of a comparison as plain JSON, in the same way. */
export const comparisonToJson = ({
  quorums,
  places,
  ...row
}: Comparison): Readonly<Record<string, unknown>> => ({
  ...row,
  placeLossTolerance: finite(places.loss),
  placeTheftTolerance: finite(places.theft),
  quorums: String(quorums),
});

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const riskToJson = (end: 'loss' | 'theft', risk: Risk): Readonly<Record<string, unknown>> => ({
  [`${end}Scenarios`]: risk.scenarios.map((scenario) => scenario.map(({ id, title }) => ({ id, title }))),
  [`${end}ScenarioCount`]: risk.scenarioCount === undefined ? null : String(risk.scenarioCount),
  ...(risk.anyDependence === undefined
    ? {}
    : { [`${end}ProbabilityAnyDependence`]: risk.anyDependence, [`${end}TooEntangled`]: risk.tooEntangled }),
  ...(risk.probability === undefined
    ? {}
    : {
        [`${end}Probability`]: risk.probability.likely,
        [`${end}ProbabilityRange`]: [risk.probability.low, risk.probability.high],
        [`${end}Unrated`]: risk.probability.unrated.map(({ id }) => id),
        [`${end}Sensitivity`]: risk.probability.sensitivity.map(({ happening, ...figures }) => ({
          id: happening.id,
          title: happening.title,
          ...figures,
        })),
      }),
});

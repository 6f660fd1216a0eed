export {
  asFlatThreshold,
  dualOf,
  leavesOf,
  normalise,
  parties,
  printPolicy,
  type FlatThreshold,
  type Gate,
  type PartyName,
  type Policy,
} from './policy.ts';
export {
  parsePolicy,
  policyLimits,
  tryParsePolicy,
  type ParsedPolicy,
  type ParseOptions,
  type PolicyProblem,
} from './parse.ts';
export { countMinimalQuorums, isQuorum, minimalQuorums, smallestAdditions } from './quorum.ts';
export {
  rangeOf,
  type Copy,
  type Domain,
  type Range,
  type RiskEvent,
  type Selector,
  type Setup,
  type Way,
} from './setup/setup.ts';
export {
  analysisParties,
  bareSetup,
  checkSetup,
  parseEvents,
  parseSetup,
  type CopyInput,
  type EventInput,
  type ProbabilityInput,
  type SetupInput,
} from './setup/parse-setup.ts';
export { printSetup } from './setup/print-setup.ts';
export { eventLibrary, placeEvent } from './setup/events.ts';
export { analyse, type Analysis, type CredibleMinimum } from './analysis/analyse.ts';
export type { Happening } from './analysis/faults.ts';
export type { Damage, DomainOutcome, EventOutcome, Outcome, ShareDamage } from './analysis/outcomes.ts';
export type { Risk, RiskProbability, Scenario, Sensitivity } from './analysis/risk.ts';
export type { PartySets, PlaceTolerance, PolicyFacts } from './analysis/tolerance.ts';
export {
  helpersOf,
  reconstruction,
  repairing,
  sharingMatrix,
  targetInSpan,
  type Coefficient,
  type SharingMatrix,
  type SharingRow,
  type SharingStep,
} from './sharing.ts';
export {
  inKeychain,
  onIpad,
  onPaper,
  onPhone,
  onServer,
  onStick,
  setupOf,
  type ServerRule,
} from './setup/places.ts';
export { presets, type Preset, type PresetFacts } from './setup/presets.ts';
export {
  allAnswers,
  parseAnswers,
  printAnswers,
  questions,
  type Answers,
  type Letter,
  type Question,
} from './wizard/answers.ts';
export { floors, type Floor } from './wizard/floor.ts';
export { propose, type Proposal, type ProposeOptions } from './wizard/wizard.ts';
export { suggest, type Standing, type SuggestOptions, type Suggestion } from './advice/suggest.ts';
export { simulate, type SimulatedStep } from './advice/simulate.ts';
export { backupTable, compare, presetTable, strategyTable, type Comparison } from './advice/tables.ts';
export { explainLines, minimumLines } from './render/explain.ts';
export {
  comparisonLines,
  presetLines,
  proposalLines,
  simulationLines,
  suggestionLines,
} from './render/advice.ts';
export { analysisToJson, comparisonToJson } from './render/json.ts';
export { bullet, wrap } from './render/text.ts';
export { policySvg } from './render/svg.ts';

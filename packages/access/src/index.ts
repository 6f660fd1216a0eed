export {
  asFlatThreshold,
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

export {
  observe,
  proofOf,
  proofs,
  type CopyEvidence,
  type CopyKind,
  type Observation,
  type Proof,
} from './evidence.ts';
export {
  copyState,
  dueAfterDays,
  type CopyRecord,
  type CopyState,
  type Reach,
  type Sharing,
} from './state.ts';
export { protectionOf, type Holding, type Protection, type Shortfall } from './protection.ts';

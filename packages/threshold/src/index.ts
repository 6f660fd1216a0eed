export { assembleKey } from './assemble.ts';
export { startMachine } from './machine.ts';
export type { Finished, PartyId, ProtocolMessage, Running, Step } from './machine.ts';
export { keyIdOf, schemes, type GroupKey, type KeyShare, type Scheme } from './key.ts';
export {
  keygenContext,
  signContext,
  systemRng,
  type Digest,
  type KeygenParams,
  type Rng,
  type SignParams,
  type SignRequest,
  type TaprootTweak,
} from './ceremony.ts';
export {
  protocolFor,
  supportedSchemes,
  type OpeningProtocol,
  type PresigningProtocol,
  type SchemeProtocol,
} from './schemes.ts';
export type { OpeningChallenge } from './ecdh/challenge.ts';
export { openContext, type OpenParams, type OpenedPoint } from './ecdh/open.ts';
export {
  decodePresignature,
  encodePresignature,
  type PresignParams,
  type Presignature,
  type PresignedParams,
} from './ecdsa/presign.ts';
export {
  refreshContext,
  repairContext,
  reshareContext,
  type RefreshParams,
  type RepairParams,
  type Reshared,
  type ReshareParams,
  type Sharing,
} from './life/ceremony.ts';
export { deriveGroup } from './life/derive.ts';
export { xpub, type Network } from './life/xpub.ts';
export { taprootOutputKey } from './frost/suites.ts';
export { checkHelpers, checkQuorum, idleMembers, readSharing, type KeySharing } from './sharing.ts';
export { checkedShare, decodeKeyShare, encodeKeyShare, groupFields, groupSchema } from './codec.ts';

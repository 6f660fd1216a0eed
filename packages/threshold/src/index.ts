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
export { protocolFor, supportedSchemes, type PresigningProtocol, type SchemeProtocol } from './schemes.ts';
export {
  decodePresignature,
  encodePresignature,
  type PresignParams,
  type Presignature,
  type PresignedParams,
} from './ecdsa/presign.ts';
export { taprootOutputKey } from './frost/suites.ts';
export { checkedShare, decodeKeyShare, encodeKeyShare, groupFields } from './codec.ts';

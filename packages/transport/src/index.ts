export type { KitNotes, PartyTransport } from './port.ts';
export { openChannel, type Channel, type ChannelResponse, type ServerAddress } from './http/channel.ts';
export {
  clockTolerance,
  enrol,
  httpTransport,
  mediaType,
  receivedHeaders,
  type HttpClientOptions,
  type HttpTransport,
  type Traffic,
} from './http/client.ts';
export { parseInvite, printInvite, type Invite } from './http/invite.ts';
export { authKeyId, authPublicKey, generateAuthKey, softwareSigner, verifierFor } from './http/keys.ts';
export {
  readSignature,
  signRequest,
  signResponse,
  signatureBytes,
  verifyRequest,
  verifyResponse,
  type MessageSigner,
  type MessageVerifier,
  type ReceivedHeaders,
  type SignableRequest,
  type SignableResponse,
  type SignatureClaim,
  type SignatureHeaders,
  type SigningMoment,
} from './http/signatures.ts';

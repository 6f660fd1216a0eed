/** The messages between a device and Party 1: one request and one answer for each step of a session. */
import * as v from 'valibot';
import { bytesBetween, bytesOfLength, integerBetween, type CborValue, type Schema } from '@keepset/bytes';
import { groupFields, type ProtocolMessage, type SignRequest } from '@keepset/threshold';
import {
  decodeMessage,
  encodeMessage,
  keyIdText,
  maxMessageBytes,
  partyName,
  protocolMessage,
  sessionStart,
  withoutUndefined,
  type SessionStart,
} from './protocol.ts';

/** A point of the audit log's growth that a device has seen. */
export interface LogHead {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** Proof that Party 1 wrote an act into its log before it released its part. */
export interface LogEvidence {
  /** The log entry itself, canonical CBOR. */
  readonly record: Uint8Array;
  /** The salt under which the entry hides tenant, key and session. */
  readonly salt: Uint8Array;
  readonly index: number;
  /** C2SP signed checkpoint, text. */
  readonly checkpoint: string;
  /** Inclusion proof of the entry in the checkpoint's tree. */
  readonly inclusion: readonly Uint8Array[];
  /** Consistency proof from the {@link LogHead} named in the request; empty when none was named. */
  readonly consistency: readonly Uint8Array[];
}

/** A sealed message between two devices of a session; the server passes it on unread. */
export interface RelayedBlob {
  /** The other party: recipient in a request, sender in an answer. */
  readonly party: string;
  readonly sealed: Uint8Array;
}

/** One step of a session, sent by a device. */
export interface StepRequest {
  /** 32 random bytes chosen by the initiator. */
  readonly session: Uint8Array;
  /** The party this device speaks for; may be left out where only one device takes part. */
  readonly party?: string;
  /** Counts this device's requests in the session, from 1. A repeat of the same step with the same bytes gets the same answer. */
  readonly step: number;
  /** With step 1 only. */
  readonly start?: SessionStart;
  /** Messages to Party 1. */
  readonly messages: readonly ProtocolMessage[];
  /** Sealed messages to other devices. */
  readonly relay?: readonly RelayedBlob[];
  /** The newest log head this device has verified. */
  readonly head?: LogHead;
}

/** What Party 1 answers to a step. */
export interface StepResponse {
  readonly session: Uint8Array;
  readonly step: number;
  /** `open`: more steps follow. `committed`: Party 1 has made its part durable. */
  readonly state: 'open' | 'committed';
  /** Messages from Party 1 that this device has not had yet; none when there is nothing new. */
  readonly messages: readonly ProtocolMessage[];
  /** Sealed messages from other devices. */
  readonly relay?: readonly RelayedBlob[];
  /** Present once the session is written into the log. */
  readonly evidence?: LogEvidence;
}

/** What became of a session. `void` is final: Party 1 will never complete it. */
export interface SessionOutcome {
  readonly session: Uint8Array;
  readonly state: 'committed' | 'void';
  /** Only when committed: the key it made or signed with. */
  readonly keyId?: string;
  /** Only when committed: proof of the session's log entry. */
  readonly evidence?: LogEvidence;
}

/** Asks what became of a session, or for a key to be frozen. */
export interface ResolveRequest {
  /** The newest log head this device has verified. */
  readonly head?: LogHead;
}

const hashes: Schema<Uint8Array[]> = v.pipe(v.array(bytesOfLength(32)), v.maxLength(64));
const logHead: Schema<LogHead> = v.strictObject({
  size: integerBetween(0, Number.MAX_SAFE_INTEGER),
  root: bytesOfLength(32),
});
export const logEvidence: Schema<LogEvidence> = v.strictObject({
  record: bytesBetween(1, 65536),
  salt: bytesOfLength(32),
  index: integerBetween(0, Number.MAX_SAFE_INTEGER),
  checkpoint: v.pipe(v.string(), v.maxLength(65536)),
  inclusion: hashes,
  consistency: hashes,
});
const messages: Schema<ProtocolMessage[]> = v.pipe(v.array(protocolMessage), v.maxLength(256));
const step: Schema<number> = integerBetween(1, 1000);
const relay: Schema<RelayedBlob[]> = v.pipe(
  v.array(v.strictObject({ party: partyName, sealed: bytesBetween(1, maxMessageBytes) })),
  v.minLength(1),
  v.maxLength(64),
);

const stepRequest: Schema<StepRequest> = v.pipe(
  v.strictObject({
    session: bytesOfLength(32),
    step,
    party: v.optional(partyName),
    start: v.optional(sessionStart),
    messages,
    relay: v.optional(relay),
    head: v.optional(logHead),
  }),
  v.transform((value) => withoutUndefined(value) as StepRequest),
);
const stepResponse: Schema<StepResponse> = v.pipe(
  v.strictObject({
    session: bytesOfLength(32),
    step,
    state: v.picklist(['open', 'committed']),
    messages,
    relay: v.optional(relay),
    evidence: v.optional(logEvidence),
  }),
  v.transform((value) => withoutUndefined(value) as StepResponse),
);
const resolveRequest: Schema<ResolveRequest> = v.pipe(
  v.strictObject({ head: v.optional(logHead) }),
  v.transform((value) => withoutUndefined(value) as ResolveRequest),
);
const sessionOutcome: Schema<SessionOutcome> = v.pipe(
  v.strictObject({
    session: bytesOfLength(32),
    state: v.picklist(['committed', 'void']),
    keyId: v.optional(keyIdText),
    evidence: v.optional(logEvidence),
  }),
  v.transform((value) => withoutUndefined(value) as SessionOutcome),
);

const requestFields = (request: SignRequest): { readonly [key: string]: CborValue | undefined } => ({
  message: request.message,
  digest: request.digest,
  taproot: request.taproot === undefined ? undefined : { merkleRoot: request.taproot.merkleRoot },
  path: request.path === undefined || request.path.length === 0 ? undefined : request.path,
});

/** A session's start as CBOR fields. */
export const startFields = (start: SessionStart): CborValue => {
  if (start.kind === 'sign') return { ...start, request: requestFields(start.request) };
  if (start.kind !== 'reshare') return { ...start };
  return { ...start, key: start.key === undefined ? undefined : groupFields(start.key) };
};

const relayFields = (blobs: readonly RelayedBlob[] | undefined): CborValue | undefined =>
  blobs === undefined || blobs.length === 0 ? undefined : blobs.map((blob) => ({ ...blob }));

/** @throws KeepsetError `wire/too-large` */
export const encodeStepRequest = (request: StepRequest): Uint8Array =>
  encodeMessage('step', {
    session: request.session,
    step: request.step,
    party: request.party,
    start: request.start === undefined ? undefined : startFields(request.start),
    messages: request.messages.map((message) => ({ ...message })),
    relay: relayFields(request.relay),
    head: request.head === undefined ? undefined : { ...request.head },
  });

/** @throws KeepsetError of family `wire/` */
export const decodeStepRequest = (bytes: Uint8Array): StepRequest =>
  decodeMessage('step', stepRequest, bytes);

/** @throws KeepsetError `wire/too-large` */
export const encodeStepResponse = (response: StepResponse): Uint8Array =>
  encodeMessage('step-result', {
    session: response.session,
    step: response.step,
    state: response.state,
    messages: response.messages.map((message) => ({ ...message })),
    relay: relayFields(response.relay),
    evidence: response.evidence === undefined ? undefined : { ...response.evidence },
  });

/** @throws KeepsetError of family `wire/` */
export const decodeStepResponse = (bytes: Uint8Array): StepResponse =>
  decodeMessage('step-result', stepResponse, bytes);

export const encodeSessionOutcome = (outcome: SessionOutcome): Uint8Array =>
  encodeMessage('session-outcome', {
    ...outcome,
    evidence: outcome.evidence === undefined ? undefined : { ...outcome.evidence },
  });

export const encodeResolveRequest = ({ head }: ResolveRequest): Uint8Array =>
  encodeMessage('resolve', { head: head === undefined ? undefined : { ...head } });

/** @throws KeepsetError of family `wire/` */
export const decodeResolveRequest = (bytes: Uint8Array): ResolveRequest =>
  decodeMessage('resolve', resolveRequest, bytes);

/** @throws KeepsetError of family `wire/` */
export const decodeSessionOutcome = (bytes: Uint8Array): SessionOutcome =>
  decodeMessage('session-outcome', sessionOutcome, bytes);

/** Messages about who talks to Party 1: enrolment, keys, server identity. */
import * as v from 'valibot';
import { bytesBetween, bytesOfLength, integerBetween, type Schema } from '@keepset/bytes';
import type { Scheme } from '@keepset/threshold';
import { decodeMessage, encodeMessage, keyIdText, partyName, schemeName } from './protocol.ts';

/** A device asks to be enrolled. The request is signed with the key it names, which proves possession. */
export interface EnrolRequest {
  /** One-time code. */
  readonly code: string;
  /** Compressed P-256 point, 33 bytes. */
  readonly publicKey: Uint8Array;
  /** The party this device will be, by default. */
  readonly party: string;
}

/** What the server answers: everything the device pins from now on. */
export interface EnrolResponse {
  readonly tenant: string;
  readonly device: string;
  /** The server's own party name. */
  readonly serverParty: string;
  /** Key that signs the server's answers: compressed P-256 point. */
  readonly serverKey: Uint8Array;
  /** C2SP verifier key of the audit log. */
  readonly logKey: string;
}

/** Party 1's view of a key. */
export interface KeySummary {
  readonly keyId: string;
  readonly scheme: Scheme;
  readonly epoch: number;
  readonly policy: string;
  readonly publicKey: Uint8Array;
  readonly state: 'active' | 'frozen';
  /** Unix seconds. */
  readonly createdAt: number;
}

const text = (max: number): Schema<string> => v.pipe(v.string(), v.minLength(1), v.maxLength(max));

const enrolRequest: Schema<EnrolRequest> = v.strictObject({
  code: text(128),
  publicKey: bytesOfLength(33),
  party: partyName,
});
const enrolResponse: Schema<EnrolResponse> = v.strictObject({
  tenant: text(64),
  device: text(64),
  serverParty: partyName,
  serverKey: bytesOfLength(33),
  logKey: text(256),
});
const keySummary: Schema<KeySummary> = v.strictObject({
  keyId: keyIdText,
  scheme: schemeName,
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  policy: text(4096),
  publicKey: bytesBetween(32, 33),
  state: v.picklist(['active', 'frozen']),
  createdAt: integerBetween(0, Number.MAX_SAFE_INTEGER),
});
const keyList: Schema<{ keys: KeySummary[] }> = v.strictObject({ keys: v.array(keySummary) });

export const encodeEnrolRequest = (request: EnrolRequest): Uint8Array =>
  encodeMessage('enrol', { ...request });

/** @throws KeepsetError of family `wire/` */
export const decodeEnrolRequest = (bytes: Uint8Array): EnrolRequest =>
  decodeMessage('enrol', enrolRequest, bytes);

export const encodeEnrolResponse = (response: EnrolResponse): Uint8Array =>
  encodeMessage('enrolled', { ...response });

/** @throws KeepsetError of family `wire/` */
export const decodeEnrolResponse = (bytes: Uint8Array): EnrolResponse =>
  decodeMessage('enrolled', enrolResponse, bytes);

/** A one-time code with which another device of the same user can enrol. */
export interface Invitation {
  readonly code: string;
}

const invitation: Schema<Invitation> = v.strictObject({ code: text(128) });

export const encodeInvitation = (value: Invitation): Uint8Array => encodeMessage('invitation', { ...value });

/** @throws KeepsetError of family `wire/` */
export const decodeInvitation = (bytes: Uint8Array): Invitation =>
  decodeMessage('invitation', invitation, bytes);

export const encodeKeyList = (keys: readonly KeySummary[]): Uint8Array =>
  encodeMessage('keys', { keys: keys.map((key) => ({ ...key })) });

/** @throws KeepsetError of family `wire/` */
export const decodeKeyList = (bytes: Uint8Array): KeySummary[] => decodeMessage('keys', keyList, bytes).keys;

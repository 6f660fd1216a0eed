/**
 * What devices tell a server that holds no share of their key. Every device confirms the result it holds; once all of
 * them have, and agree, the server commits: it is the one moment at which all have the key or its new shares.
 */
import * as v from 'valibot';
import {
  bytesBetween,
  bytesOfLength,
  encodeCbor,
  hashValue,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { groupFields, schemes, type GroupKey, type ProtocolMessage, type Scheme } from '@keepset/threshold';
import { keyIdText } from '@keepset/wire';

/** A device's word on a key. The chain code is none of the server's business: it is only in the hash. */
export interface Confirmation extends Pick<GroupKey, 'keyId' | 'scheme' | 'epoch' | 'policy' | 'publicKey'> {
  /** See {@link groupHashOf}. */
  readonly groupHash: Uint8Array;
}

/** @see Confirmation */
export const confirmationSchema: Schema<Confirmation> = v.strictObject({
  keyId: keyIdText,
  scheme: v.picklist<readonly Scheme[]>(schemes),
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  policy: v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
  publicKey: bytesBetween(32, 33),
  groupHash: bytesOfLength(32),
});

/** Hash of all public data of a key at one epoch. */
export const groupHashOf = (group: GroupKey): Uint8Array => hashValue('keepset/group/v1', groupFields(group));

/** Binds confirmations to their session. */
export const witnessContext = (session: Uint8Array): Uint8Array =>
  hashValue('keepset/context/witness/v1', { session });

/** The message by which `from` confirms to the server `to` that it holds its result. */
export const confirmationOf = (
  session: Uint8Array,
  from: string,
  to: string,
  group: GroupKey,
): ProtocolMessage => {
  const { keyId, scheme, epoch, policy, publicKey } = group;
  const confirmation: Confirmation = {
    keyId,
    scheme,
    epoch,
    policy,
    publicKey,
    groupHash: groupHashOf(group),
  };
  return { context: witnessContext(session), round: 1, from, to, body: encodeCbor({ ...confirmation }) };
};

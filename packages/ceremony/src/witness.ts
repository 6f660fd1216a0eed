/**
 * What devices tell a server that holds no share of their key. Every device confirms the result it holds; once all of
 * them have, and agree, the server commits: it is the one moment at which all have the key or its new shares.
 */
import { encodeCbor, hashValue } from '@keepset/bytes';
import { groupFields, type GroupKey, type ProtocolMessage } from '@keepset/threshold';
import type { Confirmation } from '@keepset/wire';

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

/** Messages made by a dishonest party. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { encodeCbor, type CborValue } from '@keepset/bytes';
import type { PartyId, ProtocolMessage } from '../../src/index.ts';
import { fieldsOf } from './mutations.ts';
import { theOne, type FrostScheme, type Rehearsal } from './network.ts';

export interface Element {
  add(other: Element): Element;
  negate(): Element;
  multiply(scalar: bigint): Element;
  toBytes(): Uint8Array;
}
export interface Group {
  readonly BASE: Element;
  fromBytes(bytes: Uint8Array): Element;
}
export const groups: Readonly<Record<FrostScheme, Group>> = {
  ed25519: ed25519.Point,
  'schnorr-secp256k1': secp256k1.Point,
};

export const bodyFrom = (
  rehearsal: Rehearsal<unknown>,
  to: PartyId,
  round: number,
  from: PartyId,
): Uint8Array => theOne(rehearsal.inbox(to, round).find((message) => message.from === from)).body;

/** The victim's inbox of a round, with some senders' bodies replaced. */
export const forged = (
  rehearsal: Rehearsal<unknown>,
  to: PartyId,
  round: number,
  bodies: Readonly<Record<PartyId, { readonly [field: string]: CborValue }>>,
): ProtocolMessage[] =>
  rehearsal.inbox(to, round).map((message) => {
    const fields = bodies[message.from];
    return fields === undefined
      ? message
      : { ...message, body: encodeCbor({ ...fieldsOf(message.body), ...fields }) };
  });

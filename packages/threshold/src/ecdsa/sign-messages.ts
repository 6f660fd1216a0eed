/** The messages of ECDSA signing. */
import * as v from 'valibot';
import { bytesOfLength, type Schema } from '@keepset/bytes';
import { extensionLengths, type ExtensionMessage } from './ot-extension.ts';
import { multiplicationOts } from './parameters.ts';
import { productLengths, type ProductMessage } from './rvole.ts';

/** To everyone: randomness and a commitment to the nonce point; to the peer: Bob's message of their multiplication. */
export interface Round1 extends ExtensionMessage {
  readonly random: Uint8Array;
  readonly commitment: Uint8Array;
  /** Which setup of the pair the sender holds. */
  readonly setup: Uint8Array;
}

/** To everyone: the nonce and key points; to the peer: Alice's message and what authenticates her inputs. */
export interface Round2 extends ProductMessage {
  /** Hash of everyone's round 1 as the sender saw it. */
  readonly session: Uint8Array;
  /** R_i */
  readonly noncePoint: Uint8Array;
  readonly salt: Uint8Array;
  /** pk_i */
  readonly keyPoint: Uint8Array;
  /** Γ^u */
  readonly nonceCheck: Uint8Array;
  /** Γ^v */
  readonly keyCheck: Uint8Array;
  /** ψ */
  readonly adjustment: Uint8Array;
}

/** The fragment: w_i and u_i. */
export interface Round3 {
  readonly numerator: Uint8Array;
  readonly denominator: Uint8Array;
}

const extension = extensionLengths(multiplicationOts);

export const round1Schema: Schema<Round1> = v.strictObject({
  random: bytesOfLength(32),
  commitment: bytesOfLength(32),
  setup: bytesOfLength(32),
  vectors: bytesOfLength(extension.vectors),
  choiceCheck: bytesOfLength(extension.choiceCheck),
  rowCheck: bytesOfLength(extension.rowCheck),
});

export const round2Schema = (pointBytes: number): Schema<Round2> =>
  v.strictObject({
    session: bytesOfLength(32),
    noncePoint: bytesOfLength(pointBytes),
    salt: bytesOfLength(32),
    keyPoint: bytesOfLength(pointBytes),
    masked: bytesOfLength(productLengths.masked),
    response: bytesOfLength(productLengths.response),
    digest: bytesOfLength(productLengths.digest),
    nonceCheck: bytesOfLength(pointBytes),
    keyCheck: bytesOfLength(pointBytes),
    adjustment: bytesOfLength(32),
  });

export const round3Schema: Schema<Round3> = v.strictObject({
  numerator: bytesOfLength(32),
  denominator: bytesOfLength(32),
});

/** What a device tells a server that holds no share of its key, as the body of a protocol message. */
import * as v from 'valibot';
import { bytesBetween, bytesOfLength, integerBetween, type Schema } from '@keepset/bytes';
import { schemes, type GroupKey, type Scheme } from '@keepset/threshold';
import { keyIdText } from './protocol.ts';

/** A device's word on a key. The chain code is none of the server's business: it is only in the hash. */
export interface Confirmation extends Pick<GroupKey, 'keyId' | 'scheme' | 'epoch' | 'policy' | 'publicKey'> {
  /** Hash of all public data of the key at this epoch. */
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

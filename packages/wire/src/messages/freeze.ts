/** A device stops a key: it is refused everything until the operator of the server opens it again. */
import * as v from 'valibot';
import { integerBetween, type Schema } from '@keepset/bytes';
import { decodeMessage, encodeMessage, keyIdText } from './protocol.ts';
import { logEvidence, type LogEvidence } from './session.ts';

/** Answer to a device that stopped a key. */
export interface FrozenKey {
  readonly keyId: string;
  readonly epoch: number;
  /** Proof of the entry by which it was frozen, now or before. */
  readonly evidence: LogEvidence;
}

const frozenKey: Schema<FrozenKey> = v.strictObject({
  keyId: keyIdText,
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  evidence: logEvidence,
});

export const encodeFrozenKey = ({ evidence, ...frozen }: FrozenKey): Uint8Array =>
  encodeMessage('frozen', { ...frozen, evidence: { ...evidence } });

/** @throws KeepsetError of family `wire/` */
export const decodeFrozenKey = (bytes: Uint8Array): FrozenKey => decodeMessage('frozen', frozenKey, bytes);

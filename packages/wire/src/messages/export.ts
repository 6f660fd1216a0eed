/** A device says that a key is about to be put together, and the server writes that into its log. */
import * as v from 'valibot';
import { integerBetween, type Schema } from '@keepset/bytes';
import { decodeMessage, encodeMessage, keyIdText } from './protocol.ts';
import { logEvidence, type LogEvidence } from './session.ts';

/** Answer to a device that announced the export of a key. */
export interface LoggedExport {
  readonly keyId: string;
  readonly epoch: number;
  readonly evidence: LogEvidence;
}

const loggedExport: Schema<LoggedExport> = v.strictObject({
  keyId: keyIdText,
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  evidence: logEvidence,
});

export const encodeLoggedExport = ({ evidence, ...logged }: LoggedExport): Uint8Array =>
  encodeMessage('exported', { ...logged, evidence: { ...evidence } });

/** @throws KeepsetError of family `wire/` */
export const decodeLoggedExport = (bytes: Uint8Array): LoggedExport =>
  decodeMessage('exported', loggedExport, bytes);

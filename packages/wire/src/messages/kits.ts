/**
 * What the server keeps of a stick, printed kit or folder, so that an older copy is known as one.
 * @spec spec/usb-container.md, "Rollback"
 */
import * as v from 'valibot';
import { bytesOfLength, integerBetween, type Schema } from '@keepset/bytes';
import { decodeMessage, encodeMessage, keyIdText } from './protocol.ts';

/** The newest copy that was written to a kit. It names neither key nor party. */
export interface KitNote {
  /** 26 base32 characters, random. */
  readonly kit: string;
  readonly epoch: number;
  readonly generation: number;
  /** Of the share file as it lies there, sealed. */
  readonly sha256: Uint8Array;
}

/** The server's answer to a note and to a question alike. */
export interface KnownKit {
  readonly kit: string;
  /** Absent where it was never told of this kit. */
  readonly newest?: Omit<KitNote, 'kit'>;
}

const copy = {
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  generation: integerBetween(0, Number.MAX_SAFE_INTEGER),
  sha256: bytesOfLength(32),
};
const kitNote: Schema<KitNote> = v.strictObject({ kit: keyIdText, ...copy });
const knownKit: Schema<KnownKit> = v.strictObject({
  kit: keyIdText,
  newest: v.exactOptional(v.strictObject(copy)),
});

export const encodeKitNote = (note: KitNote): Uint8Array => encodeMessage('kit-note', { ...note });

/** @throws KeepsetError of family `wire/` */
export const decodeKitNote = (bytes: Uint8Array): KitNote => decodeMessage('kit-note', kitNote, bytes);

export const encodeKnownKit = ({ kit, newest }: KnownKit): Uint8Array =>
  encodeMessage('kit', { kit, ...(newest === undefined ? {} : { newest: { ...newest } }) });

/** @throws KeepsetError of family `wire/` */
export const decodeKnownKit = (bytes: Uint8Array): KnownKit => decodeMessage('kit', knownKit, bytes);

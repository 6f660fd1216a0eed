/**
 * Which passkey it is, as the identity that typage and age-plugin-fido2prf take: `AGE-PLUGIN-FIDO2PRF-1…`. Nothing in it
 * is secret; the passkey itself stays with its provider.
 * @spec spec/recovery.md §7
 */
import { bech32 } from '@scure/base';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  concatBytes,
  decodeAs,
  encodeCbor,
  integerBetween,
  type Schema,
} from '@keepset/bytes';

/** What finds a passkey again. */
export interface PasskeyName {
  readonly credentialId: Uint8Array;
  /** Domain it belongs to. */
  readonly rpId: string;
}

const prefix = 'AGE-PLUGIN-FIDO2PRF-';
/** Head of a CBOR array of four, which the format leaves out. */
const head = 0x84;

const schema: Schema<[1, Uint8Array, string, string[]]> = v.strictTuple([
  v.pipe(integerBetween(1, 1), v.literal(1)),
  bytesBetween(1, 1023),
  v.pipe(v.string(), v.minLength(1), v.maxLength(253)),
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(32))), v.maxLength(16)),
]);

/** The identity as text, in capitals. */
export const encodePasskeyName = ({ credentialId, rpId }: PasskeyName): string => {
  const body = encodeCbor([1, credentialId, rpId, []]).subarray(1);
  return bech32.encode(prefix, bech32.toWords(body), false).toUpperCase();
};

/**
 * Reads the identity; blank lines and lines that begin with # around it do not matter.
 * @throws KeepsetError `place/damaged`
 */
export const decodePasskeyName = (text: string): PasskeyName => {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  try {
    const { prefix: found, bytes } = bech32.decodeToBytes((lines[0] ?? '').trim(), false);
    if (lines.length === 1 && found.toUpperCase() === prefix) {
      const [, credentialId, rpId] = decodeAs(schema, concatBytes(Uint8Array.of(head), bytes), 'passkey');
      return { credentialId, rpId };
    }
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'The file does not say which passkey it is.', { cause });
  }
  throw new KeepsetError('place/damaged', 'The file does not say which passkey it is.');
};

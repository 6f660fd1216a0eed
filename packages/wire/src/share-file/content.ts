/**
 * The plaintext of a share file: one canonical CBOR map.
 * @spec spec/share-file.md
 */
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  bytesOfLength,
  concatBytes,
  decodeCbor,
  encodeCbor,
  integerBetween,
  parseAs,
  utf8ToBytes,
  type CborValue,
  type Schema,
} from '@keepset/bytes';
import { schemes, type Scheme } from '@keepset/threshold';

/** Everything but the signature, in the order of spec/share-file.md. */
export interface ShareContent {
  readonly v: 1;
  readonly type: 'share';
  readonly scheme: Scheme;
  readonly keyId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly policy: string;
  readonly parties: readonly string[];
  readonly threshold: number;
  readonly party: string;
  readonly publicKey: Uint8Array;
  readonly commitments: readonly Uint8Array[];
  readonly verifyingShares: readonly Uint8Array[];
  readonly chainCode: Uint8Array;
  readonly secret: Uint8Array;
  readonly createdAt: string;
  readonly signerKey: Uint8Array;
}

/** The whole plaintext. */
export interface SignedContent extends ShareContent {
  readonly signature: Uint8Array;
}

const point = bytesBetween(32, 33);
const party = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/));
const isoInstant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z$/;

const fields = {
  v: v.literal(1),
  type: v.literal('share'),
  scheme: v.picklist(schemes),
  keyId: v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/)),
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  generation: integerBetween(0, Number.MAX_SAFE_INTEGER),
  policy: v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
  parties: v.pipe(v.array(party), v.minLength(2), v.maxLength(32)),
  threshold: integerBetween(2, 32),
  party,
  publicKey: point,
  commitments: v.pipe(v.array(point), v.minLength(1), v.maxLength(64)),
  verifyingShares: v.pipe(v.array(point), v.minLength(2), v.maxLength(64)),
  chainCode: bytesOfLength(32),
  secret: bytesBetween(32, 1_000_000),
  createdAt: v.pipe(
    v.string(),
    v.regex(isoInstant),
    v.check((text) => !Number.isNaN(Date.parse(text)), 'no such date'),
  ),
  signerKey: bytesBetween(32, 33),
};
const contentSchema: Schema<ShareContent> = v.strictObject(fields);
const signedSchema: Schema<SignedContent> = v.strictObject({ ...fields, signature: bytesOfLength(64) });

/** @throws KeepsetError `input/invalid-argument` for what would be refused on reading. */
export const checkContent = (content: ShareContent): void => {
  parseAs(contentSchema, content, 'share', 'input/invalid-argument');
};

/** Encodes the plaintext. */
export const encodeContent = (content: SignedContent): Uint8Array => encodeCbor(asCbor(content));

/** @throws KeepsetError `place/damaged`, `wire/unsupported-version` */
export const decodeContent = (plaintext: Uint8Array): SignedContent => {
  let value: CborValue;
  try {
    value = decodeCbor(plaintext);
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'The share inside the file is not canonical CBOR.', { cause });
  }
  const version = parseAs(versionSchema, value, 'share', 'place/damaged').v;
  if (version !== 1)
    throw new KeepsetError('wire/unsupported-version', `Share file version ${version} is not known here.`, {
      hint: 'Update Keepset.',
    });
  return parseAs(signedSchema, value, 'share', 'place/damaged');
};

const versionSchema: Schema<{ v: number }> = v.object({ v: integerBetween(1, Number.MAX_SAFE_INTEGER) });

/** What the writer signs: a label that no other Keepset signature starts with, then the canonical map. Wipe it after use. */
export const signedBytes = (content: ShareContent): Uint8Array => {
  const map = encodeCbor(asCbor(content));
  const message = concatBytes(utf8ToBytes('keepset/share-file/v1\n'), map);
  map.fill(0);
  return message;
};

const asCbor = (content: ShareContent | SignedContent): { readonly [key: string]: CborValue } => ({
  ...content,
});

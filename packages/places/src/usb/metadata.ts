/**
 * `metadata.json`: the only file in clear. No name, no key id, no address; what it says is a help, never a need.
 * @spec spec/usb-container.md, "Metadata"
 */
import * as v from 'valibot';
import {
  KeepsetError,
  concatBytes,
  encodeCbor,
  fromBase64,
  fromHex,
  fromUtf8,
  integerBetween,
  parseAs,
  toBase64,
  toHex,
  utf8ToBytes,
  type Schema,
} from '@keepset/bytes';
import { verifySigner, type FileSigner } from '@keepset/wire';
import type { Slot } from './layout.ts';

/** What is known of a slot's content. */
export interface SlotFacts {
  readonly sha256: Uint8Array;
  /** See `Parity.turn`. */
  readonly turn: number;
}

/** What the file says. */
export interface Metadata {
  readonly kit: string;
  /** Null for a slot that was never written. */
  readonly slots: Readonly<Record<Slot, SlotFacts | null>>;
  /** By the device that wrote last; its key is in no clear file, but in the share. */
  readonly signature: Uint8Array;
}

/** No metadata is longer, in bytes. */
export const maxMetadataBytes = 4096;

const hex32 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const slotSchema = v.nullable(
  v.strictObject({ sha256: hex32, turn: integerBetween(1, Number.MAX_SAFE_INTEGER) }),
);
const base64Signature = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/));

interface Json {
  format: 'keepset-usb-container';
  version: 1;
  kit: string;
  slots: Record<Slot, { sha256: string; turn: number } | null>;
  signature: string;
}
const schema: Schema<Json> = v.strictObject({
  format: v.literal('keepset-usb-container'),
  version: v.literal(1),
  kit: v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/)),
  slots: v.strictObject({ enc: slotSchema, bak: slotSchema }),
  signature: base64Signature,
});
const versionSchema: Schema<{ version: number }> = v.object({ version: integerBetween(1, 1_000_000) });

const factsAsCbor = (facts: SlotFacts | null): { sha256: Uint8Array; turn: number } | null =>
  facts === null ? null : { sha256: facts.sha256, turn: facts.turn };

const signedBytes = ({ kit, slots }: Pick<Metadata, 'kit' | 'slots'>): Uint8Array =>
  concatBytes(
    utf8ToBytes('keepset/usb-metadata/v1\n'),
    encodeCbor({ v: 1, kit, slots: { enc: factsAsCbor(slots.enc), bak: factsAsCbor(slots.bak) } }),
  );

/** Whether the device with this key wrote the metadata. */
export const verifyMetadata = (metadata: Metadata, signerKey: Uint8Array): boolean =>
  verifySigner(signerKey, signedBytes(metadata), metadata.signature);

/** The file's bytes. */
export const encodeMetadata = async (
  content: Pick<Metadata, 'kit' | 'slots'>,
  signer: FileSigner,
): Promise<Uint8Array> => {
  const asJson = (facts: SlotFacts | null): Json['slots'][Slot] =>
    facts === null ? null : { sha256: toHex(facts.sha256), turn: facts.turn };
  const json: Json = {
    format: 'keepset-usb-container',
    version: 1,
    kit: content.kit,
    slots: { enc: asJson(content.slots.enc), bak: asJson(content.slots.bak) },
    signature: toBase64(await signer.sign(signedBytes(content))),
  };
  return utf8ToBytes(`${JSON.stringify(json, null, 2)}\n`);
};

/** @throws KeepsetError `place/damaged`, `wire/unsupported-version` */
export const decodeMetadata = (bytes: Uint8Array): Metadata => {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'The metadata is not JSON.', { cause });
  }
  if (parseAs(versionSchema, value, 'metadata', 'place/damaged').version !== 1)
    throw new KeepsetError('wire/unsupported-version', 'The container is of a later version.', {
      hint: 'Update Keepset.',
    });
  const json = parseAs(schema, value, 'metadata', 'place/damaged');
  const facts = (slot: Json['slots'][Slot]): SlotFacts | null =>
    slot === null ? null : { sha256: fromHex(slot.sha256), turn: slot.turn };
  return {
    kit: json.kit,
    slots: { enc: facts(json.slots.enc), bak: facts(json.slots.bak) },
    signature: fromBase64(json.signature),
  };
};

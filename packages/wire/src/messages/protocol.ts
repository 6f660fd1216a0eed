import * as v from 'valibot';
import {
  bytesBetween,
  bytesOfLength,
  encodeCbor,
  integerBetween,
  parseAs,
  decodeCbor,
  KeepsetError,
  type CborValue,
  type Schema,
} from '@keepset/bytes';
import type { Digest, ProtocolMessage, Scheme, SignRequest } from '@keepset/threshold';

/** Largest message body, request or answer, in bytes. */
export const maxMessageBytes: number = 1024 * 1024;

/** Version every message carries. */
export const wireVersion: number = 1;

/** A party's name on the wire: the policy language's own rule. */
export const partyName: Schema<string> = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/));

/** A key id: 26 base32 characters. */
export const keyIdText: Schema<string> = v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/));

const schemeName: Schema<Scheme> = v.picklist([
  'ed25519',
  'schnorr-secp256k1',
  'ecdsa-secp256k1',
  'ecdsa-p256',
]);
const digestName: Schema<Digest> = v.picklist(['none', 'sha256', 'sha256d', 'keccak256']);
const partyList: Schema<string[]> = v.pipe(v.array(partyName), v.minLength(2), v.maxLength(32));

/** A protocol message in its wire form. */
export const protocolMessage: Schema<ProtocolMessage> = v.strictObject({
  context: bytesOfLength(32),
  round: integerBetween(1, 32),
  from: partyName,
  to: partyName,
  body: bytesBetween(1, maxMessageBytes),
});

/** Opens a key generation. */
export interface KeygenStart {
  readonly kind: 'keygen';
  readonly scheme: Scheme;
  readonly policy: string;
}

/** Opens a signature. */
export interface SignStart {
  readonly kind: 'sign';
  readonly keyId: string;
  readonly epoch: number;
  readonly quorum: readonly string[];
  readonly request: SignRequest;
}

/** What a session is about; sent with its first step. */
export type SessionStart = KeygenStart | SignStart;

const signRequest: Schema<SignRequest> = v.pipe(
  v.strictObject({
    message: bytesBetween(0, maxMessageBytes),
    digest: digestName,
    taproot: v.optional(v.strictObject({ merkleRoot: bytesBetween(0, 32) })),
  }),
  // `exactOptionalPropertyTypes`: an absent tweak is a missing property, never `undefined`.
  v.transform(({ message, digest, taproot }) => ({
    message,
    digest,
    ...(taproot === undefined ? {} : { taproot }),
  })),
);

/** @see SessionStart */
export const sessionStart: Schema<SessionStart> = v.variant('kind', [
  v.strictObject({
    kind: v.literal('keygen'),
    scheme: schemeName,
    policy: v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
  }),
  v.strictObject({
    kind: v.literal('sign'),
    keyId: keyIdText,
    epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
    quorum: partyList,
    request: signRequest,
  }),
]);

/** Encodes a message of `type`, refusing one that no peer would accept. @throws KeepsetError `wire/too-large` */
export const encodeMessage = (
  type: string,
  fields: { readonly [key: string]: CborValue | undefined },
): Uint8Array => {
  const bytes = encodeCbor({ ...fields, v: wireVersion, type });
  if (bytes.length > maxMessageBytes) throw tooLarge(bytes.length);
  return bytes;
};

const envelope: Schema<{ v: number; type: string }> = v.looseObject({ v: v.number(), type: v.string() });

/**
 * Decodes a message of `type` with exactly the given fields.
 * @throws KeepsetError `wire/too-large`, `wire/unsupported-version`, `wire/malformed` or `wire/not-canonical`
 */
export const decodeMessage = <T>(type: string, fields: Schema<T>, bytes: Uint8Array): T => {
  if (bytes.length > maxMessageBytes) throw tooLarge(bytes.length);
  const value = decodeCbor(bytes);
  const head = parseAs(envelope, value, 'message');
  if (head.v !== wireVersion)
    throw new KeepsetError(
      'wire/unsupported-version',
      `Message version ${head.v} is not supported; ${wireVersion} is.`,
    );
  if (head.type !== type) throw new KeepsetError('wire/malformed', `Expected a message of type ${type}.`);
  const { v: _version, type: _type, ...rest } = value as { readonly [key: string]: CborValue };
  return parseAs(fields, rest, `${type} message`);
};

const tooLarge = (size: number): KeepsetError =>
  new KeepsetError('wire/too-large', `A message of ${size} bytes is over the limit of ${maxMessageBytes}.`);

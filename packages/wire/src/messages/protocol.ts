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
import {
  groupSchema,
  schemes,
  type Digest,
  type GroupKey,
  type ProtocolMessage,
  type Scheme,
  type SignRequest,
} from '@keepset/threshold';

/** Largest message body, request or answer, in bytes. */
export const maxMessageBytes: number = 1024 * 1024;

/** Version every message carries. */
export const wireVersion: number = 1;

/** A party's name on the wire: the policy language's own rule. */
export const partyName: Schema<string> = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/));

/** A key id: 26 base32 characters. */
export const keyIdText: Schema<string> = v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/));

/** A scheme's name. */
export const schemeName: Schema<Scheme> = v.picklist<readonly Scheme[]>(schemes);
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
  /** Id of the presignature to use, 32 bytes. */
  readonly presignature?: Uint8Array;
}

/** Opens a sealed file. The server learns the file's ephemeral point, not the file. */
export interface OpenStart {
  readonly kind: 'open';
  readonly keyId: string;
  readonly epoch: number;
  readonly quorum: readonly string[];
  /** Who learns the outcome: the party that sends this. */
  readonly opener: string;
  /** 65 bytes, uncompressed. */
  readonly ephemeral: Uint8Array;
}

/** Opens the two ECDSA rounds that run before a message is known. */
export interface PresignStart {
  readonly kind: 'presign';
  readonly keyId: string;
  readonly epoch: number;
  readonly quorum: readonly string[];
  readonly path: readonly number[];
}

/** Opens a refresh: new shares for the same parties. */
export interface RefreshStart {
  readonly kind: 'refresh';
  readonly keyId: string;
  readonly epoch: number;
  /** One-time code of the server's operator; only a frozen key needs one. */
  readonly approval?: string;
}

/** Opens a reshare: the same key under a new policy. */
export interface ReshareStart {
  readonly kind: 'reshare';
  readonly keyId: string;
  readonly epoch: number;
  /** Old parties that deal: a quorum, in the old policy's order. */
  readonly dealers: readonly string[];
  /** The new policy, canonical. */
  readonly policy: string;
  /** One-time code of the server's operator. */
  readonly approval?: string;
  /** The key's public data, where the server is to get a share and has none to know them from. */
  readonly key?: GroupKey;
}

/** Opens a repair: a lost share again, from a quorum of helpers. */
export interface RepairStart {
  readonly kind: 'repair';
  readonly keyId: string;
  readonly epoch: number;
  readonly helpers: readonly string[];
  readonly target: string;
  /** One-time code of the server's operator. */
  readonly approval?: string;
}

/** What a session is about; sent with its first step. */
export type SessionStart =
  KeygenStart | SignStart | OpenStart | PresignStart | RefreshStart | ReshareStart | RepairStart;

// The next epoch must be a safe integer too.
const epoch: Schema<number> = integerBetween(0, Number.MAX_SAFE_INTEGER - 1);
const policyText: Schema<string> = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const childPath: Schema<number[]> = v.pipe(v.array(integerBetween(0, 2 ** 31 - 1)), v.maxLength(32));

const approval = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)));

const signRequest: Schema<SignRequest> = v.pipe(
  v.strictObject({
    message: bytesBetween(0, maxMessageBytes),
    digest: digestName,
    taproot: v.optional(v.strictObject({ merkleRoot: v.union([bytesOfLength(0), bytesOfLength(32)]) })),
    path: v.optional(v.pipe(childPath, v.minLength(1))),
  }),
  v.transform((value) => withoutUndefined(value) as SignRequest),
);

const signStart: Schema<SignStart> = v.pipe(
  v.strictObject({
    kind: v.literal('sign'),
    keyId: keyIdText,
    epoch,
    quorum: partyList,
    request: signRequest,
    presignature: v.optional(bytesOfLength(32)),
  }),
  v.transform((value) => withoutUndefined(value) as SignStart),
);

const starts: Readonly<Record<SessionStart['kind'], Schema<SessionStart>>> = {
  keygen: v.strictObject({ kind: v.literal('keygen'), scheme: schemeName, policy: policyText }),
  sign: signStart,
  open: v.strictObject({
    kind: v.literal('open'),
    keyId: keyIdText,
    epoch,
    quorum: partyList,
    opener: partyName,
    ephemeral: bytesOfLength(65),
  }),
  presign: v.strictObject({
    kind: v.literal('presign'),
    keyId: keyIdText,
    epoch,
    quorum: partyList,
    path: childPath,
  }),
  refresh: v.pipe(
    v.strictObject({ kind: v.literal('refresh'), keyId: keyIdText, epoch, approval }),
    v.transform((value) => withoutUndefined(value) as RefreshStart),
  ),
  reshare: v.pipe(
    v.strictObject({
      kind: v.literal('reshare'),
      keyId: keyIdText,
      epoch,
      dealers: partyList,
      policy: policyText,
      approval,
      key: v.optional(groupSchema),
    }),
    v.transform((value) => withoutUndefined(value) as ReshareStart),
  ),
  repair: v.pipe(
    v.strictObject({
      kind: v.literal('repair'),
      keyId: keyIdText,
      epoch,
      helpers: partyList,
      target: partyName,
      approval,
    }),
    v.transform((value) => withoutUndefined(value) as RepairStart),
  ),
};

/** @see SessionStart */
export const sessionStart: Schema<SessionStart> = v.lazy((value) => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  const known = Object.entries(starts).find(([name]) => name === kind);
  return known === undefined ? starts.keygen : known[1];
});

/** Drops `undefined` properties, for types that know only present or absent. */
export const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));

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

import * as v from 'valibot';
import {
  KeepsetError,
  Secret,
  bytesBetween,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  integerBetween,
  type CborValue,
  type Schema,
} from '@keepset/bytes';
import { curveOf } from './curve/noble.ts';
import { keyIdOf, schemes, type GroupKey, type KeyShare, type Scheme } from './key.ts';
import { maxRows, sharingOfKey } from './sharing.ts';

const text = (max: number): Schema<string> => v.pipe(v.string(), v.minLength(1), v.maxLength(max));

const images: Schema<Uint8Array[]> = v.pipe(
  v.array(bytesBetween(32, 33)),
  v.minLength(2),
  v.maxLength(maxRows),
);

/** The public half of a key as it stands in larger records. */
export const groupSchema: Schema<GroupKey> = v.strictObject({
  scheme: v.picklist<readonly Scheme[]>(schemes),
  keyId: text(26),
  epoch: integerBetween(0, Number.MAX_SAFE_INTEGER),
  policy: text(4096),
  parties: v.pipe(v.array(text(32)), v.minLength(2), v.maxLength(32)),
  threshold: integerBetween(2, 32),
  publicKey: bytesBetween(32, 33),
  commitments: images,
  verifyingShares: images,
  chainCode: bytesOfLength(32),
});

interface ShareFields {
  readonly group: GroupKey;
  readonly party: string;
  readonly secret: Uint8Array;
}

const shareSchema: Schema<ShareFields> = v.strictObject({
  group: groupSchema,
  party: text(32),
  secret: bytesBetween(32, 1024 * 1024),
});

/** The public half as canonical CBOR fields, for embedding in larger records. */
export const groupFields = (group: GroupKey): { readonly [key: string]: CborValue } => ({ ...group });

/** The public half as bytes: equal exactly when all of it is. */
export const encodeGroup = (group: GroupKey): Uint8Array => encodeCbor(groupFields(group));

/** The whole share as canonical CBOR. The result holds the secret in clear: seal it at once, then wipe it. */
export const encodeKeyShare = (share: KeyShare): Uint8Array =>
  encodeCbor({ group: groupFields(share.group), party: share.party, secret: share.secret.reveal() });

/**
 * Reads what {@link encodeKeyShare} wrote and checks that its parts belong together.
 * @throws KeepsetError `wire/malformed` or `wire/not-canonical`
 */
export const decodeKeyShare = (bytes: Uint8Array): KeyShare => {
  const { group, party, secret } = decodeAs(shareSchema, bytes, 'key share');
  // The decoder copies: this is the only place the secret is now in, besides `bytes`.
  return checkedShare({ group, party, secret: new Secret(secret) });
};

/** Checks that the fields of a share fit one another. @throws KeepsetError `wire/malformed` */
export const checkedShare = (share: KeyShare): KeyShare => {
  const { group, party } = share;
  const fits =
    group.keyId === keyIdOf(group.scheme, group.publicKey) &&
    group.parties.includes(party) &&
    isShared(group);
  if (!fits) throw new KeepsetError('wire/malformed', 'The parts of this key share do not belong together.');
  return share;
};

/** Whether parties, threshold and the number of public images are those of the policy. */
const isShared = (group: GroupKey): boolean => {
  try {
    sharingOfKey(curveOf(group.scheme), group);
    return true;
  } catch (error) {
    if (error instanceof KeepsetError) return false;
    throw error;
  }
};

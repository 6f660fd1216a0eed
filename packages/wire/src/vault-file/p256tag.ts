/**
 * Opening age files sealed to a P-256 tag recipient (`age1tag1…`) with a key that only does ECDH: one in the Secure
 * Enclave, or one that a quorum holds. Everything but the agreement happens here.
 * @spec C2SP age.md, "The tagged recipient types"; RFC 9180 §4.1, §5.1
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { p256 } from '@noble/curves/nist.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { base64nopad, bech32 } from '@scure/base';
import { KeepsetError, bytesEqual, concatBytes, utf8ToBytes } from '@keepset/bytes';
import type { Identity } from '../share-file/index.ts';

/**
 * ECDH with the held key. May ask the user, or others who hold the key too.
 * @param peer 65 bytes, uncompressed. @returns the shared point's x, 32 bytes.
 */
export type Agree = (peer: Uint8Array) => Promise<Uint8Array>;

const info = utf8ToBytes('age-encryption.org/p256tag');
const empty = new Uint8Array(0);
const kemSuite = concatBytes(utf8ToBytes('KEM'), Uint8Array.of(0x00, 0x10));
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305
const hpkeSuite = concatBytes(utf8ToBytes('HPKE'), Uint8Array.of(0x00, 0x10, 0x00, 0x01, 0x00, 0x03));
const version = utf8ToBytes('HPKE-v1');

/** The recipient string of a P-256 key. @param publicKey SEC 1, either form. @throws KeepsetError `input/malformed` */
export const tagRecipient = (publicKey: Uint8Array): string =>
  bech32.encodeFromBytes('age1tag', compressed(publicKey));

const pointOf = (bytes: Uint8Array): InstanceType<typeof p256.Point> => {
  try {
    const point = p256.Point.fromBytes(bytes);
    point.assertValidity();
    return point;
  } catch {
    throw new KeepsetError('input/malformed', 'Not a P-256 public key.');
  }
};
const compressed = (publicKey: Uint8Array): Uint8Array => pointOf(publicKey).toBytes(true);

const labeledExtract = (suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array =>
  extract(sha256, concatBytes(version, suite, utf8ToBytes(label), ikm), salt);

const labeledExpand = (
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array =>
  expand(
    sha256,
    prk,
    concatBytes(Uint8Array.of(0, length), version, suite, utf8ToBytes(label), context),
    length,
  );

/** @spec RFC 9180 §4.1 ExtractAndExpand, §5.1 KeySchedule in base mode */
const scheduleOf = (
  dh: Uint8Array,
  enc: Uint8Array,
  recipient: Uint8Array,
): { key: Uint8Array; nonce: Uint8Array } => {
  const prk = labeledExtract(kemSuite, empty, 'eae_prk', dh);
  const shared = labeledExpand(kemSuite, prk, 'shared_secret', concatBytes(enc, recipient), 32);
  const context = concatBytes(
    Uint8Array.of(0),
    labeledExtract(hpkeSuite, empty, 'psk_id_hash', empty),
    labeledExtract(hpkeSuite, empty, 'info_hash', info),
  );
  const secret = labeledExtract(hpkeSuite, shared, 'secret', empty);
  return {
    key: labeledExpand(hpkeSuite, secret, 'key', context, 32),
    nonce: labeledExpand(hpkeSuite, secret, 'base_nonce', context, 12),
  };
};

/** First 4 bytes that tell whose a stanza is, before anybody is asked for a finger or a face. */
const tagOf = (enc: Uint8Array, publicKey: Uint8Array): Uint8Array =>
  extract(sha256, concatBytes(enc, sha256(publicKey).subarray(0, 4)), info).subarray(0, 4);

/**
 * The identity of a key that can agree. `agree` is called only for stanzas whose tag is the key's.
 * @throws KeepsetError from `unwrapFileKey`: `place/damaged` for a malformed stanza, and whatever `agree` throws.
 */
export const tagIdentity = (publicKey: Uint8Array, agree: Agree): Identity => {
  const own = compressed(publicKey);
  const ownUncompressed = pointOf(publicKey).toBytes(false);
  return {
    unwrapFileKey: async (stanzas) => {
      for (const { enc, body } of ownStanzas(own, stanzas)) {
        const dh = await agree(enc);
        const { key, nonce } = scheduleOf(dh, enc, ownUncompressed);
        dh.fill(0);
        try {
          return chacha20poly1305(key, nonce).decrypt(body);
        } catch {
          // A tag of four bytes may fit by chance.
          continue;
        }
      }
      return null;
    },
  };
};

/** A stanza as it stands in the header of an age file. */
type Stanza = Parameters<Identity['unwrapFileKey']>[0][number];

/**
 * The ephemeral points, 65 bytes each, of the stanzas whose tag is the key's: with these the key has to agree.
 * @throws KeepsetError `place/damaged` for a malformed p256tag stanza
 */
export const tagEphemerals = (publicKey: Uint8Array, stanzas: readonly Stanza[]): readonly Uint8Array[] =>
  ownStanzas(compressed(publicKey), stanzas).map(({ enc }) => enc);

const ownStanzas = (
  own: Uint8Array,
  stanzas: readonly Stanza[],
): readonly { readonly enc: Uint8Array; readonly body: Uint8Array }[] =>
  stanzas
    .filter(({ args }) => args[0] === 'p256tag')
    .map(({ args, body }) => ({ ...parseArgs(args, body), body }))
    .filter(({ tag, enc }) => bytesEqual(tag, tagOf(enc, own)));

const parseArgs = (args: readonly string[], body: Uint8Array): { tag: Uint8Array; enc: Uint8Array } => {
  const [, tagText = '', encText = '', ...rest] = args;
  try {
    const tag = base64nopad.decode(tagText);
    const enc = base64nopad.decode(encText);
    if (rest.length === 0 && tag.length === 4 && enc.length === 65 && body.length === 32) {
      pointOf(enc);
      return { tag, enc };
    }
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'A p256tag stanza is malformed.', { cause });
  }
  throw new KeepsetError('place/damaged', 'A p256tag stanza is malformed.');
};

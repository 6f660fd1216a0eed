/** A private key in the forms that other programs take. */
import { createHash, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { createBase58check } from '@scure/base';
import { KeepsetError, concatBytes, toBase64Url, toHex } from '@keepset/bytes';
import type { AssembledKey, Scheme } from '@keepset/ceremony';
import { spkiPem, type KeyScheme } from '@keepset/intent';

/** Forms of a private key. */
export const privateForms = ['pem', 'wif', 'xprv', 'expanded'] as const;
export type PrivateForm = (typeof privateForms)[number];

/** Which forms a scheme has, the usual one first. */
const formsOf: Readonly<Record<Scheme, readonly PrivateForm[]>> = {
  // A key made jointly has no seed, and PKCS #8 holds an Ed25519 key as its seed (RFC 8410 §7).
  ed25519: ['expanded'],
  'ecdsa-p256': ['pem'],
  'ecdh-p256': ['pem'],
  'ecdsa-secp256k1': ['pem', 'wif', 'xprv'],
  'schnorr-secp256k1': ['pem', 'wif', 'xprv'],
};

/**
 * The form asked for, or the scheme's usual one.
 * @throws KeepsetError `input/unsupported`, `input/invalid-argument`
 */
export const readForm = (scheme: Scheme, name: string | undefined): PrivateForm => {
  const [usual = 'pem', ...others] = formsOf[scheme];
  const form = privateForms.find((each) => each === (name ?? usual));
  if (form !== undefined && formsOf[scheme].includes(form)) return form;
  throw new KeepsetError(
    form === undefined ? 'input/invalid-argument' : 'input/unsupported',
    `An ${scheme} key has no form ${name ?? usual}.`,
    {
      hint:
        scheme === 'ed25519'
          ? 'It was made jointly and has no seed, which PKCS #8 and OpenSSH keep. Its form is expanded: scalar and prefix of RFC 8032 §5.1.5.'
          : `Use ${[usual, ...others].join(' or ')}.`,
    },
  );
};

/** The key as text, ready to be written to a file. JavaScript text cannot be wiped: end the process soon. */
export const printPrivateKey = (key: AssembledKey, form: PrivateForm): string => printers[form](key);

/** How a key is signed with matters nothing here: it is a point of its curve. */
const curveScheme: Readonly<Record<Scheme, KeyScheme>> = {
  ed25519: 'ed25519',
  'ecdsa-p256': 'ecdsa-p256',
  'ecdh-p256': 'ecdsa-p256',
  'ecdsa-secp256k1': 'ecdsa-secp256k1',
  'schnorr-secp256k1': 'ecdsa-secp256k1',
};

const pem = ({ group, secret }: AssembledKey): string => {
  const scheme = curveScheme[group.scheme];
  const publicHalf = createPublicKey(spkiPem({ ...group, scheme })).export({ format: 'jwk' });
  const jwk = { ...publicHalf, d: toBase64Url(secret.reveal()) };
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }).toString();
};

const sha256 = (data: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(data).digest());
const base58check = createBase58check(sha256);

/** @spec Bitcoin, wallet import format: mainnet, compressed public key */
const wif = ({ secret }: AssembledKey): string =>
  `${base58check.encode(concatBytes(Uint8Array.of(0x80), secret.reveal(), Uint8Array.of(1)))}\n`;

/** @spec BIP 32, serialization format: the key as master */
const xprv = ({ group, secret }: AssembledKey): string => {
  const header = Uint8Array.of(0x04, 0x88, 0xad, 0xe4, ...new Uint8Array(9));
  return `${base58check.encode(concatBytes(header, group.chainCode, Uint8Array.of(0), secret.reveal()))}\n`;
};

/** @spec RFC 8032 §5.1.5: what hashing a seed gives; here the scalar is given, and the prefix is random. */
const expanded = ({ group, secret }: AssembledKey): string =>
  [
    `# Ed25519 private key of Keepset key ${group.keyId}: scalar (little-endian) and prefix of RFC 8032 5.1.5.`,
    '# It has no seed. Programs that hash a seed cannot use it; those that take an expanded key can.',
    `${toHex(secret.reveal())}${toHex(new Uint8Array(randomBytes(32)))}`,
    '',
  ].join('\n');

const printers: Readonly<Record<PrivateForm, (key: AssembledKey) => string>> = { pem, wif, xprv, expanded };

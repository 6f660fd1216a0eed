import { sha512 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes, toBase64, utf8ToBytes } from '@keepset/bytes';
import { describeFile, fileWarnings } from './file.ts';
import type { Artefact, Format, IntentKey, IntentOptions } from './intent.ts';
import { checkedKey, requireScheme, uncompressed } from './key.ts';
import { checkedSignatures } from './signature.ts';
import { line } from './text.ts';

/**
 * SSH signatures over files, as `ssh-keygen -Y sign` makes them.
 * @spec OpenSSH PROTOCOL.sshsig
 */
export const sshFormat: Format = {
  kind: 'ssh',
  title: 'SSH signature over a file (ssh-keygen -Y verify)',
  schemes: ['ed25519', 'ecdsa-p256'],
  create(bytes, key, options) {
    const namespace = namespaceOf(options);
    const message = signedData(namespace, bytes);
    const inputs = [{ message, digest: key.scheme === 'ed25519' ? 'none' : 'sha256' }] as const;
    return {
      kind: 'ssh',
      description: [
        line('Format', 'SSH signature over a file'),
        ...describeFile(bytes, options),
        line('Namespace', namespace),
      ],
      warnings: [
        ...fileWarnings(bytes),
        ...(namespace === 'git'
          ? ['Namespace git: the signature serves as that of a git commit or tag.']
          : []),
      ],
      inputs,
      finish(signatures) {
        const [signature] = checkedSignatures(key, inputs, signatures);
        return armored(namespace, key, signature ?? new Uint8Array());
      },
    };
  },
};

/**
 * The public key as OpenSSH writes it: one line, no line end.
 * @param comment printable ASCII.
 * @throws KeepsetError `input/unsupported` for other schemes, `input/invalid-argument`.
 * @spec RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4
 */
export const sshPublicKey = (key: IntentKey, comment?: string): string => {
  requireScheme(key, sshFormat.schemes, 'An SSH public key');
  if (comment !== undefined && !/^[\x20-\x7e]*$/.test(comment))
    throw invalid('A comment is printable ASCII text.');
  const line = `${algorithms[key.scheme]} ${toBase64(publicKeyBlob(checkedKey(key)))}`;
  return comment === undefined || comment === '' ? line : `${line} ${comment}`;
};

/**
 * A line for an allowed-signers file: `identity` may sign with `key` in `namespace` and no other.
 * @param identity what the verifier names with `-I`, such as an e-mail address. No patterns.
 * @throws KeepsetError `input/unsupported` for other schemes, `input/invalid-argument`.
 * @spec ssh-keygen(1), ALLOWED SIGNERS
 */
export const allowedSigners = (identity: string, key: IntentKey, namespace: string = 'file'): string => {
  // `*`, `?`, `!` and `,` would make it a pattern list that lets others sign; `#` a comment.
  if (!/^[\x21-\x7e]+$/.test(identity) || /["*?!,#\\]/.test(identity))
    throw invalid('An identity is printable ASCII without blanks, quotes, patterns or commas.');
  return `${identity} namespaces="${namespaceOf({ namespace })}" ${sshPublicKey(key)}`;
};

const magic = utf8ToBytes('SSHSIG');
const hashName = 'sha512';

const algorithms: Readonly<Partial<Record<IntentKey['scheme'], string>>> = {
  ed25519: 'ssh-ed25519',
  'ecdsa-p256': 'ecdsa-sha2-nistp256',
};

const namespaceOf = ({ namespace = 'file' }: IntentOptions): string => {
  if (!/^[\x21-\x7e]{1,255}$/.test(namespace) || /["*?!,\\]/.test(namespace))
    throw invalid(
      'A namespace is 1 to 255 printable ASCII characters without blanks, quotes, patterns or commas.',
    );
  return namespace;
};

/** What the key signs: names the purpose, so that it never passes for anything else. */
const signedData = (namespace: string, file: Uint8Array): Uint8Array =>
  concatBytes(magic, string(namespace), string(''), string(hashName), string(sha512(file)));

const armored = (namespace: string, key: IntentKey, signature: Uint8Array): Artefact => {
  const blob = concatBytes(
    magic,
    uint32(1),
    string(publicKeyBlob(key)),
    string(namespace),
    string(''),
    string(hashName),
    string(signatureBlob(key, signature)),
  );
  const lines = toBase64(blob).match(/.{1,76}/g) ?? [];
  const text = `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`;
  return {
    bytes: utf8ToBytes(text),
    text,
    mediaType: 'text/plain',
    suffix: '.sig',
    summary: [`SSH signature, namespace ${namespace}`, `Key ${sshPublicKey(key)}`],
  };
};

const publicKeyBlob = (key: IntentKey): Uint8Array =>
  key.scheme === 'ed25519'
    ? concatBytes(string('ssh-ed25519'), string(key.publicKey))
    : concatBytes(string('ecdsa-sha2-nistp256'), string('nistp256'), string(uncompressed(key)));

const signatureBlob = (key: IntentKey, signature: Uint8Array): Uint8Array =>
  key.scheme === 'ed25519'
    ? concatBytes(string('ssh-ed25519'), string(signature))
    : concatBytes(
        string('ecdsa-sha2-nistp256'),
        string(concatBytes(mpint(signature.subarray(0, 32)), mpint(signature.subarray(32, 64)))),
      );

/** @spec RFC 4251 §5 */
const uint32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
};

const string = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === 'string' ? utf8ToBytes(value) : value;
  return concatBytes(uint32(bytes.length), bytes);
};

/** A positive integer: no leading zeros but the one that keeps the sign bit clear. */
const mpint = (bigEndian: Uint8Array): Uint8Array => {
  const first = bigEndian.findIndex((b) => b !== 0);
  const digits = first < 0 ? new Uint8Array() : bigEndian.subarray(first);
  return string((digits[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), digits) : digits);
};

const invalid = (message: string): KeepsetError => new KeepsetError('input/invalid-argument', message);

import { KeepsetError, bytesEqual, concatBytes, fromBase64, fromUtf8, utf8ToBytes } from '@keepset/bytes';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { Intent, IntentKey } from './intent.ts';
import { createIntent } from './registry.ts';

/** What came of checking a detached signature. Verdicts are values: only unusable arguments throw. */
export interface SignatureVerdict {
  readonly valid: boolean;
  /** The form the signature has. */
  readonly kind: 'ssh' | 'raw';
  /** ssh: the purpose it was made for. */
  readonly namespace?: string;
  /** Why it is not valid, one sentence. */
  readonly reason?: string;
}

/**
 * Checks a detached signature over a file: SSH (armoured) or raw, as {@link createIntent} makes them.
 * A signature is valid only in exactly the form Keepset would write it.
 * @throws KeepsetError `input/unsupported` or `input/invalid-argument` for a key that cannot make such signatures,
 * and for a raw signature what `createIntent` refuses to sign raw (`policy/forbidden`, `wire/too-large`).
 */
export const verifyDetached = (file: Uint8Array, key: IntentKey, signature: Uint8Array): SignatureVerdict =>
  looksArmoured(signature) ? verifySsh(file, key, signature) : verifyRaw(file, key, signature);

const begin = '-----BEGIN SSH SIGNATURE-----';

const looksArmoured = (signature: Uint8Array): boolean => {
  const prefix = utf8ToBytes(begin);
  return prefix.every((byte, i) => signature[i] === byte);
};

const verifySsh = (file: Uint8Array, key: IntentKey, armoured: Uint8Array): SignatureVerdict => {
  const parsed = parseSsh(armoured, key);
  if (parsed === undefined) return { valid: false, kind: 'ssh', reason: 'The SSH signature is malformed.' };
  const { namespace, candidates } = parsed;
  const intent = intentOrNothing(() => createIntent('ssh', file, key, { namespace }));
  if (intent === undefined)
    return { valid: false, kind: 'ssh', reason: 'Its namespace is none that Keepset would sign for.' };
  const valid = candidates.some((candidate) => reproduces(intent, candidate, armoured));
  return {
    valid,
    kind: 'ssh',
    namespace,
    ...(valid ? {} : { reason: 'It is not by this key over this file.' }),
  };
};

const verifyRaw = (file: Uint8Array, key: IntentKey, signature: Uint8Array): SignatureVerdict => {
  const intent = createIntent('raw', file, key, {});
  const valid = rawCandidates(key, signature).some((candidate) => reproduces(intent, candidate, signature));
  return { valid, kind: 'raw', ...(valid ? {} : { reason: 'It is not by this key over this file.' }) };
};

/** A purpose this house would not sign for is a verdict about the signature; an unfit key is the caller's mistake. */
const intentOrNothing = (create: () => Intent): Intent | undefined => {
  try {
    return create();
  } catch (error) {
    if (error instanceof KeepsetError && error.code === 'input/invalid-argument') return undefined;
    throw error;
  }
};

/** Finishing the intent verifies the signature and writes the artefact; equal bytes leave no room for another form. */
const reproduces = (intent: Intent, candidate: Uint8Array, artefact: Uint8Array): boolean => {
  try {
    return bytesEqual(intent.finish([candidate]).bytes, artefact);
  } catch {
    return false;
  }
};

const isEcdsa = (key: IntentKey): boolean => key.scheme === 'ecdsa-p256' || key.scheme === 'ecdsa-secp256k1';

/** The recovery id is not in the artefact: one of four fits. */
const withRecoveryIds = (compact: Uint8Array): Uint8Array[] =>
  [0, 1, 2, 3].map((id) => concatBytes(compact, Uint8Array.of(id)));

const rawCandidates = (key: IntentKey, signature: Uint8Array): Uint8Array[] => {
  if (!isEcdsa(key)) return [signature];
  try {
    const curve = key.scheme === 'ecdsa-p256' ? p256 : secp256k1;
    return withRecoveryIds(curve.Signature.fromBytes(signature, 'der').toBytes('compact'));
  } catch {
    return [];
  }
};

interface ParsedSsh {
  readonly namespace: string;
  readonly candidates: readonly Uint8Array[];
}

/** @spec OpenSSH PROTOCOL.sshsig */
const parseSsh = (armoured: Uint8Array, key: IntentKey): ParsedSsh | undefined => {
  try {
    const lines = fromUtf8(armoured).trimEnd().split('\n');
    const blob = fromBase64(lines.slice(1, -1).join(''));
    // Magic and version; then public key, namespace, reserved, hash, signature.
    let rest = blob.subarray(10);
    const fields: Uint8Array[] = [];
    while (rest.length > 0) {
      const [field, after] = readString(rest);
      fields.push(field);
      rest = after;
    }
    const [, namespace, , , signature] = fields;
    if (namespace === undefined || signature === undefined) return undefined;
    const [, inner] = readString(signature);
    const [value] = readString(inner);
    return { namespace: fromUtf8(namespace), candidates: isEcdsa(key) ? ecdsaCandidates(value) : [value] };
  } catch {
    return undefined;
  }
};

const readString = (bytes: Uint8Array): [value: Uint8Array, rest: Uint8Array] => {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  if (4 + length > bytes.length)
    throw new KeepsetError('input/malformed', 'The SSH signature ends too early.');
  return [bytes.slice(4, 4 + length), bytes.slice(4 + length)];
};

const ecdsaCandidates = (value: Uint8Array): Uint8Array[] => {
  const [r, rest] = readString(value);
  const [s] = readString(rest);
  const fixed = (integer: Uint8Array): Uint8Array => {
    const out = new Uint8Array(32);
    const digits = integer.subarray(Math.max(0, integer.length - 32));
    out.set(digits, 32 - digits.length);
    return out;
  };
  return withRecoveryIds(concatBytes(fixed(r), fixed(s)));
};

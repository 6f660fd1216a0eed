/**
 * age recipient and identity over a passkey's PRF: the stanza of typage and age-plugin-fido2prf, with the passkey
 * behind a port, since an iPhone app reaches it through its plugin and not through the browser.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { base64nopad } from '@scure/base';
import { Stanza, type Identity, type Recipient } from 'age-encryption';
import { KeepsetError, bytesEqual, concatBytes, utf8ToBytes } from '@keepset/bytes';

/** A passkey that can evaluate its PRF. Each evaluation asks the user. */
export interface Passkey {
  /**
   * Evaluates the PRF at two inputs with one question to the user.
   * @returns 32 bytes each; the caller wipes them.
   * @throws KeepsetError `place/locked` (the user declined), `place/not-found` (no such passkey here),
   * `input/unsupported` (no PRF).
   */
  evaluate(first: Uint8Array, second: Uint8Array): Promise<readonly [Uint8Array, Uint8Array]>;
}

const label = 'age-encryption.org/fido2prf';

/**
 * Two inputs, so that one question to the user never yields the keys of two files.
 * @throws KeepsetError `input/unsupported` for values that anybody could guess, as a faulty provider gives them.
 */
const wrappingKey = async (passkey: Passkey, nonce: Uint8Array): Promise<Uint8Array> => {
  const input = (n: number): Uint8Array => concatBytes(utf8ToBytes(label), Uint8Array.of(n), nonce);
  const values = await passkey.evaluate(input(1), input(2));
  const isSecret = areSecret(values);
  const prf = concatBytes(...values);
  const key = extract(sha256, prf, utf8ToBytes(label));
  for (const bytes of [prf, ...values]) bytes.fill(0);
  if (!isSecret) throw badPrf();
  return key;
};

/** Two different values of the right length, neither of one byte repeated. */
const areSecret = ([first, second]: readonly [Uint8Array, Uint8Array]): boolean =>
  [first, second].every((value) => value.length === 32 && value.some((byte) => byte !== value[0])) &&
  !bytesEqual(first, second);

const badPrf = (): KeepsetError =>
  new KeepsetError('input/unsupported', 'This passkey gives no secret values.', {
    hint: 'Its provider is faulty. Take another one.',
  });

/** Seals to a passkey. Asks the user, since the PRF is symmetric. */
export const passkeyRecipient = (passkey: Passkey): Recipient => ({
  wrapFileKey: async (fileKey) => {
    const nonce = randomBytes(16);
    const key = await wrappingKey(passkey, nonce);
    const body = chacha20poly1305(key, new Uint8Array(12)).encrypt(fileKey);
    return [new Stanza([label, base64nopad.encode(nonce)], body)];
  },
});

/**
 * Opens what {@link passkeyRecipient} sealed. Asks the user once.
 * @throws KeepsetError `place/damaged` for a malformed stanza, or several: each would ask again.
 */
export const passkeyIdentity = (passkey: Passkey): Identity => ({
  unwrapFileKey: async (stanzas) => {
    const [stanza, ...others] = stanzas.filter(({ args }) => args[0] === label);
    if (stanza === undefined) return null;
    if (others.length > 0) throw new KeepsetError('place/damaged', 'The file is sealed to several passkeys.');
    const key = await wrappingKey(passkey, parseNonce(stanza.args, stanza.body));
    try {
      return chacha20poly1305(key, new Uint8Array(12)).decrypt(stanza.body);
    } catch {
      // Another passkey's stanza.
      return null;
    }
  },
});

const parseNonce = ([, text = '', ...rest]: readonly string[], body: Uint8Array): Uint8Array => {
  try {
    const nonce = base64nopad.decode(text);
    if (nonce.length === 16 && body.length === 32 && rest.length === 0) return nonce;
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'A passkey stanza is malformed.', { cause });
  }
  throw new KeepsetError('place/damaged', 'A passkey stanza is malformed.');
};

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
import { KeepsetError, concatBytes, utf8ToBytes } from '@keepset/bytes';

/** A passkey that can evaluate its PRF. Each evaluation asks the user. */
export interface Passkey {
  /**
   * Evaluates the PRF at two inputs with one question to the user.
   * @returns 32 bytes each.
   * @throws KeepsetError `place/locked` (the user declined), `place/not-found` (no such passkey here),
   * `input/unsupported` (no PRF).
   */
  evaluate(first: Uint8Array, second: Uint8Array): Promise<readonly [Uint8Array, Uint8Array]>;
}

const label = 'age-encryption.org/fido2prf';

/** Two inputs, so that one question to the user never yields the keys of two files. */
const wrappingKey = async (passkey: Passkey, nonce: Uint8Array): Promise<Uint8Array> => {
  const input = (n: number): Uint8Array => concatBytes(utf8ToBytes(label), Uint8Array.of(n), nonce);
  const values = await passkey.evaluate(input(1), input(2));
  const prf = concatBytes(...values);
  const key = extract(sha256, prf, utf8ToBytes(label));
  for (const bytes of [prf, ...values]) bytes.fill(0);
  return key;
};

/** Seals to a passkey. Asks the user, since the PRF is symmetric. */
export const passkeyRecipient = (passkey: Passkey): Recipient => ({
  wrapFileKey: async (fileKey) => {
    const nonce = randomBytes(16);
    const key = await wrappingKey(passkey, nonce);
    const body = chacha20poly1305(key, new Uint8Array(12)).encrypt(fileKey);
    return [new Stanza([label, base64nopad.encode(nonce)], body)];
  },
});

/** Opens what {@link passkeyRecipient} sealed. @throws KeepsetError `place/damaged` for a malformed stanza */
export const passkeyIdentity = (passkey: Passkey): Identity => ({
  unwrapFileKey: async (stanzas) => {
    for (const { args, body } of stanzas) {
      if (args[0] !== label) continue;
      const key = await wrappingKey(passkey, parseNonce(args, body));
      try {
        return chacha20poly1305(key, new Uint8Array(12)).decrypt(body);
      } catch {
        // Another passkey's stanza.
        continue;
      }
    }
    return null;
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

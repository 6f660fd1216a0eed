/**
 * A passkey as a way to a share: it opens one small file that holds an ordinary age identity, and copies are written to
 * that identity's recipient, so that writing asks nobody. A passkey is never the only way in: deleting it ends it, and
 * its domain is for ever.
 */
import { Encrypter } from 'age-encryption';
import { KeepsetError, fromUtf8, utf8ToBytes } from '@keepset/bytes';
import { openAge } from '@keepset/wire';
import { checkTypedCode } from '../kit/typos.ts';
import { passkeyIdentity, passkeyRecipient, type Passkey } from './fido2prf.ts';

/**
 * Seals an age identity to a passkey, and opens it again to prove that the passkey answers the same twice: some do not.
 * Asks the user twice.
 * @returns an age file; not secret without the passkey.
 * @throws KeepsetError `input/malformed` (no identity), `input/unsupported` (the passkey gives other values the second
 * time), and what the passkey throws.
 */
export const sealIdentityToPasskey = async (identity: string, passkey: Passkey): Promise<Uint8Array> => {
  if (checkTypedCode(identity).status !== 'ok')
    throw new KeepsetError('input/malformed', 'Not an age identity.');
  const encrypter = new Encrypter();
  encrypter.addRecipient(passkeyRecipient(passkey));
  const sealed = await encrypter.encrypt(utf8ToBytes(identity));
  const opened = await openIdentityWithPasskey(sealed, passkey).catch((error: unknown) => {
    if (error instanceof KeepsetError && error.code === 'place/locked' && error.cause === undefined)
      throw new KeepsetError('input/unsupported', 'This passkey does not give the same values twice.', {
        hint: 'iOS before 18.4 does so when used for another device. Update it, or use another place.',
        cause: error,
      });
    throw error;
  });
  if (opened !== identity)
    throw new KeepsetError('bug/invariant', 'A sealed identity opened as another one.');
  return sealed;
};

/**
 * Opens the identity again. Asks the user once.
 * @throws KeepsetError as `openAge`; `place/locked` if it was sealed to another passkey, or the values are wrong.
 */
export const openIdentityWithPasskey = async (sealed: Uint8Array, passkey: Passkey): Promise<string> => {
  const text = await openAge(sealed, [passkeyIdentity(passkey)]);
  try {
    const identity = fromUtf8(text);
    if (checkTypedCode(identity).status === 'ok') return identity;
  } finally {
    text.fill(0);
  }
  throw new KeepsetError('place/damaged', 'The file holds no age identity.');
};

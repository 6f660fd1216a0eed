/** Vault files as streams, so that they may be larger than memory. Their form is in spec/vault-files.md. */
import { Decrypter, Encrypter } from 'age-encryption';
import { KeepsetError } from '@keepset/bytes';
import { tagIdentity, type Agree, type Identity } from '@keepset/wire';

/**
 * Seals a stream to one key.
 * @param recipient `age1tag1…`
 * @throws KeepsetError `input/malformed`
 */
export const sealStream = async (
  plain: ReadableStream<Uint8Array>,
  recipient: string,
): Promise<ReadableStream<Uint8Array>> => {
  const encrypter = new Encrypter();
  try {
    if (!recipient.startsWith('age1tag1')) throw new TypeError('another type of recipient');
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new KeepsetError('input/malformed', 'Not the recipient of a key that opens files.', {
      hint: '`keepset show KEY` prints it: it begins with age1tag1.',
      cause,
    });
  }
  return encrypter.encrypt(plain);
};

/**
 * Opens a binary age file. What the returned stream gives is authentic, but complete only when the stream has ended
 * without an error.
 * @param agree asked for the file's ephemeral point once the file's tag is the key's.
 * @throws KeepsetError of `agree`; `input/malformed`, also from the returned stream; `input/unknown-key`
 */
export const openStream = async (
  sealed: ReadableStream<Uint8Array>,
  publicKey: Uint8Array,
  agree: Agree,
): Promise<AsyncIterable<Uint8Array>> => {
  const decrypter = new Decrypter();
  // Asked last: reaching it means that the header was well-formed and nothing fitted.
  let isExhausted = false;
  const last: Identity = {
    unwrapFileKey: () => {
      isExhausted = true;
      return null;
    },
  };
  decrypter.addIdentity(tagIdentity(publicKey, agree));
  decrypter.addIdentity(last);
  try {
    return intact(await decrypter.decrypt(sealed));
  } catch (cause) {
    if (isExhausted)
      throw new KeepsetError('input/unknown-key', 'This file names the key but was not sealed to it.', {
        cause,
      });
    throw damaged(cause);
  }
};

/** Says what an error of the stream means. */
const intact = async function* (stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (cause) {
    throw damaged(cause);
  }
};

const damaged = (cause: unknown): unknown => {
  const isOurs = cause instanceof KeepsetError;
  // Errors of the system, such as a disk that cannot be read, carry a code; the library's do not.
  if (isOurs || (cause instanceof Error && 'syscall' in cause)) return cause;
  return new KeepsetError('input/malformed', 'This file is damaged or cut off.', { cause });
};

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
  mkdirSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesBetween,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  fromHex,
  toHex,
  type Schema,
} from '@keepset/bytes';

/** Holds a key-encryption key and uses it; the key itself never leaves. */
export interface KekProvider {
  /** Names the key, so that data sealed under another one is recognised. 8 bytes. */
  readonly id: Uint8Array;
  wrap(dataKey: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /** @throws KeepsetError `store/damaged` */
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
}

const ivLength = 12;
const tagLength = 16;

const encrypt = (key: Uint8Array, plaintext: Uint8Array, context: Uint8Array): Uint8Array => {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(context);
  return new Uint8Array(Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
};

const decrypt = (key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array => {
  try {
    const iv = sealed.subarray(0, ivLength);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagLength }).setAAD(context);
    decipher.setAuthTag(sealed.subarray(-tagLength));
    return new Uint8Array(
      Buffer.concat([decipher.update(sealed.subarray(ivLength, -tagLength)), decipher.final()]),
    );
  } catch (cause) {
    throw new KeepsetError(
      'store/damaged',
      'Sealed data does not open: it was changed or belongs elsewhere.',
      { cause },
    );
  }
};

/** How to treat a key-encryption key file. */
export interface FileKekOptions {
  /** Makes the file with fresh randomness when it is missing. False once anything is sealed under it. */
  readonly create: boolean;
}

/**
 * A key-encryption key in a file: 64 hex digits.
 * @throws KeepsetError `store/unavailable` when the file is missing and must not be made, or others may read it;
 * `store/damaged` when it holds no key.
 */
export const fileKek = (file: string, { create }: FileKekOptions): KekProvider => {
  if (!existsSync(file)) {
    if (!create)
      throw new KeepsetError('store/unavailable', `The key-encryption key file ${file} is missing.`, {
        hint: 'The data folder was sealed under it: put it back, or name it with --kek. A new one opens nothing.',
      });
    usable(file, () => createKek(file));
  }
  const key = usable(file, () => readKek(file));
  return {
    id: createHash('sha256').update('keepset/kek-id/v1').update(key).digest().subarray(0, 8),
    wrap: (dataKey, context) => Promise.resolve(encrypt(key, dataKey, context)),
    unwrap: async (wrapped, context) => Promise.resolve(decrypt(key, wrapped, context)),
  };
};

const usable = <T>(file: string, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('store/unavailable', `The key-encryption key file ${file} cannot be used.`, {
      hint: 'Check the permissions of its folder, or name another file with --kek.',
      cause,
    });
  }
};

const readKek = (file: string): Uint8Array => {
  const text = readFileSync(file, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new KeepsetError('store/damaged', `${file} is not a key-encryption key (64 hex digits).`, {
      hint: 'Name the one that belongs to this data folder with --kek, or put it back from a backup. Delete nothing.',
    });
  if ((statSync(file).mode & 0o077) !== 0)
    throw new KeepsetError('store/unavailable', `${file} can be read by others.`, {
      hint: `chmod 600 ${file}`,
    });
  return fromHex(text);
};

/**
 * Makes the file whole and durable before anything is sealed under it: half a file, or one that a power cut takes
 * back, would lose every share.
 */
const createKek = (file: string): void => {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${toHex(randomBytes(6))}.tmp`);
  const handle = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(handle, `${toHex(randomBytes(32))}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    // A link, not a rename: of two servers that start at once the first one's key stays.
    linkSync(temporary, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(folder);
};

const syncFolder = (folder: string): void => {
  // Windows cannot open folders.
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
};

interface Envelope {
  readonly v: number;
  readonly kek: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly sealed: Uint8Array;
}

const envelopeSchema: Schema<Envelope> = v.strictObject({
  v: v.literal(1),
  kek: bytesOfLength(8),
  wrapped: bytesBetween(1, 4096),
  sealed: bytesBetween(ivLength + tagLength, 2 * 1024 * 1024),
});

/** Seals data under a fresh data key, and the data key under the key-encryption key; both are bound to `context`. */
export const sealEnvelope = async (
  kek: KekProvider,
  plaintext: Uint8Array,
  context: Uint8Array,
): Promise<Uint8Array> => {
  const dataKey = new Uint8Array(randomBytes(32));
  const sealed = encrypt(dataKey, plaintext, context);
  const wrapped = await kek.wrap(dataKey, context);
  dataKey.fill(0);
  return encodeCbor({ v: 1, kek: kek.id, wrapped, sealed });
};

const readEnvelope = (bytes: Uint8Array): Envelope => {
  try {
    return decodeAs(envelopeSchema, bytes, 'sealed record');
  } catch (cause) {
    throw new KeepsetError('store/damaged', 'This is no sealed record, or it was changed.', { cause });
  }
};

/** @throws KeepsetError `store/damaged` when changed, moved to another context, or sealed under another key. */
export const openEnvelope = async (
  kek: KekProvider,
  bytes: Uint8Array,
  context: Uint8Array,
): Promise<Uint8Array> => {
  const envelope = readEnvelope(bytes);
  if (toHex(envelope.kek) !== toHex(kek.id))
    throw new KeepsetError('store/damaged', 'This was sealed under another key-encryption key.', {
      hint: 'Start the server with the key-encryption key file that belongs to this data folder.',
    });
  const dataKey = await kek.unwrap(envelope.wrapped, context);
  const plaintext = decrypt(dataKey, envelope.sealed, context);
  dataKey.fill(0);
  return plaintext;
};

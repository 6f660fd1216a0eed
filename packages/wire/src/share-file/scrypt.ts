/**
 * age's passphrase recipient with the slow part injectable, so that a phone or a server can run it off its main
 * thread. Byte for byte what stock age writes and reads.
 * @spec C2SP age.md, "The scrypt recipient type"
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { scryptAsync } from '@noble/hashes/scrypt.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { base64nopad } from '@scure/base';
import { Stanza, type Identity, type Recipient } from 'age-encryption';
import { KeepsetError, concatBytes, utf8ToBytes } from '@keepset/bytes';

/**
 * Computes scrypt with N = 2^`workFactor`, r = 8, p = 1 and 32 bytes of output. Implementations may run it anywhere;
 * they must not keep passphrase or output.
 */
export type ScryptWork = (
  passphrase: Uint8Array,
  salt: Uint8Array,
  workFactor: number,
) => Promise<Uint8Array>;

/** What age writes by default: about 2 seconds and 256 MiB. */
export const defaultWorkFactor = 18;

/** The most a file may ask of its reader: 1 GiB. */
export const maxWorkFactor = 20;

const label = utf8ToBytes('age-encryption.org/v1/scrypt');
const zeroNonce = (): Uint8Array => new Uint8Array(12);

/** Runs here, giving way to other work now and then. */
export const scryptInline: ScryptWork = (passphrase, salt, workFactor) =>
  scryptAsync(passphrase, salt, { N: 2 ** workFactor, r: 8, p: 1, dkLen: 32, maxmem: 2 ** 31 });

const wrappingKey = (
  passphrase: string,
  salt: Uint8Array,
  workFactor: number,
  work: ScryptWork,
): Promise<Uint8Array> => work(utf8ToBytes(passphrase), concatBytes(label, salt), workFactor);

/** Wraps the file key under a passphrase. Must be a file's only recipient. */
export const scryptRecipient = (passphrase: string, workFactor: number, work: ScryptWork): Recipient => ({
  wrapFileKey: async (fileKey) => {
    const salt = randomBytes(16);
    const key = await wrappingKey(passphrase, salt, workFactor, work);
    const body = chacha20poly1305(key, zeroNonce()).encrypt(fileKey);
    return [new Stanza(['scrypt', base64nopad.encode(salt), String(workFactor)], body)];
  },
});

/** Unwraps with a passphrase, and tells whether a passphrase stanza was there to try. */
export interface ScryptIdentity extends Identity {
  /** True once a passphrase stanza was tried and did not open. */
  readonly refused: () => boolean;
}

/**
 * @throws KeepsetError from `unwrapFileKey`: `place/damaged` for a malformed stanza or one beside others,
 * `input/unsupported` for a work factor above {@link maxWorkFactor}.
 */
export const scryptIdentity = (passphrase: string, work: ScryptWork): ScryptIdentity => {
  let refused = false;
  return {
    refused: () => refused,
    unwrapFileKey: async (stanzas) => {
      const stanza = stanzas.find(({ args }) => args[0] === 'scrypt');
      if (stanza === undefined) return null;
      if (stanzas.length !== 1) throw damaged();
      const { salt, workFactor } = parseStanza(stanza);
      const key = await wrappingKey(passphrase, salt, workFactor, work);
      try {
        return chacha20poly1305(key, zeroNonce()).decrypt(stanza.body);
      } catch {
        refused = true;
        return null;
      }
    },
  };
};

const parseStanza = ({ args, body }: Stanza): { salt: Uint8Array; workFactor: number } => {
  const [, saltText, factorText, ...rest] = args;
  if (saltText === undefined || factorText === undefined || rest.length > 0) throw damaged();
  if (!/^[1-9][0-9]?$/.test(factorText) || body.length !== 32) throw damaged();
  const salt = decodeSalt(saltText);
  const workFactor = Number(factorText);
  if (workFactor > maxWorkFactor)
    throw new KeepsetError('input/unsupported', `The file asks for scrypt work factor ${workFactor}.`, {
      hint: `Keepset computes at most ${maxWorkFactor}; open it with the age command if you trust the file.`,
    });
  return { salt, workFactor };
};

const decodeSalt = (text: string): Uint8Array => {
  let salt: Uint8Array;
  try {
    salt = base64nopad.decode(text);
  } catch {
    throw damaged();
  }
  if (salt.length !== 16) throw damaged();
  return salt;
};

const damaged = (): KeepsetError =>
  new KeepsetError('place/damaged', 'The passphrase part of the age header is malformed.');

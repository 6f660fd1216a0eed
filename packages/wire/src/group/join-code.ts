import { sha256 } from '@noble/hashes/sha2.js';
import {
  KeepsetError,
  bytesEqual,
  concatBytes,
  fromBase32,
  fromUtf8,
  toBase32,
  utf8ToBytes,
} from '@keepset/bytes';

/**
 * What one device needs to join a session that another has started, as one line a person can type, paste or scan.
 * It is a secret: whoever has it can take part as that party.
 */
export interface JoinCode {
  /** The session, 32 bytes. */
  readonly session: Uint8Array;
  /** Shared by the initiator and this one joiner, 16 random bytes. */
  readonly secret: Uint8Array;
  /** The party that started the session. */
  readonly initiator: string;
}

const prefix = 'keepset-join-';
const sessionLength = 32;
const secretLength = 16;
const nameAt = sessionLength + secretLength;
const checkLength = 2;

/** `keepset-join-…`: base32 of session, secret, the initiator's name, and two check bytes. */
export const printJoinCode = ({ session, secret, initiator }: JoinCode): string => {
  const body = concatBytes(session, secret, utf8ToBytes(initiator));
  return `${prefix}${toBase32(concatBytes(body, sha256(body).subarray(0, checkLength)))}`;
};

/** @throws KeepsetError `input/malformed` for anything that is no join code, typing mistakes included. */
export const parseJoinCode = (text: string): JoinCode => {
  const trimmed = text.trim().toLowerCase();
  if (!trimmed.startsWith(prefix)) throw notACode();
  const bytes = fromBase32(trimmed.slice(prefix.length));
  if (bytes.length <= nameAt + checkLength || bytes.length > nameAt + 32 + checkLength) throw notACode();
  const body = bytes.subarray(0, -checkLength);
  if (!bytesEqual(sha256(body).subarray(0, checkLength), bytes.subarray(-checkLength))) throw notACode();
  const initiator = fromUtf8(body.subarray(nameAt));
  return { session: body.slice(0, sessionLength), secret: body.slice(sessionLength, nameAt), initiator };
};

const notACode = (): KeepsetError =>
  new KeepsetError('input/malformed', 'This is not a join code, or it was mistyped.', {
    hint: 'It begins with keepset-join- and is shown by the device that started the ceremony.',
  });

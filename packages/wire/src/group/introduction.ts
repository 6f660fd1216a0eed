/**
 * How devices that take part in one session learn one another's keys without trusting the server between them.
 *
 * Each joiner sends its public key to the initiator, and the initiator sends the whole roster to each joiner, both
 * sealed under the secret of the join code. Whoever has no join code can neither read nor forge them. The check words
 * hash the roster: an initiator that shows different rosters to different devices shows different words.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { randomBytes } from '@noble/hashes/utils.js';
import * as v from 'valibot';
import {
  KeepsetError,
  bytesOfLength,
  concatBytes,
  decodeAs,
  encodeCbor,
  hashValue,
  utf8ToBytes,
  type Schema,
} from '@keepset/bytes';
import { groupFields, groupSchema, type GroupKey } from '@keepset/threshold';
import { partyName, sessionStart, withoutUndefined, type SessionStart } from '../messages/protocol.ts';
import { startFields } from '../messages/session.ts';
import type { ScryptWork } from '../share-file/scrypt.ts';
import type { JoinCode } from './join-code.ts';

/** A device in the roster. */
export interface Member {
  readonly party: string;
  /** X25519 public key for this session only, 32 bytes. */
  readonly key: Uint8Array;
}

/** A joiner's first message. */
export interface Hello {
  readonly party: string;
  readonly key: Uint8Array;
}

/** The initiator's answer: what the session is about and who takes part. */
export interface Roster {
  readonly start: SessionStart;
  /** Party that started the session. */
  readonly initiator: string;
  /** All devices, in policy order; the server is not among them. */
  readonly members: readonly Member[];
  /** The key's public data, for members that hold no share of it yet: they take it on the initiator's word. */
  readonly key?: GroupKey;
}

const member: Schema<Member> = v.strictObject({ party: partyName, key: bytesOfLength(32) });
const helloSchema: Schema<Hello> = member;
const rosterSchema: Schema<Roster> = v.pipe(
  v.strictObject({
    start: sessionStart,
    initiator: partyName,
    members: v.pipe(v.array(member), v.minLength(2), v.maxLength(32)),
    key: v.optional(groupSchema),
  }),
  v.transform((value) => withoutUndefined(value) as Roster),
);

type Direction = 'hello' | 'roster';

const keyFor = ({ session, secret }: JoinCode, direction: Direction): Uint8Array =>
  hkdf(sha256, secret, session, utf8ToBytes(`keepset/join/${direction}/v1`), 32);

const nonceLength = 12;

const seal = (code: JoinCode, direction: Direction, plaintext: Uint8Array): Uint8Array => {
  const nonce = randomBytes(nonceLength);
  return concatBytes(
    nonce,
    chacha20poly1305(keyFor(code, direction), nonce, code.session).encrypt(plaintext),
  );
};

const open = (code: JoinCode, direction: Direction, sealed: Uint8Array): Uint8Array => {
  try {
    const nonce = sealed.subarray(0, nonceLength);
    return chacha20poly1305(keyFor(code, direction), nonce, code.session).decrypt(
      sealed.subarray(nonceLength),
    );
  } catch (cause) {
    throw new KeepsetError('transport/untrusted-peer', 'An introduction was not made with this join code.', {
      hint: 'Start again, and hand over the new code by another way: whoever answered did not have this one.',
      cause,
    });
  }
};

export const sealHello = (code: JoinCode, hello: Hello): Uint8Array =>
  seal(code, 'hello', encodeCbor({ ...hello }));

/** @throws KeepsetError `transport/untrusted-peer` or of family `wire/` */
export const openHello = (code: JoinCode, sealed: Uint8Array): Hello =>
  decodeAs(helloSchema, open(code, 'hello', sealed), 'introduction');

const rosterFields = ({ start, initiator, members, key }: Roster): Uint8Array =>
  encodeCbor({
    start: startFields(start),
    initiator,
    members: members.map((each) => ({ ...each })),
    key: key === undefined ? undefined : groupFields(key),
  });

export const sealRoster = (code: JoinCode, roster: Roster): Uint8Array =>
  seal(code, 'roster', rosterFields(roster));

/** @throws KeepsetError `transport/untrusted-peer` or of family `wire/` */
export const openRoster = (code: JoinCode, sealed: Uint8Array): Roster =>
  decodeAs(rosterSchema, open(code, 'roster', sealed), 'roster');

/**
 * Twenty digits that are equal on all devices exactly when all have the same roster for the same session.
 *
 * An initiator that lies looks for two rosters with equal digits, of which there is one pair among some 2^33 of its
 * choice. So each try is made to cost 16 MiB and tens of milliseconds: no one gets there while people wait.
 * @param scrypt where that runs
 * @spec RFC 7914 scrypt (N = 2^14, r = 8, p = 1) of SHA-256 of session and roster; 66 bits in groups of five digits
 */
export const checkDigits = async (
  session: Uint8Array,
  roster: Roster,
  scrypt: ScryptWork,
): Promise<string> => {
  const hash = hashValue('keepset/join/check/v1', { session, roster: rosterFields(roster) });
  const slow = await scrypt(hash, utf8ToBytes('keepset/join/check/v1'), 14);
  const digits = slow.subarray(0, 20).reduce((number, byte) => number * 256n + BigInt(byte), 0n);
  return (digits % 10n ** 20n)
    .toString()
    .padStart(20, '0')
    .replaceAll(/(\d{5})(?=\d)/g, '$1 ');
};

/**
 * The header of a vault file: an age file sealed to a key that a quorum holds. It decides, before anybody is asked for
 * anything, whether the file is for this key, and what the quorum has to agree with.
 * @spec C2SP age.md, "File header"
 */
import { Decrypter } from 'age-encryption';
import { KeepsetError, printable, utf8ToBytes } from '@keepset/bytes';
import type { Identity } from '../share-file/index.ts';
import { tagEphemerals } from './p256tag.ts';

/** No file with a longer header is opened, in bytes. It leaves room for hundreds of recipients. */
export const maxVaultHeaderBytes = 65_536;

/** Each costs the quorum an opening of its own, and whoever sealed the file chose how many there are. */
const maxStanzas = 4;

/**
 * Reads the header at the beginning of a binary age file.
 * @param head the file, or its first {@link maxVaultHeaderBytes} at least.
 * @returns the ephemeral points, 65 bytes each, of the stanzas that name this key: one, unless the file was sealed to
 * it more than once.
 * @throws KeepsetError `input/malformed` for what is no age file or a damaged one, `wire/unsupported-version`,
 * `wire/too-large`, `input/unknown-key` when the file is sealed to others only.
 */
export const readVaultHeader = async (
  head: Uint8Array,
  publicKey: Uint8Array,
): Promise<readonly Uint8Array[]> => {
  checkVersion(head);
  const stanzas = await stanzasOf(head.subarray(0, headerLength(head)));
  let ephemerals: readonly Uint8Array[];
  try {
    ephemerals = tagEphemerals(publicKey, stanzas);
  } catch (cause) {
    throw damaged(cause);
  }
  if (ephemerals.length === 0)
    throw new KeepsetError('input/unknown-key', 'This file is not sealed to this key.', {
      hint: `It is sealed to: ${recipientTypes(stanzas)}. Name another key with --key.`,
    });
  if (ephemerals.length > maxStanzas)
    throw new KeepsetError('wire/too-large', `This file names the key ${ephemerals.length} times.`, {
      hint: `At most ${maxStanzas} are tried: each asks the whole quorum.`,
    });
  return ephemerals;
};

type Stanzas = Parameters<Identity['unwrapFileKey']>[0];

/** The library parses the header and offers its stanzas to an identity that takes none of them. */
const stanzasOf = async (header: Uint8Array): Promise<Stanzas> => {
  let seen: Stanzas | undefined;
  const onlooker: Identity = {
    unwrapFileKey: (stanzas) => {
      seen = stanzas;
      return null;
    },
  };
  const reader = new Decrypter();
  reader.addIdentity(onlooker);
  try {
    await reader.decryptHeader(header);
  } catch (cause) {
    // Thrown also when the stanzas were taken note of, since none of them was opened.
    if (seen === undefined) throw damaged(cause);
  }
  if (seen === undefined) throw damaged();
  return seen;
};

const recipientTypes = (stanzas: Stanzas): string =>
  [...new Set(stanzas.map(({ args }) => printable(args[0] ?? '').slice(0, 32)))].slice(0, 8).join(', ');

const checkVersion = (head: Uint8Array): void => {
  const line = firstLine(head);
  if (line === 'age-encryption.org/v1') return;
  if (/^age-encryption\.org\/v[2-9]$/.test(line))
    throw new KeepsetError('wire/unsupported-version', 'A later version of the age format.', {
      hint: 'Update Keepset.',
    });
  throw new KeepsetError('input/malformed', 'This is not an age file.', {
    hint: 'Seal a file with `keepset seal`, or with any age program to the recipient that `keepset show` prints.',
  });
};

const firstLine = (head: Uint8Array): string =>
  String.fromCharCode(...head.subarray(0, 32)).split('\n')[0] ?? '';

/** Length of the header with its last line. */
const headerLength = (head: Uint8Array): number => {
  const within = head.subarray(0, maxVaultHeaderBytes);
  const mac = indexOf(within, utf8ToBytes('\n--- '));
  const end = mac < 0 ? -1 : within.indexOf(0x0a, mac + 1);
  if (end >= 0) return end + 1;
  if (head.length >= maxVaultHeaderBytes)
    throw new KeepsetError(
      'wire/too-large',
      `The header of this file is longer than ${maxVaultHeaderBytes} bytes.`,
    );
  throw damaged();
};

const indexOf = (bytes: Uint8Array, part: Uint8Array): number => {
  const last = bytes.length - part.length;
  for (let at = 0; at <= last; at++) if (part.every((byte, i) => bytes[at + i] === byte)) return at;
  return -1;
};

const damaged = (cause?: unknown): KeepsetError =>
  new KeepsetError('input/malformed', 'The header of this age file is damaged or cut off.', { cause });

import { KeepsetError } from '@keepset/bytes';
import { ethereumMessageFormat } from './ethereum-message.ts';
import { ethereumFormat, looksLikeEthereum } from './ethereum.ts';
import type { Format, Intent, IntentKey, IntentKind, IntentOptions, KeyScheme } from './intent.ts';
import { peekJsonObject } from './json.ts';
import { jwtFormat, registeredClaims } from './jwt.ts';
import { checkedKey, requireScheme } from './key.ts';
import { maxTokenBytes } from './limits.ts';
import { looksLikePsbt, psbtFormat } from './psbt.ts';
import { rawFormat } from './raw.ts';
import { sshFormat } from './ssh.ts';

/** Every format, in the order in which help texts name them. */
export const formats: readonly Format[] = [
  sshFormat,
  rawFormat,
  psbtFormat,
  ethereumFormat,
  ethereumMessageFormat,
  jwtFormat,
];

/** Formats that a key of this scheme can sign. */
export const kindsFor = (scheme: KeyScheme): readonly IntentKind[] =>
  formats.filter(({ schemes }) => schemes.includes(scheme)).map(({ kind }) => kind);

/**
 * Takes `bytes` as `options.as`, or finds out what they are: a PSBT, an Ethereum transaction, else a file,
 * which keys that SSH knows sign as `ssh` and others as `raw`. Personal messages and tokens are never guessed.
 * @throws KeepsetError `input/unsupported` if the key's scheme does not fit, naming those that do;
 * `input/invalid-argument` if the bytes may mean two things, naming the choices for `as`; what the format throws.
 */
export const detectIntent = (bytes: Uint8Array, key: IntentKey, options: IntentOptions = {}): Intent =>
  createIntent(options.as ?? detectKind(bytes, key.scheme), bytes, key, options);

/**
 * Takes `bytes` as one format.
 * @throws KeepsetError as {@link detectIntent}
 */
export const createIntent = (
  kind: IntentKind,
  bytes: Uint8Array,
  key: IntentKey,
  options: IntentOptions = {},
): Intent => {
  const format = formats.find((candidate) => candidate.kind === kind);
  if (format === undefined)
    throw new KeepsetError('input/invalid-argument', 'Unknown format.', {
      hint: `Use --as with one of ${formats.map((f) => f.kind).join(', ')}.`,
    });
  const own = checkedKey(key);
  requireScheme(
    own,
    format.schemes,
    format.title,
    `This key signs with --as ${kindsFor(own.scheme).join(', ')}.`,
  );
  return format.create(Uint8Array.from(bytes), own, options);
};

/** @throws KeepsetError `input/invalid-argument` if the bytes may mean two things. */
const detectKind = (bytes: Uint8Array, scheme: KeyScheme): IntentKind => {
  if (looksLikePsbt(bytes)) return 'psbt';
  if (looksLikeEthereum(bytes)) return 'ethereum';
  const file = sshFormat.schemes.includes(scheme) ? 'ssh' : 'raw';
  if (jwtFormat.schemes.includes(scheme) && looksLikeClaims(bytes))
    throw new KeepsetError('input/invalid-argument', 'This may be a token payload or just a JSON file.', {
      hint: `Say which: --as jwt, --as ${file} or --as raw.`,
    });
  return file;
};

const looksLikeClaims = (bytes: Uint8Array): boolean => {
  const json = bytes.length > maxTokenBytes ? undefined : peekJsonObject(bytes);
  return json !== undefined && registeredClaims.some((name) => Object.hasOwn(json, name));
};

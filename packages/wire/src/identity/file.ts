/**
 * The identity file: text that `age -d -i FILE` takes as it is. The signing key stands in comment lines, which age
 * skips. With a passphrase the same text is an armoured age file, which `age -d -i FILE` takes as well.
 * @spec spec/share-file.md, "Identity file"
 */
import { armor } from 'age-encryption';
import { KeepsetError, Secret, fromBase64, fromUtf8, toBase64, utf8ToBytes } from '@keepset/bytes';
import { openAge, sealAge, type PassphraseKey, type PassphraseRecipient } from '../share-file/index.ts';
import { identityOf, openingKeyOf, type DeviceIdentity } from './identity.ts';
import { fromPkcs8, toPkcs8 } from './pkcs8.ts';

const title = '# keepset device identity v1';
const signingKeyLabel = '# signing key (P-256, PKCS #8): ';
const maxFileBytes = 16_384;

/**
 * The file's text, as a secret in UTF-8 when in clear.
 * @param createdAt UTC instant, for people.
 */
export const encodeIdentityFile = (identity: DeviceIdentity, createdAt: string): Secret => {
  const der = toPkcs8(identity.signingKey.reveal());
  const lines = [
    title,
    `# created: ${createdAt}`,
    `# public key: ${identity.recipient}`,
    `# public signing key (P-256): ${toBase64(identity.publicSigningKey)}`,
    `${signingKeyLabel}${toBase64(der)}`,
    openingKeyOf(identity),
    '',
  ];
  der.fill(0);
  return new Secret(utf8ToBytes(lines.join('\n')));
};

/**
 * The file sealed under a passphrase, armoured.
 * @throws KeepsetError `input/invalid-argument`
 */
export const encryptIdentityFile = async (
  identity: DeviceIdentity,
  createdAt: string,
  passphrase: PassphraseRecipient,
): Promise<string> => {
  const text = encodeIdentityFile(identity, createdAt);
  try {
    return armor.encode(await sealAge(text.reveal(), passphrase));
  } finally {
    text.wipe();
  }
};

/** Whether a passphrase is needed to read the file. */
export const isEncryptedIdentity = (file: Uint8Array): boolean => {
  const start = utf8ToBytes('-----BEGIN AGE ENCRYPTED FILE-----');
  return start.every((byte, i) => file[i] === byte);
};

/**
 * Reads either form. A passphrase given for a file in clear is not used.
 * @throws KeepsetError `place/locked` (a passphrase is needed), `input/wrong-passphrase`, `place/damaged`,
 * `wire/unsupported-version`, `wire/too-large`.
 */
export const decodeIdentityFile = async (
  file: Uint8Array,
  passphrase?: PassphraseKey,
): Promise<DeviceIdentity> => {
  if (file.length > maxFileBytes)
    throw new KeepsetError('wire/too-large', `An identity file has at most ${maxFileBytes} bytes.`);
  if (!isEncryptedIdentity(file)) return parseText(file);
  if (passphrase === undefined)
    throw new KeepsetError('place/locked', 'The identity file is locked with a passphrase.');
  const text = await openAge(dearmour(file), [passphrase]);
  try {
    return await parseText(text);
  } finally {
    text.fill(0);
  }
};

const dearmour = (file: Uint8Array): Uint8Array => {
  try {
    return armor.decode(fromUtf8(file));
  } catch (cause) {
    throw new KeepsetError('place/damaged', 'The armour of the identity file is damaged.', { cause });
  }
};

const parseText = async (file: Uint8Array): Promise<DeviceIdentity> => {
  try {
    const lines = fromUtf8(file).split('\n');
    const [first = ''] = lines;
    if (first !== title) throw notIdentity(first);
    const signingKey = onlyLine(lines, signingKeyLabel).slice(signingKeyLabel.length);
    const der = fromBase64(signingKey);
    const scalar = fromPkcs8(der);
    der.fill(0);
    return await identityOf(onlyLine(lines, 'AGE-SECRET-KEY-'), scalar);
  } catch (cause) {
    if (cause instanceof KeepsetError && cause.family !== 'input') throw cause;
    // No cause: it could quote a key.
    throw new KeepsetError('place/damaged', 'The identity file is damaged.');
  }
};

const notIdentity = (first: string): KeepsetError =>
  /^# keepset device identity v\d+$/.test(first)
    ? new KeepsetError('wire/unsupported-version', 'A later version of the identity file.', {
        hint: 'Update Keepset.',
      })
    : new KeepsetError('place/damaged', 'Not a Keepset identity file.');

const onlyLine = (lines: readonly string[], start: string): string => {
  const [line, ...others] = lines.filter((text) => text.startsWith(start));
  if (line === undefined || others.length > 0)
    throw new KeepsetError('place/damaged', 'The identity file lacks a key or holds two.');
  return line;
};

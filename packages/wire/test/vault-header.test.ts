import { createECDH } from 'node:crypto';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, concatBytes, toHex, utf8ToBytes } from '@keepset/bytes';
import { maxVaultHeaderBytes, readVaultHeader, tagRecipient } from '../src/index.ts';

const newKey = (): Uint8Array => Uint8Array.from(createECDH('prime256v1').generateKeys());
const own = newKey();
const sealTo = async (...recipients: readonly string[]): Promise<Uint8Array> => {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(new Uint8Array(100_000));
};
const refusal = async (head: Uint8Array): Promise<KeepsetError> => {
  try {
    await readVaultHeader(head, own);
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('it was read');
};
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const encOf = (line: string): string =>
  toHex(Uint8Array.from(Buffer.from(line.split(' ')[3] ?? '', 'base64')));

let file: Uint8Array;
let x25519: string;
beforeAll(async () => {
  file = await sealTo(tagRecipient(own));
  x25519 = await identityToRecipient(await generateX25519Identity());
});

describe('the header of a vault file', () => {
  it('gives the ephemeral point of the stanza that names the key, wherever it stands', async () => {
    const others = [x25519, tagRecipient(newKey()), tagRecipient(newKey())];
    for (const recipients of [[], others.slice(0, 1), others]) {
      const sealed = await sealTo(...recipients, tagRecipient(own), ...recipients);
      const line = latin(sealed)
        .split('\n')
        .filter((each) => each.startsWith('-> p256tag'))[
        recipients.filter((each) => each.startsWith('age1tag')).length
      ];
      const found = await readVaultHeader(sealed.slice(0, maxVaultHeaderBytes), own);
      expect(found.map(toHex)).toEqual([encOf(line ?? '')]);
    }
  });

  it('gives several when it was sealed to the key several times, but not many', async () => {
    const times = (n: number): string[] => Array.from({ length: n }, () => tagRecipient(own));
    const found = await readVaultHeader(await sealTo(...times(4)), own);
    expect(new Set(found.map(toHex)).size).toBe(4);
    expect((await refusal(await sealTo(...times(5)))).code).toBe('wire/too-large');
  });

  it('of a file for others is refused, and says for whom it is', async () => {
    const error = await refusal(await sealTo(x25519, tagRecipient(newKey())));
    expect(error.code).toBe('input/unknown-key');
    expect(error.hint).toContain('X25519, p256tag');
  });

  it('is needed whole, and no more than it', async () => {
    const length = latin(file).indexOf('\n', latin(file).indexOf('\n--- ') + 1) + 1;
    expect(await readVaultHeader(file.slice(0, length), own)).toHaveLength(1);
    for (let cut = 0; cut < length; cut += 1)
      expect((await refusal(file.slice(0, cut))).code, String(cut)).toBe('input/malformed');
  });

  it('that is none, or of another format, is refused', async () => {
    for (const text of ['', 'PK\x03\x04', '%PDF-1.7\n', 'age-encryption.org/v1', 'age-encryption.org/v1\n\n'])
      expect((await refusal(utf8ToBytes(text))).code, text).toBe('input/malformed');
    expect((await refusal(concatBytes(utf8ToBytes('x'), file))).code).toBe('input/malformed');
    expect((await refusal(bytesOf(latin(file).replace('/v1', '/v2')))).code).toBe('wire/unsupported-version');
    expect((await refusal(bytesOf(latin(file).replace('/v1', '/v10')))).code).toBe('input/malformed');
    expect((await refusal(bytesOf(latin(file).replace('-> p256tag', '-> ')))).code).toBe('input/malformed');
  });

  it('with a malformed stanza is damaged, whoever the stanza is for', async () => {
    const text = latin(file);
    const [, tag = '', enc = ''] = /^-> p256tag (\S+) (\S+)$/m.exec(text) ?? [];
    for (const wrong of [
      text.replace(enc, enc.slice(0, -4)),
      text.replace(enc, 'A'.repeat(87)),
      text.replace(tag, 'AAAAA'),
      text.replace(tag, `${tag} x`),
      text.replace(` ${enc}`, ''),
    ])
      expect((await refusal(bytesOf(wrong))).code).toBe('input/malformed');
  });

  it('that never ends is given up', async () => {
    const stanza = '-> grease x\n\n';
    const long = `age-encryption.org/v1\n${stanza.repeat(maxVaultHeaderBytes / stanza.length + 1)}`;
    expect((await refusal(utf8ToBytes(long))).code).toBe('wire/too-large');
    expect((await refusal(utf8ToBytes(`${long}--- AAAA\n`))).code).toBe('wire/too-large');
    expect((await refusal(utf8ToBytes(long.slice(0, 50_000)))).code).toBe('input/malformed');
  });

  it('shows nothing of a stranger that could act on a terminal', async () => {
    const { hint } = await refusal(
      bytesOf(latin(await sealTo(x25519)).replace('-> X25519', `-> ${'y'.repeat(300)}`)),
    );
    expect(hint?.length).toBeLessThan(120);
  });
});

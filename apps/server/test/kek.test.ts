/** The key-encryption key in its file, and what is sealed under it. */
import * as fc from 'fast-check';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeepsetError, encodeCbor, toHex, utf8ToBytes } from '@keepset/bytes';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { fileKek, openEnvelope, sealEnvelope, type KekProvider } from '../src/secrets/kek.ts';

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};
const context = utf8ToBytes('context');
const newKek = (): KekProvider => fileKek(join(temporaryFolder(), 'kek'), { create: true });

describe('the file', () => {
  it('is made with fresh randomness, for its owner alone, and is the same afterwards', () => {
    const file = join(temporaryFolder(), 'inner', 'kek');
    const made = fileKek(file, { create: true });
    expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(file, '..'))).toEqual(['kek']);
    expect(toHex(fileKek(file, { create: false }).id)).toBe(toHex(made.id));
    expect(toHex(newKek().id)).not.toBe(toHex(made.id));
  });

  it('is never made where something is sealed under it already', async () => {
    const file = join(temporaryFolder(), 'kek');
    expect(await codeOf(() => fileKek(file, { create: false }))).toBe('store/unavailable');
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['too little', 'ab'.repeat(31)],
    ['too much', 'ab'.repeat(33)],
    ['no hex', 'xy'.repeat(32)],
    ['capitals', 'AB'.repeat(32)],
  ])('with %s in it is damaged, and stays as it is', async (_, text) => {
    const file = join(temporaryFolder(), 'kek');
    writeFileSync(file, text, { mode: 0o600 });
    expect(await codeOf(() => fileKek(file, { create: true }))).toBe('store/damaged');
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('that others can read is refused', async () => {
    const file = join(temporaryFolder(), 'kek');
    fileKek(file, { create: true });
    for (const mode of [0o640, 0o604, 0o644, 0o660]) {
      chmodSync(file, mode);
      expect(await codeOf(() => fileKek(file, { create: false }))).toBe('store/unavailable');
    }
  });

  it('that cannot be made or read is unavailable', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    expect(await codeOf(() => fileKek(join(folder, 'file', 'kek'), { create: true }))).toBe(
      'store/unavailable',
    );
    mkdirSync(join(folder, 'folder'));
    expect(await codeOf(() => fileKek(join(folder, 'folder'), { create: true }))).toBe('store/unavailable');
  });
});

describe('envelopes', () => {
  it('property: what is sealed is opened, by the same key in the same context', async () => {
    const kek = newKek();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.uint8Array({ maxLength: 50 }),
        async (plain, about) => {
          const sealed = await sealEnvelope(kek, plain, about);
          expect(toHex(await openEnvelope(kek, sealed, about))).toBe(toHex(plain));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('property: no byte can be changed', async () => {
    const kek = newKek();
    const sealed = await sealEnvelope(kek, utf8ToBytes('a share'), context);
    for (let at = 0; at < sealed.length; at += 1)
      expect(await codeOf(() => openEnvelope(kek, sealed.with(at, sealed[at]! ^ 1), context))).toBe(
        'store/damaged',
      );
    for (let length = 0; length < sealed.length; length += 7)
      expect(await codeOf(() => openEnvelope(kek, sealed.subarray(0, length), context))).toBe(
        'store/damaged',
      );
  });

  it('open neither in another context nor under another key, nor are two alike', async () => {
    const kek = newKek();
    const plain = utf8ToBytes('a share');
    const sealed = await sealEnvelope(kek, plain, context);
    expect(await codeOf(() => openEnvelope(kek, sealed, utf8ToBytes('another')))).toBe('store/damaged');
    expect(await codeOf(() => openEnvelope(newKek(), sealed, context))).toBe('store/damaged');
    expect(toHex(await sealEnvelope(kek, plain, context))).not.toBe(toHex(sealed));
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no CBOR', utf8ToBytes('hello')],
    ['another map', encodeCbor({ v: 1 })],
    [
      'another version',
      encodeCbor({ v: 2, kek: new Uint8Array(8), wrapped: new Uint8Array(60), sealed: new Uint8Array(60) }),
    ],
  ])('%s is damaged', async (_, bytes) => {
    expect(await codeOf(() => openEnvelope(newKek(), bytes, context))).toBe('store/damaged');
  });
});

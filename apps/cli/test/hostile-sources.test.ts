/** Folders and pictures made to harm whoever looks for a copy in them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { expect, it } from 'vitest';
import { silentTerminal } from '../../../tests/support/device.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { readPicture } from '../src/places/kit/png.ts';
import { openAll } from '../src/recovery/source.ts';

const codes = ['AGE-SECRET-KEY-1'];

it('a picture may not be interlaced: those are unpacked without a limit', async () => {
  const path = join(temporaryFolder(), 'page.png');
  const picture = PNG.sync.write(new PNG({ width: 1, height: 1 }));
  writeFileSync(path, picture);
  expect(await readPicture(path)).toMatchObject({ width: 1, height: 1 });
  // Of one pixel the only difference.
  picture[28] = 1;
  picture.writeUInt32BE(crc32(picture.subarray(12, 29)), 29);
  expect(PNG.sync.read(picture)).toMatchObject({ width: 1, height: 1 });
  writeFileSync(path, picture);
  await expect(readPicture(path)).rejects.toMatchObject({
    code: 'input/invalid-argument',
    message: expect.stringContaining('interlaced') as string,
  });
});

it.each([
  ['many', 600, 'short'],
  ['large', 40, 'x'.repeat(1 << 20)],
])('a folder of %s files is not read to its end', async (_, count, content) => {
  const folder = temporaryFolder();
  for (const inner of ['a', 'b']) {
    mkdirSync(join(folder, inner));
    for (let i = 0; i < count; i += 1) writeFileSync(join(folder, inner, `${i}.age`), content);
  }
  const source = { codes, passphrase: undefined, kit: undefined };
  await expect(openAll({ ...source, paths: [folder] }, silentTerminal)).rejects.toMatchObject({
    code: 'input/invalid-argument',
    message: expect.stringContaining('too many files') as string,
  });
});

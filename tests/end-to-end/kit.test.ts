/** Printed kits with the real command: made, read back from pictures, and refused where pictures are not enough. */
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openShareFile } from '@keepset/wire';
import { failure, succeed, type Device, type Json } from '../support/commands.ts';
import { createStick, type Copy } from '../support/copies.ts';
import { temporaryFolder } from '../support/folders.ts';
import { reading, scan, typedFrom } from '../support/media.ts';
import { keepset, keepsetJson } from '../support/processes.ts';
import { makeKey, newPhone, newWorld } from '../support/world.ts';

const work = temporaryFolder();
let phone: Device;
let keyId: string;
/** Another copy of the same share, under a code of its own. */
let stick: Copy;
beforeAll(async () => {
  const world = await newWorld();
  phone = await newPhone(world);
  keyId = await makeKey(phone);
  // From here on nothing needs a server.
  await world.server().stop();
  stick = await createStick(join(work, 'stick'), phone);
});

describe('keepset kit', () => {
  const out = join(work, 'kit');
  let kit: Json;
  let pages: string[];
  const rasterise = (pdf: unknown, name: string, ...options: string[]): Promise<string[]> =>
    scan(pdf as string, join(work, `${name}-page`), ...options);
  beforeAll(async () => {
    const printed = await keepset(['kit', '--out', out, ...phone.args]);
    expect(printed.code).toBe(0);
    expect(printed.stdout).toContain('keep them in different places');
    expect(printed.stdout + printed.stderr).not.toContain('AGE-SECRET-KEY');
    kit = await succeed(['kit', '--out', join(work, 'kit2'), '--paper', 'Letter', ...phone.args]);
    pages = await rasterise(kit['shareSheets'], 'share');
  });

  it('makes two private files, each print of a generation of its own', () => {
    const files = readdirSync(out);
    expect(files.map((name) => name.replace(/^keepset-[a-z2-7]{26}-/, '')).toSorted()).toEqual([
      'code.pdf',
      'share.pdf',
    ]);
    for (const name of files) expect(statSync(join(out, name)).mode & 0o777).toBe(0o600);
    expect(kit).toMatchObject({ keyId, epoch: 0 });
    expect(kit['generation']).toBeGreaterThan(1);
  });

  it('is read back from pictures of the sheets: the share, and the code that opens it', async () => {
    // Black and white as a fax makes them, and grey.
    const code = await rasterise(kit['codeSheet'], 'code', '-mono');
    const grey = await rasterise(kit['shareSheets'], 'grey', '-gray');
    const file = join(work, 'from-paper.age');
    const read = await reading(out, () => succeed(['kit', 'read', ...grey, ...code, '--out', file]));
    expect(read).toMatchObject({ kit: kit['kit'], keyId, party: 'phone', generation: kit['generation'] });
    const typed = await typedFrom(kit['codeSheet'] as string);
    const again = join(work, 'again.age');
    await succeed(['kit', 'read', ...pages.toReversed(), '--code', typed, '--out', again]);
    expect(readFileSync(again)).toEqual(readFileSync(file));
    const { share } = await openShareFile(readFileSync(again), [typed.replaceAll(' ', '')]);
    expect(share.group.keyId).toBe(keyId);
    expect((await failure(['kit', 'read', ...pages, '--code', typed, '--out', file])).code).toBe(
      'place/exists',
    );
  });

  it('refuses pictures of nothing, half a kit, other files, and other codes', async () => {
    const file = join(work, 'refused.age');
    const read = (...args: readonly string[]): ReturnType<typeof failure> =>
      failure(['kit', 'read', ...args, '--out', file]);
    expect((await read(...pages, '--code', stick.code)).code).toBe('place/locked');
    expect((await read(...pages)).code).toBe('input/invalid-argument');
    const code = await rasterise(kit['codeSheet'], 'only-code', '-r', '100');
    expect((await read(...code, '--code', stick.code)).code).toBe('place/damaged');
    // The upper part of the first page: some of its codes.
    const part = await rasterise(kit['shareSheets'], 'part', '-l', '1', '-H', '900');
    const half = await read(...part, '--code', stick.code);
    expect(half.code).toBe('place/damaged');
    expect(half.message).toMatch(/^Only [1-9] of the \d+ codes/);
    const bad = join(work, 'bad.png');
    for (const content of [
      Buffer.alloc(0),
      Buffer.from('GIF89a'),
      readFileSync(pages[0] ?? '').subarray(0, 5000),
      // A header that promises 4 billion pixels a side.
      Buffer.concat([readFileSync(pages[0] ?? '').subarray(0, 16), Buffer.alloc(17, 0xff)]),
    ]) {
      writeFileSync(bad, content);
      expect((await keepsetJson(['kit', 'read', bad, '--out', file])).json).toMatchObject({
        error: { code: 'input/invalid-argument' },
      });
    }
    expect(existsSync(file)).toBe(false);
  });
});

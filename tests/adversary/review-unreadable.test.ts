/** A device that is behind, without its server and without a code: what it cannot read just now may be the newest copy. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { stateOf } from '../support/media.ts';
import { solo } from '../support/recovery-ways.ts';
import { copyFolder, done, openScene, tried } from '../support/scene.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const stick = otherMedium();
const image = join(temporaryFolder(), 'stick');
const [before, home] = [join(temporaryFolder(), 'phone'), join(temporaryFolder(), 'phone')];
const behind = ['--home', home];
let code: readonly string[];
/** A file of the container. */
const fileOf = (name: string): string => join(stick, readdirSync(stick)[0] ?? '', name);

beforeAll(async () => {
  const scene = await openScene(temporaryFolder());
  const phone = ['--home', scene.at('phone')];
  await solo(scene);
  // A share of this scheme is too large for parity to bring all of it back.
  await done(['keygen', '--scheme', 'ecdsa-secp256k1', ...phone]);
  const keys = (await done(['keys', ...phone]))['keys'] as { keyId: string; scheme: string }[];
  const key = ['--key', keys.find(({ scheme }) => scheme === 'ecdsa-secp256k1')?.keyId ?? ''];
  code = ['--code', String((await done(['usb', 'create', stick, '--show-code', ...key, ...phone]))['code'])];
  copyFolder(scene.at('phone'), before);
  await done(['usb', 'create', stick, '--again', ...phone]);
  copyFolder(stick, image);
  await scene.close();
});
afterAll(() => rmSync(stick, { recursive: true, force: true }));

it.each([
  ['the metadata', 'share_party2.bak.par'],
  ['its parity blocks', 'metadata.json'],
])('where %s say that it is there, nothing is written over it', async (_, gone) => {
  copyFolder(before, home);
  copyFolder(image, stick);
  const slot = fileOf('share_party2.bak');
  writeFileSync(slot, readFileSync(slot).fill(0));
  writeFileSync(fileOf(gone), '');
  const found = stateOf(stick);
  for (const args of [
    ['usb', 'create', stick, '--again'],
    ['usb', 'repair', stick],
    ['usb', 'verify', stick, '--replugged'],
  ])
    expect(await tried([...args, ...behind])).toBe('place/stale');
  expect(stateOf(stick)).toBe(found);
  // Who has the code has seen what opens.
  await done(['usb', 'create', stick, '--again', ...code, ...behind]);
});

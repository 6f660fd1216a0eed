/** What is noted of a copy was seen where it is noted: a review found ways to have places noted that nobody had read. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { generateIdentity, openingKeyOf } from '@keepset/wire';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger, saveKit, type LedgerCopy } from '../../apps/cli/src/places/ledger.ts';
import { hashesOf, otherMedium, temporaryFolder } from '../support/folders.ts';
import { stateOf } from '../support/media.ts';
import { command, newLife, type Life } from '../support/mortal.ts';
import { solo } from '../support/recovery-ways.ts';
import type { Json } from '../support/recovery.ts';
import { copyFolder, done, madeFolder, openScene, tried, type Scene } from '../support/scene.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const elsewhere = otherMedium();
let scene: Scene;
let home: readonly string[];
beforeAll(async () => {
  scene = await openScene(temporaryFolder());
  await solo(scene);
  home = ['--home', scene.at('phone')];
});
afterAll(async () => {
  await scene.close();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** A folder on another medium than the device. */
const folderElsewhere = (): string => mkdtempSync(join(elsewhere, 'folder-'));

/** What health says of the key, and what the ledger holds of one copy. */
const seenOf = async (kit: string): Promise<{ isProtected: unknown; path?: string; domain?: string }> => {
  const [key] = (await done(['health', ...home]))['keys'] as [Json];
  const ledger = await loadLedger(homePaths({ home: scene.at('phone') }));
  const { path, domain } = ledger.find((each) => each.kit === kit) ?? {};
  return {
    isProtected: key['protected'],
    ...(path === undefined ? {} : { path }),
    ...(domain === undefined ? {} : { domain }),
  };
};

it('a drill reads where it is told to, and notes no other place', async () => {
  const disk = madeFolder(scene.at('disk'));
  const { kit, code } = await done(['backup', disk, '--show-code', ...home]);
  const drill = ['drill', '--copy', String(kit), '--code', String(code), ...home];
  await done(drill);
  const here = { isProtected: false, path: disk, domain: 'device:phone' };
  expect(await seenOf(String(kit))).toEqual(here);
  const other = folderElsewhere();
  for (const offline of [[], ['--offline']]) {
    const found = await tried([...drill, ...offline, other]);
    expect(found).toBe('place/not-found');
    expect(await seenOf(String(kit))).toEqual(here);
  }
  // Where it lies in both, the one that was read counts.
  cpSync(disk, other, { recursive: true });
  await done([...drill, other]);
  expect(await seenOf(String(kit))).toEqual({
    isProtected: true,
    path: other,
    domain: 'location:other-disk',
  });
  await done([...drill, disk]);
  expect(await seenOf(String(kit))).toEqual(here);
});

it('a copy in the keyring lies in no folder', async () => {
  const paths = homePaths({ home: scene.at('phone') });
  const [known] = await loadLedger(paths);
  if (known === undefined) throw new Error('there is a copy');
  const { path: _, ...copy } = known;
  const keyring = { ...copy, kind: 'keyring', kit: 'k'.repeat(26), domain: 'device:phone' } as const;
  await saveKit(paths, keyring);
  const code = ['--code', openingKeyOf(await generateIdentity())];
  const drill = ['drill', folderElsewhere(), '--copy', keyring.kit, '--offline', ...code, ...home];
  expect(await tried(drill)).toBe('input/invalid-argument');
  expect(await loadLedger(paths)).toContainEqual(keyring);
  rmSync(join(paths.root, 'usb-ledger', `${keyring.kit}.cbor`));
});

it('a container that was copied to the disk of the device is lost together with it', async () => {
  const mount = scene.at('mount');
  const plugIn = (medium: string): void => {
    rmSync(mount, { force: true });
    symlinkSync(medium, mount);
  };
  const medium = folderElsewhere();
  plugIn(medium);
  const stick = madeFolder(join(mount, 'stick'));
  const { kit, code } = await done(['usb', 'create', stick, '--show-code', ...home]);
  const verify = (root: string, ...more: string[]): string[] => ['usb', 'verify', root, ...more, ...home];
  await done(verify(stick, '--replugged'));
  await done(verify(stick, '--code', String(code)));
  const there = { isProtected: true, path: stick, domain: `location:medium-${String(kit)}` };
  expect(await seenOf(String(kit))).toEqual(there);
  const disk = join(scene.at('container'), 'stick');
  cpSync(stick, disk, { recursive: true });
  await done(verify(disk));
  const here = { isProtected: false, path: disk, domain: 'device:phone' };
  expect(await seenOf(String(kit))).toEqual(here);
  // Nor is it a medium that was plugged in again, or one that a share may rest on alone.
  const park = ['park', '--from', disk, '--code', String(code), ...home];
  const before = stateOf(disk);
  for (const args of [verify(disk, '--replugged'), park]) expect(await tried(args)).toBe('place/foreign');
  expect(stateOf(disk)).toBe(before);
  await done(verify(stick));
  expect(await seenOf(String(kit))).toEqual(there);
  // Where the stick was mounted the copy may lie now: the path is the same.
  for (const look of [verify(stick), ['remember', stick, '--code', String(code), ...home]]) {
    plugIn(scene.at('container'));
    await done(look);
    expect(await seenOf(String(kit))).toEqual({ ...here, path: stick });
    plugIn(medium);
    await done(look);
    expect(await seenOf(String(kit))).toEqual(there);
  }
  // What is written there from now on is no evidence of the stick.
  expect(await done(['usb', 'create', disk, '--again', ...home])).toMatchObject({ domain: 'device:phone' });
  expect(await seenOf(String(kit))).toEqual(here);
});

it('a repair is noted before it writes: whenever it is cut off, nothing is verified that was not read afterwards', async () => {
  const stick = folderElsewhere();
  const { kit, code } = await done(['usb', 'create', stick, '--show-code', ...home]);
  await done(['usb', 'verify', stick, '--replugged', '--code', String(code), ...home]);
  const copyOf = async (): Promise<LedgerCopy | undefined> =>
    (await loadLedger(homePaths({ home: scene.at('phone') }))).find((each) => each.kit === kit)?.copies[0];
  const verified = await copyOf();
  expect(verified).toMatchObject({ state: 'verified' });
  for (const end of ['enc', 'bak']) {
    const slot = join(stick, `keepset-${String(kit)}`, `share_party2.${end}`);
    writeFileSync(slot, readFileSync(slot).fill(0, 100, 120));
  }
  const [phone, image] = [scene.at('phone-before'), join(folderElsewhere(), 'image')];
  copyFolder(scene.at('phone'), phone);
  copyFolder(stick, image);
  const contents = (): string => [...hashesOf(stick)].toSorted().join();
  const damaged = contents();
  const repair = async (life?: Life): Promise<void> => {
    copyFolder(phone, scene.at('phone'));
    copyFolder(image, stick);
    await command(['usb', 'repair', stick, ...home], life).ended;
  };
  const whole = newLife();
  await repair(whole);
  expect(contents()).not.toBe(damaged);
  const { readBackAt: _, ...unread } = verified ?? {};
  expect(await copyOf()).toEqual({ ...unread, state: 'written' });
  const writing = whole.moments.flatMap((moment, at) => (moment.startsWith('file.') ? [at + 1] : []));
  expect(writing.length).toBeGreaterThan(5);
  for (const at of writing) {
    await repair(newLife(at));
    if (contents() !== damaged) expect(await copyOf()).toEqual({ ...unread, state: 'written' });
  }
});

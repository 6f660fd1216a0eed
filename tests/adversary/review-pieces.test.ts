/** A piece of a stick that is named by its path is that stick: nothing is put beside its slots, and it stays current. */
import { copyFileSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger } from '../../apps/cli/src/places/ledger.ts';
import { openAll } from '../../apps/cli/src/recovery/source.ts';
import { silentTerminal } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { solo } from '../support/recovery-ways.ts';
import { done, expectSignature, madeFolder, openScene, tried, type Scene } from '../support/scene.ts';

vi.setConfig({ testTimeout: 120_000 });

/** A phone with a stick; the phone is gone. */
const lostWithStick = async () => {
  const scene = await openScene(temporaryFolder());
  const { keyId, pem } = await solo(scene);
  const [phone, root] = [scene.at('phone'), madeFolder(scene.at('stick'))];
  const { kit, code } = await done(['usb', 'create', root, '--show-code', '--home', phone]);
  renameSync(phone, scene.at('gone'));
  const container = join(root, `keepset-${String(kit)}`);
  return { scene, keyId, pem, root, kit, container, code: String(code) };
};

const openedAt = async (path: string, code: string) => {
  const source = { paths: [path], codes: [code], passphrase: undefined, kit: undefined };
  const { kind, found } = await openAll(source, silentTerminal);
  for (const { opened } of found) opened.share.secret.wipe();
  return { kind, found: found.map(({ kit, opened }) => ({ kit, epoch: opened.share.group.epoch })) };
};

const recover = async (scene: Scene, keyId: string, from: string, code: string, home: string) => {
  const where = ['--from', from, '--code', code, '--home', scene.at(home)];
  return ['recover', '--lost', ...where, '--invite', await scene.invite(keyId)];
};

it('is taken for all of the stick, whether a slot, its parity, the metadata or the container are named', async () => {
  const { scene, keyId, pem, root, kit, container, code } = await lostWithStick();
  const slot = join(container, readdirSync(container).find((name) => name.endsWith('.enc')) ?? '');
  expect(await done(await recover(scene, keyId, slot, code, 'new'))).toMatchObject({
    source: { kind: 'usb' },
    copies: [{ kit, kind: 'usb', path: root, outcome: 'rewritten' }],
    retired: true,
  });
  const home = scene.at('new');
  expect(await loadLedger(homePaths({ home }))).toMatchObject([{ kind: 'usb', path: root }]);
  const names = readdirSync(container).toSorted();
  expect(names.map((name) => name.replace(/^share_party2/, ''))).toEqual([
    'metadata.json',
    '.bak',
    '.bak.par',
    '.enc',
    '.enc.par',
  ]);
  // The older slot is named, and the newest copy is meant.
  expect(await done(['drill', slot, '--code', code, '--home', home])).toMatchObject({
    kit,
    epoch: 1,
    proof: 'recovery proven',
  });
  for (const piece of [container, ...names.map((name) => join(container, name))]) {
    const { kind, found } = await openedAt(piece, code);
    expect({ piece, kind, found }).toMatchObject({
      kind: 'usb',
      found: [{ kit: { kind: 'usb', kit, path: root }, epoch: 1 }],
    });
  }
  await expectSignature(home, keyId, pem);
  await scene.close();
});

it('another file in there brings a share back, but is no copy that is kept up to date', async () => {
  const { scene, keyId, root, container, code } = await lostWithStick();
  const slot = join(container, readdirSync(container).find((name) => name.endsWith('.enc')) ?? '');
  const [astray, link] = [join(container, `${keyId}.0.1.age`), join(root, 'link')];
  copyFileSync(slot, astray);
  symlinkSync(container, link);
  expect(await tried(await recover(scene, keyId, link, code, 'new'))).toBe('place/foreign');
  expect(await done(await recover(scene, keyId, astray, code, 'new'))).toMatchObject({ copies: [] });
  expect(await loadLedger(homePaths({ home: scene.at('new') }))).toEqual([]);

  // What is left of a container is no folder copy either.
  const folder = join(madeFolder(scene.at('left')), `keepset-${'a'.repeat(26)}`);
  mkdirSync(folder);
  copyFileSync(slot, join(folder, 'share.age'));
  const kitsIn = async () => (await openedAt(scene.at('left'), code)).found.map(({ kit }) => kit?.kind);
  expect(await kitsIn()).toEqual(['folder']);
  copyFileSync(join(container, 'metadata.json'), join(folder, 'metadata.json'));
  expect(await kitsIn()).toEqual([undefined]);
  await scene.close();
});

/** Who makes a backup copy may be cut off anywhere, and makes another one. KEEPSET_EVERY_MOMENT=1 tries every moment. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { toHex } from '@keepset/bytes';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger } from '../../apps/cli/src/places/ledger.ts';
import { openAll } from '../../apps/cli/src/recovery/source.ts';
import { silentTerminal } from '../support/device.ts';
import { hashesOf, temporaryFolder } from '../support/folders.ts';
import { command, newLife } from '../support/mortal.ts';
import { inScene, solo } from '../support/recovery-ways.ts';
import { placesIn } from '../support/sample.ts';
import { copyFolder, done, expectSignature, madeFolder, openScene } from '../support/scene.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

it('`keepset backup` cut off at any moment: made again, the copy opens, and nothing is claimed of the other', async () => {
  const folder = temporaryFolder();
  const [root, template] = [join(folder, 'scene'), join(folder, 'template')];
  const built = await inScene(async (scene) => {
    madeFolder(scene.at('drive'));
    return { ...(await solo(scene)), code: '', invite: '', said: '' };
  })(root);
  copyFolder(root, template);
  const [drive, home] = [join(root, 'drive'), join(root, 'phone')];
  const backup = ['backup', drive, '--cloud', 'icloud', '--show-code', '--home', home];
  const inFreshScene = async <T>(work: () => Promise<T>): Promise<T> => {
    copyFolder(template, root);
    const scene = await openScene(root, built.port);
    try {
      return await work();
    } finally {
      await scene.close();
    }
  };

  const life = newLife();
  await inFreshScene(() => command(backup, life).ended);
  expect(life.moments.length).toBeGreaterThan(10);
  for (const at of placesIn('backup', life.moments))
    await inFreshScene(async () => {
      const dying = newLife(at);
      await command(backup, dying).ended;
      expect(dying.isDead()).toBe(true);
      const { code, kit } = await done(backup);
      const source = { paths: [drive], codes: [String(code)], passphrase: undefined, kit: undefined };
      const { found } = await openAll(source, silentTerminal);
      expect(found.map(({ kit: of }) => of?.kit)).toEqual([kit]);
      for (const { opened } of found) opened.share.secret.wipe();
      await expectSignature(home, built.keyId, built.pem);
      const ledger = await loadLedger(homePaths({ home }));
      expect(ledger.filter((each) => each.kit === kit)).toMatchObject([{ copies: [{ state: 'written' }] }]);
      // Of the copy that was cut off nobody may have the code: if it was written, it lies there, and was not opened.
      for (const { state, sha256, openedAt, provenAt } of ledger.flatMap(({ copies }) => copies)) {
        expect([openedAt, provenAt]).toEqual([undefined, undefined]);
        if (state !== 'intended') expect(hashesOf(drive)).toContain(toHex(sha256));
      }
    });
});

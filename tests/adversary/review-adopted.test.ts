/** A copy that a share came back from is overtaken by a repair as any other is: it is rewritten, and what it was fails a drill. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger, saveKit } from '../../apps/cli/src/places/ledger.ts';
import { temporaryFolder } from '../support/folders.ts';
import { command } from '../support/mortal.ts';
import { addDevice, joinedByLaptop } from '../support/recovery-ways.ts';
import { copyFolder, done, enrol, madeFolder, openScene, tried } from '../support/scene.ts';

vi.setConfig({ testTimeout: 120_000 });

it('knows which share it was made from, and a drill compares what lies beside the secret', async () => {
  const scene = await openScene(temporaryFolder());
  const [phone, laptop, helper] = [scene.at('phone'), scene.at('laptop'), scene.at('helper')];
  const cloud = madeFolder(scene.at('cloud'));
  await enrol(phone, scene.server.invite(), 'phone');
  await enrol(laptop, await addDevice(phone), 'laptop');
  const policy = ['--policy', 'thresh(2,server,phone,laptop)', '--scheme', 'ecdsa-p256'];
  const ended = await joinedByLaptop(scene, ['keygen', ...policy, '--home', phone]).ended;
  const keyId = String(ended?.json['keyId']);
  const backup = ['backup', cloud, '--cloud', 'icloud', '--show-code', '--home', laptop];
  const { kit, code } = await done(backup);
  const opening = ['--code', String(code), '--home'];
  await done(['park', '--from', cloud, ...opening, laptop]);
  const invite = ['--invite', await addDevice(phone)];
  await done(['unpark', '--from', cloud, ...opening, helper, ...invite]);
  const paths = homePaths({ home: helper });
  const sourcesOf = async () =>
    (await loadLedger(paths)).flatMap(({ copies }) => copies.map(({ source }) => source));
  const drill = (...where: string[]) => ['drill', ...where, ...opening, helper];
  expect(await sourcesOf()).toEqual([1]);
  // Back and forth it stays the same share, and the copy current.
  for (const verb of ['park', 'unpark']) await done([verb, '--from', cloud, ...opening, helper]);
  expect(await sourcesOf()).toEqual([2]);
  expect(await done(drill('--copy', String(kit)))).toMatchObject({ proof: 'recovery proven' });
  copyFolder(cloud, scene.at('before'));

  const approval = ['--approval', await scene.approve(keyId), '--home', helper];
  const repair = command(['repair', 'phone', ...approval]);
  const [, joinCode = ''] = await repair.until(/on phone: {2}keepset join (\S+)/);
  const fresh = ['--invite', await addDevice(helper), '--home', scene.at('new')];
  await done(['recover', '--lost', '--party', 'phone', '--join', joinCode, '--later', ...fresh]);
  expect((await repair.ended)?.json).toMatchObject({ copies: [{ kit, outcome: 'rewritten' }] });
  expect(await sourcesOf()).toEqual([2, 3]);
  expect(await done(drill('--copy', String(kit)))).toMatchObject({ generation: 2, proof: 'recovery proven' });

  // What the copy was before: by its own file, of which nothing is known, and by an entry as older versions made it.
  const folder = join(scene.at('before'), `keepset-${String(kit)}`);
  const file = join(folder, readdirSync(folder)[0] ?? '');
  expect(await tried(drill(file))).toBe('place/stale');
  expect(await tried([...drill(file), '--offline'])).toBe('place/stale');
  const [known] = await loadLedger(paths);
  const { source: _source, ...first } = known!.copies[0]!;
  await saveKit(paths, { ...known!, path: scene.at('before'), copies: [first] });
  expect(await tried(drill('--copy', String(kit)))).toBe('place/stale');
  await scene.close();
});

/**
 * A stick is imaged and renewed, and the old image is put back. The device that wrote it remembers; one that lost its
 * memory learns it from the server. Nobody is kept from using it, since it may be the last copy.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { loadLedger } from '../../apps/cli/src/places/ledger.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { failure, succeed } from '../support/commands.ts';
import {
  containerOf,
  createStick,
  finderPasswordOptions,
  flipByte,
  imageOf,
  makeFinderBackup,
  slotOf,
} from '../support/copies.ts';
import { otherMedium } from '../support/folders.ts';
import { reading } from '../support/media.ts';
import { keepset } from '../support/processes.ts';
import { expectSigns } from '../support/signing.ts';
import { emptyHome, newPerson, newWorld, takenAway } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

/** A key of the server and a phone, which has a copy on a stick. */
const phoneWithStick = async () => {
  const world = await newWorld();
  const person = await newPerson(world);
  const { root, code } = await createStick(otherMedium(), person.phone);
  return { world, ...person, root, code: ['--code', code] };
};

it('is refused by verify, drill and recover, and taken with --older', async () => {
  const { world, phone, keyId, publicKey, root, code } = await phoneWithStick();
  const verify = ['usb', 'verify', root, ...code, ...phone.args];
  expect(await succeed(verify)).toMatchObject({ generation: 1, server: 'newest' });

  const image = imageOf(root);
  const putBack = (): void => {
    rmSync(root, { recursive: true });
    cpSync(image, root, { recursive: true });
  };

  // Renewed while the server is away: that is said, and the next command that reaches it catches up.
  await world.server().stop();
  const renewed = await keepset(['usb', 'create', root, '--again', ...phone.args]);
  expect(renewed.code, renewed.stderr).toBe(0);
  expect(renewed.stderr).toContain('The next command that reaches it tells it.');
  const notedOf = async () =>
    (await loadLedger(homePaths({ home: phone.home })))[0]?.copies.map(
      ({ generation, notedAt }) => [generation, notedAt !== undefined] as const,
    );
  expect(await notedOf()).toEqual([
    [1, true],
    [2, false],
  ]);
  await world.restart();
  await succeed(['keys', ...phone.args]);
  expect(await notedOf()).toEqual([
    [1, true],
    [2, true],
  ]);
  expect(await succeed(verify)).toMatchObject({ generation: 2, server: 'newest' });

  // Both generations, each in a Finder backup of the phone in whose documents it lay.
  const opening = [...code, ...finderPasswordOptions()];
  const [first, second] = [
    [image, 'enc'],
    [root, 'bak'],
  ].map(([stick = '', end = '']) => {
    const backup = join(world.folder('mac'), 'backup');
    makeFinderBackup(backup, { 'a.age': readFileSync(slotOf(stick, end)) });
    return backup;
  });
  const add = (backup = ''): string[] => ['finder-backup', 'add', backup, ...opening, ...phone.args];
  expect(await succeed(add(second))).toMatchObject({ generation: 2 });
  expect(await failure(add(first))).toMatchObject({ code: 'place/stale' });

  putBack();
  const known = await failure(verify);
  expect(known.code).toBe('place/stale');
  expect(await succeed([...verify, '--older'])).toMatchObject({ generation: 1, server: 'older' });

  // Without its ledger the device knows nothing of the stick; the server does.
  rmSync(join(phone.home, 'usb-ledger'), { recursive: true });
  for (const args of [verify, ['drill', root, ...code, ...phone.args]]) {
    const refused = await failure(args);
    expect(refused.code).toBe('place/stale');
    expect(refused.message).toMatch(/generation 1 .*generation 2 .*written later/);
    expect(refused.hint).toMatch(/may be the last one .*--older/);
  }
  expect(await succeed(['drill', root, ...code, '--older', ...phone.args])).toMatchObject({ generation: 1 });
  const said = await keepset([...verify, '--older']);
  expect(said).toMatchObject({ code: 0 });
  expect(said.stdout).toContain('This is an OLDER copy');

  takenAway(world, phone);
  const fresh = emptyHome(world, 'new-phone');
  const invite = await world.invite(keyId);
  const recovery = (from: string, ...more: string[]): string[] => {
    const where = ['--from', from, ...more, '--invite', invite];
    return ['recover', '--lost', ...where, '--yes', ...fresh.args];
  };
  const recover = recovery(root, ...code);
  // A parked share comes back under the same rule, and of a copy nobody here has seen no more is noted than that it opens.
  const helper = emptyHome(world, 'helper');
  const unpark = ['unpark', '--from', root, ...code, '--invite', await world.invite(keyId), ...helper.args];
  expect((await failure(unpark)).code).toBe('place/stale');
  await succeed([...unpark, '--older']);
  const [unparked] = await loadLedger(homePaths({ home: helper.home }));
  const [older = {}] = unparked?.copies ?? [];
  expect(older).toMatchObject({ generation: 1, state: 'written' });
  expect(
    Object.keys(older)
      .filter((key) => key.endsWith('At'))
      .toSorted(),
  ).toEqual(['createdAt', 'notedAt', 'openedAt']);
  expect((await failure(recover)).code).toBe('place/stale');
  expect((await failure(recovery(first ?? '', ...opening))).message).toContain('written later');
  await succeed([...recover, '--older']);
  await expectSigns(world, fresh, publicKey);

  // What recovery wrote is newer than all of them, as the server knows.
  expect(await succeed(['usb', 'verify', root, ...code, ...fresh.args])).toMatchObject({ server: 'newest' });
  putBack();
  expect((await failure(['usb', 'verify', root, ...code, ...fresh.args])).code).toBe('place/stale');
});

it('is never written over what came later by a device that is behind', async () => {
  const { world, phone, publicKey, root, code } = await phoneWithStick();
  const home = join(world.folder('backup'), 'home');
  execFileSync('cp', ['-a', phone.home, home]);
  const image = imageOf(root);
  expect((await succeed(['refresh', ...phone.args]))['epoch']).toBe(1);

  // The home of before, and its only copy of the present epoch on the stick.
  rmSync(phone.home, { recursive: true });
  execFileSync('cp', ['-a', home, phone.home]);
  await world.server().stop();
  const replugged = ['usb', 'verify', root, '--replugged', ...phone.args];
  const again = ['usb', 'create', root, '--again', ...phone.args];
  for (const args of [again, replugged, [...again, ...code], [...replugged, ...code]]) {
    const refused = await reading(root, () => failure(args));
    expect(refused).toMatchObject({ code: 'place/stale' });
    expect(refused.hint).toContain(`keepset recover --lost --from ${root}`);
  }
  const offline = await failure(['drill', root, '--offline', ...code, ...phone.args]);
  expect(offline).toMatchObject({ code: 'place/stale' });
  expect(offline.hint).toContain('recover --lost');

  // Nor is an older state of the stick completed, once the server can say what it is.
  await world.restart();
  writeFileSync(join(containerOf(image), 'metadata.json'), '');
  const old = ['usb', 'repair', image, ...phone.args];
  for (const args of [old, ['usb', 'create', image, '--again', ...phone.args]]) {
    const refused = await reading(image, () => failure(args));
    expect(refused).toMatchObject({ code: 'place/stale' });
    expect(refused.message).toContain('the key is at epoch 1');
  }
  const park = await failure(['park', '--from', root, ...code, ...phone.args]);
  expect(park.code).toBe('place/stale');
  expect(park.hint).toContain(`keepset recover --lost --from ${root}`);
  expect(await succeed(['recover', '--lost', '--from', root, ...code, '--yes', ...phone.args])).toMatchObject(
    {
      state: 'recovered',
      epoch: 2,
    },
  );
  await expectSigns(world, phone, publicKey);

  // The share leaves a device only for a stick that was read again after it was plugged in.
  const stay = await failure(['park', '--from', root, ...code, ...phone.args]);
  expect(stay.hint).toContain('--replugged');
  await succeed(replugged);
  flipAll(root);
  expect((await failure(['park', '--from', root, ...code, ...phone.args])).hint).toContain('usb repair');
  await succeed(['usb', 'repair', root, ...phone.args]);
  await succeed(replugged);
  await succeed(['park', '--from', root, ...code, ...phone.args]);
});

/** Damages both slots of a stick, so that only parity brings them back. */
const flipAll = (root: string): void => {
  for (const end of ['enc', 'bak']) flipByte(slotOf(root, end), 100);
};

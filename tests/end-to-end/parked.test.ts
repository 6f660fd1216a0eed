/** A share that is parked on a stick: which piece of the stick is named changes nothing, and what is not here is not called current. */
import { copyFileSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { failure, succeed } from '../support/commands.ts';
import { containerOf, createStick, slotOf } from '../support/copies.ts';
import { otherMedium } from '../support/folders.ts';
import { keepset } from '../support/processes.ts';
import { newPerson, newWorld } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

it('must be plugged in again first, whatever piece of the stick is named', async () => {
  const world = await newWorld();
  const { phone, keyId } = await newPerson(world);
  const { home, args } = phone;
  const shares = (): number =>
    readdirSync(join(home, 'shares')).filter((name) => name.endsWith('.age')).length;
  const again = ['backup', '--again', ...args];
  expect((await keepset(again)).stdout).toBe('This device remembers no copy of its keys.\n');

  const { root, kit, code } = await createStick(otherMedium(), phone);
  const [folder, slot] = [containerOf(root), slotOf(root)];
  const [inner, linked] = [join(folder, 'inner'), join(world.folder('links'), 'linked')];
  mkdirSync(inner);
  copyFileSync(slot, join(inner, 'copy.age'));
  symlinkSync(folder, linked);
  const opening = ['--code', code, ...args];
  for (const [from, why] of [
    [root, 'place/stale'],
    [folder, 'place/stale'],
    [slot, 'place/stale'],
    [join(linked, basename(slot)), 'place/stale'],
    // Nothing that this device wrote there, though it is the same.
    [inner, 'place/foreign'],
    [join(inner, 'copy.age'), 'place/foreign'],
  ] as const) {
    const refused = await failure(['park', '--from', from, ...opening]);
    expect({ from, ...refused }).toMatchObject({ from, code: why });
    expect(refused.message).toContain('The share stays.');
    expect(shares()).toBe(1);
  }
  expect((await keepset(again)).stdout).toBe('All copies are current.\n');

  await succeed(['usb', 'verify', root, '--replugged', ...opening]);
  expect(await succeed(['park', '--from', slot, ...opening])).toMatchObject({ keyId, kind: 'usb' });
  expect(shares()).toBe(0);

  // Of a share that is not here nothing can be written anew: that is said.
  const parked = await keepset(again);
  expect(parked).toMatchObject({ code: 0 });
  expect(parked.stdout).not.toContain('current');
  expect(parked.stdout).toContain(`Not looked at: 1 copy of key ${keyId}`);
  expect(parked.stdout).toContain('keepset unpark --from COPY --code -');
  expect(await succeed(again)).toMatchObject({ keys: [], absent: [{ keyId, kits: [kit] }] });

  // The slot is taken for a piece of the stick on the way back, too.
  await succeed(['unpark', '--from', slot, ...opening]);
  expect((await succeed(['health', ...args]))['keys']).toMatchObject([
    { copies: [{ id: 'home' }, { id: kit, kind: 'usb', path: root }] },
  ]);
});

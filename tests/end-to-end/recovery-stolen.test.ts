/**
 * A device is stolen: the key is frozen before anything else, and goes on with new shares that the operator approves.
 * What the thief has is tried out at every point and refused.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { failure, joinCode, joining, succeed, together, type Device } from '../support/commands.ts';
import { createStick, imageOf } from '../support/copies.ts';
import { reading } from '../support/media.ts';
import { bin, start } from '../support/processes.ts';
import { expectSigns, expectSignsTogether, expectUseless, signing } from '../support/signing.ts';
import {
  emptyHome,
  makeKey,
  newPerson,
  newWorld,
  phoneAndLaptop,
  publicKeyOf,
  takenAway,
  type World,
} from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

describe('a device is stolen', () => {
  it('the key is frozen first, and signs again with new shares only, which the operator approves', async () => {
    const person = await newPerson(world, 'ecdsa-p256');
    const { keyId } = person;
    const { root, code } = await createStick(world.folder('stick'), person.phone);
    const thief = takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const from = ['recover', '--stolen', '--from', root, '--code', code];
    const invite = await world.invite(keyId);
    const restored = await reading(root, () => succeed([...from, '--invite', invite, ...fresh.args]));
    expect(restored).toMatchObject({ keyId, cause: 'stolen', state: 'restored', frozen: true, epoch: 0 });
    // Frozen for everybody: for the thief, who still holds a current share, and for its owner.
    expect((await failure(signing(world, thief, keyId))).code).toBe('policy/frozen');
    expect((await failure(signing(world, fresh, keyId))).code).toBe('policy/frozen');
    expect((await failure(['refresh', ...thief.args])).code).toBe('policy/frozen');
    // Asked again without the operator, it says the same again.
    expect(await succeed(['recover', ...fresh.args])).toMatchObject({ state: 'restored', frozen: true });
    const approval = await world.approve(keyId);
    const done = await succeed(['recover', '--approval', approval, ...fresh.args]);
    expect(done).toMatchObject({ keyId, cause: 'stolen', state: 'recovered', epoch: 1 });
    await expectSigns(world, fresh, person.publicKey);
    await expectUseless(world, thief, keyId);
  });

  it('without any copy, but the others are enough: frozen first, they repair the share', async () => {
    const { phone, laptop } = await phoneAndLaptop(world);
    const keyId = await makeKey(phone, ['--policy', 'thresh(2,server,phone,laptop)'], { laptop });
    const publicKey = await publicKeyOf(laptop, keyId);
    const thief = takenAway(world, phone);
    const fresh = emptyHome(world, 'new-phone');
    const nothing = await failure(['recover', '--stolen', ...fresh.args]);
    expect(nothing.hint).toContain('keepset repair');
    const { invitation } = await succeed(['add-device', ...laptop.args]);
    const recover = ['recover', '--stolen', '--party', 'phone', '--invite', invitation as string];
    // The helper did not freeze it: this device does, and goes on only with what the operator says then.
    const early = start(process.execPath, [
      bin,
      'repair',
      'phone',
      '--approval',
      await world.approve(keyId),
      ...laptop.args,
    ]);
    const code = await joinCode(early, 'phone');
    const stopped = await failure([...recover, '--join', code, ...fresh.args]);
    early.child.kill('SIGKILL');
    await early.ended;
    expect(stopped.code).toBe('policy/frozen');
    expect(stopped.hint).toContain(`keepset approve ${keyId}`);
    expect((await failure(signing(world, thief, keyId))).code).toBe('policy/frozen');
    await together(['repair', 'phone', '--approval', await world.approve(keyId), ...laptop.args], {
      phone: (join) => [...recover, '--join', join, ...fresh.args],
    });
    // Not finished: the key is frozen until there are new shares.
    const finish = ['recover', '--approval', await world.approve(keyId), ...fresh.args];
    const finished = await together(finish, { laptop: joining(laptop) });
    expect(finished).toMatchObject({ keyId, state: 'recovered', epoch: 1, cause: 'stolen' });
    await expectSigns(world, fresh, publicKey);
    await expectSigns(world, laptop, publicKey);
    await expectUseless(world, thief, keyId);
  });

  it('both devices: restored on clean ones, refreshed, and what the thief has is refused', async () => {
    const { phone, laptop } = await phoneAndLaptop(world);
    const keyId = await makeKey(phone, ['--policy', 'and(server,phone,laptop)'], { laptop });
    const publicKey = await publicKeyOf(phone, keyId);
    const sticks = [
      await createStick(world.folder('stick'), phone),
      await createStick(world.folder('stick'), laptop),
    ];
    const thieves = [takenAway(world, phone), takenAway(world, laptop)];
    const copied = sticks.map(({ root, code }) => ({ root: imageOf(root), code }));
    // Nobody has a device left: the operator freezes, and refuses the old ones.
    await succeed(['freeze', keyId, '--operator', ...world.operator]);
    for (const { id = '' } of [phone, laptop]) await succeed(['revoke', id, ...world.operator]);
    // Nor can they let another device in.
    for (const { args } of thieves)
      expect((await failure(['add-device', ...args])).code).toBe('policy/revoked');
    const clean: Device[] = [];
    for (const { root, code } of sticks) {
      const fresh = emptyHome(world, 'clean');
      const from = ['--from', root, '--code', code, '--invite', await world.invite(keyId)];
      const restored = await reading(root, () => succeed(['recover', '--stolen', ...from, ...fresh.args]));
      expect(restored).toMatchObject({ state: 'restored', frozen: true });
      clean.push(fresh);
    }
    const [cleanPhone, cleanLaptop] = clean as [Device, Device];
    const approval = await world.approve(keyId);
    const done = await together(['recover', '--approval', approval, ...cleanPhone.args], {
      laptop: joining(cleanLaptop),
    });
    expect(done).toMatchObject({ state: 'recovered', epoch: 1 });
    expect(await succeed(['recover', ...cleanLaptop.args])).toMatchObject({ state: 'recovered', epoch: 1 });
    await expectSignsTogether(world, cleanPhone, ['laptop', cleanLaptop], publicKey);
    // The thief's shares come in once more, on devices that the server knows: it takes no share of an old epoch.
    for (const { root, code } of copied) {
      const invite = await world.invite(keyId);
      const from = ['--from', root, '--code', code, '--invite', invite, ...emptyHome(world).args];
      expect((await failure(['recover', '--lost', ...from])).code).toBe('place/stale');
    }
  });
});

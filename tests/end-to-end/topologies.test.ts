/**
 * Keys of which the server holds no share: the phone has one, the others lie on a stick, in a cloud and on paper, put
 * there by a second device that keeps nothing. Every set of losses that the policy tolerates happens once.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { failure, joining, succeed, together, type Device, type Joining } from '../support/commands.ts';
import { createStick, imageOf, type Copy } from '../support/copies.ts';
import { otherMedium } from '../support/folders.ts';
import { reading } from '../support/media.ts';
import { expectSignsTogether } from '../support/signing.ts';
import {
  addDevice,
  emptyHome,
  makeKey,
  newPhone,
  newWorld,
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

const joinAll = (devices: ReadonlyMap<string, Device>): Record<string, Joining> =>
  Object.fromEntries([...devices].map(([party, device]) => [party, joining(device)]));

/** Makes a key whose parties are the phone and others, each on a device of its own at first. */
const keyOf = async (
  policy: string,
  others: readonly string[],
): Promise<{ keyId: string; publicKey: string; devices: Map<string, Device> }> => {
  const phone = await newPhone(world);
  const rest = new Map<string, Device>();
  for (const party of others) rest.set(party, await addDevice(world, phone, party));
  const keyId = await makeKey(phone, ['--policy', policy], Object.fromEntries(rest));
  return { keyId, publicKey: await publicKeyOf(phone, keyId), devices: new Map([['phone', phone], ...rest]) };
};

const without = (devices: ReadonlyMap<string, Device>, ...parties: readonly string[]): Map<string, Device> =>
  new Map([...devices].filter(([party]) => !parties.includes(party)));

describe('thresh(2,phone,usb,cloud): the stick and the cloud hold shares, no device does', () => {
  let keyId: string;
  let publicKey: string;
  let epoch = 0;
  /** Devices that hold a share just now. */
  let devices: Map<string, Device>;
  const media = new Map<string, Copy>();

  /** Writes a party's share onto its medium, proves that it opens, and takes it off the device, which is then wiped. */
  const store = async (party: string): Promise<void> => {
    const device = devices.get(party)!;
    const known = media.get(party);
    if (known === undefined) media.set(party, await createStick(otherMedium(), device));
    else await succeed(['usb', 'create', known.root, '--again', ...device.args]);
    const { root, code } = media.get(party)!;
    await succeed(['usb', 'verify', root, '--replugged', ...device.args]);
    const parked = await reading(root, () =>
      succeed(['park', '--from', root, '--code', code, ...device.args]),
    );
    expect(parked).toMatchObject({ keyId, party, epoch });
    expect(readdirSync(join(device.home, 'shares')).filter((name) => name.endsWith('.age'))).toEqual([]);
    rmSync(device.home, { recursive: true });
    devices.delete(party);
  };
  /** Fetches a parked share onto a device that was never used before. */
  const fetch = async (party: string): Promise<void> => {
    const { root, code } = media.get(party)!;
    const device = emptyHome(world, `${party}-helper`);
    const from = ['--from', root, '--code', code, '--invite', await world.invite(keyId)];
    await reading(root, () => succeed(['unpark', ...from, ...device.args]));
    devices.set(party, device);
  };

  beforeAll(async () => {
    ({ keyId, publicKey, devices } = await keyOf('thresh(2,phone,usb,cloud)', ['usb', 'cloud']));
    for (const party of ['usb', 'cloud']) await store(party);
  });

  it.each(['phone', 'usb', 'cloud'])(
    'without %s the others repair its share, and all get new ones',
    async (lost) => {
      const finder = lost === 'phone' ? takenAway(world, devices.get('phone')!) : undefined;
      const found = media.get(lost);
      media.delete(lost);
      devices.delete(lost);
      for (const party of media.keys()) await fetch(party);
      const [first, second] = [...devices] as [[string, Device], [string, Device]];
      await expectSignsTogether(world, first[1], second, publicKey);

      const fresh = emptyHome(world, lost);
      const invite = await world.invite(keyId);
      const recover = ['recover', '--lost', '--later', '--party', lost, '--invite', invite];
      await together(
        ['repair', lost, '--with', second[0], '--approval', await world.approve(keyId), ...first[1].args],
        { [second[0]]: joining(second[1]), [lost]: (code) => [...recover, '--join', code, ...fresh.args] },
      );
      const recovered = await together(['recover', ...fresh.args], joinAll(devices));
      epoch += 1;
      expect(recovered).toMatchObject({ keyId, party: lost, state: 'recovered', epoch });
      await expectSignsTogether(world, fresh, first, publicKey);

      if (finder !== undefined)
        expect((await failure(['refresh', ...finder.args])).code).toBe('abort/wrong-epoch');
      if (found !== undefined) {
        const from = ['--from', found.root, '--code', found.code, '--invite', await world.invite(keyId)];
        expect((await failure(['unpark', ...from, ...emptyHome(world).args])).code).toBe('place/stale');
      }
      devices.set(lost, fresh);
      for (const party of ['usb', 'cloud']) await store(party);
    },
  );

  it('a share is parked only where the copy is that very share', async () => {
    await fetch('usb');
    const device = devices.get('usb')!;
    const cloud = media.get('cloud')!;
    const other = await failure(['park', '--from', cloud.root, '--code', cloud.code, ...device.args]);
    expect(other.code).toBe('place/foreign');
    // Nor is the share itself a copy of it.
    const [itself, own] = [join(device.home, 'shares'), join(device.home, 'identity.txt')];
    const same = await failure(['park', '--from', itself, '--identity', own, ...device.args]);
    expect(same.code).toBe('place/foreign');
    expect(readdirSync(itself).filter((name) => name.endsWith('.age'))).toHaveLength(1);
    await fetch('cloud');
    // The refresh rewrites the stick; a copy made of it before is of the old epoch.
    const old = imageOf(media.get('usb')!.root);
    await together(['refresh', ...devices.get('phone')!.args], joinAll(without(devices, 'phone')));
    epoch += 1;
    const stale = await failure(['park', '--from', old, '--code', media.get('usb')!.code, ...device.args]);
    expect(stale.code).toBe('place/stale');
    expect(stale.hint).toContain('--again');
    expect((await succeed(['keys', ...device.args]))['keys']).toHaveLength(1);
    for (const party of ['usb', 'cloud']) await store(party);
  });
});

describe('thresh(2,phone,usb,cloud,paper): any two are lost at once', () => {
  const policy = 'thresh(2,phone,usb,cloud,paper)';
  const parties = ['phone', 'usb', 'cloud', 'paper'];
  const pairs = parties.flatMap((a, i) => parties.slice(i + 1).map((b): [string, string] => [a, b]));
  let keyId: string;
  let publicKey: string;
  let devices: Map<string, Device>;
  beforeAll(async () => {
    ({ keyId, publicKey, devices } = await keyOf(policy, parties.slice(1)));
  });

  it.each(pairs)('without %s and %s the other two deal new shares to four', async (...lost) => {
    const old = lost.map((party) => takenAway(world, devices.get(party)!));
    const left = without(devices, ...lost);
    const [first, second] = [...left] as [[string, Device], [string, Device]];
    const fresh = new Map<string, Device>();
    for (const party of lost) fresh.set(party, await addDevice(world, first[1], party));
    const reshare = ['reshare', policy, '--with', second[0], '--approval', await world.approve(keyId)];
    await together([...reshare, ...first[1].args], joinAll(new Map([second, ...fresh])));
    const [one] = [...fresh] as [[string, Device]];
    await expectSignsTogether(world, first[1], one, publicKey);
    // Each alone is refused. One finder of both would have had a quorum of the old epoch: then only a new key helps.
    for (const { args } of old) expect((await failure(['refresh', ...args])).code).toBe('abort/wrong-epoch');
    devices = new Map([...left, ...fresh]);
  });
});

/**
 * A key of which the server holds no share: it, or one of the two devices, dies in a key generation or a refresh.
 * Afterwards both devices and the server agree on what there is, and the devices can use it.
 */
import { beforeAll, expect, test, vi } from 'vitest';
import {
  joinKeygen,
  joinLife,
  runKeygen,
  runRefresh,
  settleOpenSessions,
  type GroupKey,
} from '@keepset/ceremony';
import {
  beginnings,
  dieEverywhere,
  expectSignTogether,
  play,
  withDevices,
  type Ceremony,
} from '../support/ceremonies.ts';
import { copyOf, newWorld, type World } from '../support/crash.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const keygen: Ceremony = {
  starts: 'phone',
  start: (device, prompts) => runKeygen(device, { scheme: 'ed25519', policy: 'and(phone,usb)' }, prompts),
  join: joinKeygen,
};
const refresh: Ceremony = {
  starts: 'phone',
  start: async (device, prompts) => {
    const [keyId = ''] = await device.vault.list();
    return runRefresh(device, keyId, prompts);
  },
  join: joinLife,
};

/** All three agree on every key, and the devices sign with it. @returns the epochs there are */
const expectWhole = async (world: World): Promise<string> => {
  const groups = await withDevices(world, async (devices) => {
    for (const device of devices.values()) {
      for (const { outcome } of await settleOpenSessions(device)) expect(outcome).not.toBe('undecided');
      expect(await device.journal.list()).toEqual([]);
    }
    const [phone, usb] = [devices.get('phone')!, devices.get('usb')!];
    const remote = await phone.transport.keys();
    const ids = remote.map(({ keyId }) => keyId).toSorted();
    for (const device of devices.values()) expect((await device.vault.list()).toSorted()).toEqual(ids);
    const found: GroupKey[] = [];
    for (const { keyId, epoch } of remote) {
      const { group } = await phone.vault.open(keyId);
      expect(group.epoch).toBe(epoch);
      expect((await usb.vault.open(keyId)).group).toEqual(group);
      found.push(group);
    }
    return found;
  });
  for (const group of groups) await expectSignTogether(world, group);
  return groups.map(({ epoch }) => epoch).join();
};

let template: World;
beforeAll(async () => {
  template = await newWorld(['phone', 'usb']);
  await play(template, keygen);
});

test('nobody dies', async () => {
  expect(await expectWhole(copyOf(template))).toBe('0');
});

test.each([
  { what: 'key generation', work: keygen, complete: '0,0' },
  { what: 'refresh', work: refresh, complete: '1' },
])('in a $what anybody dies before any of their operations', async ({ work, complete }) => {
  const whole = copyOf(template);
  await play(whole, work);
  expect(await expectWhole(whole)).toBe(complete);
  for (const side of ['server', 'phone', 'usb']) {
    const seen = await dieEverywhere(template, work, side, expectWhole, beginnings);
    // Both ends were met: the deaths came before and after the commit.
    expect(new Set(seen.map(({ found }) => found))).toEqual(new Set(['0', complete]));
  }
});

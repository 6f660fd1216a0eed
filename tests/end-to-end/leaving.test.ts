/** A device gives up what several have begun: the others hear of it at once, and do not wait until the session expires. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { p256 } from '@noble/curves/nist.js';
import { KeepsetError, Secret, toHex } from '@keepset/bytes';
import {
  joinGroup,
  joinKeygen,
  joinLife,
  joinOpen,
  orLeave,
  runKeygen,
  runOpen,
  runRefresh,
  type DeviceParty,
  type GroupPrompts,
  type KeyShare,
} from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { parseJoinCode, printJoinCode } from '@keepset/wire';
import { failure, joinCode, joining, together } from '../support/commands.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { addDevice, code } from '../support/meeting.ts';
import { bin, errorOf, onlyObject, start } from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';
import { fileToSign } from '../support/signing.ts';
import { makeKey, newWorld, phoneAndLaptop } from '../support/world.ts';

const order = { scheme: 'ed25519', policy: 'thresh(2,server,phone,laptop,tablet)' } as const;

describe('a session of three devices', () => {
  let server: RunningServer;
  let devices: ReadonlyMap<string, TestDevice>;
  beforeAll(async () => {
    server = await startServer(serverOptions());
    const phone = await newDevice(server.invite());
    devices = new Map([
      ['phone', phone],
      ['laptop', await addDevice(phone, 'laptop')],
      ['tablet', await addDevice(phone, 'tablet')],
      ['watch', await addDevice(phone, 'watch')],
    ]);
  });
  afterAll(async () => {
    for (const each of devices.values()) each.close();
    await server.close();
  });
  const deviceOf = (party: string): DeviceParty => devices.get(party)!.device;

  /** What each device ends with: its key generation’s error, or `no error`. */
  const endings = async (
    starts: (prompts: GroupPrompts) => Promise<unknown>,
    joins: (party: string, joinText: string) => Promise<unknown>,
  ): Promise<Readonly<Record<string, unknown>>> => {
    const joined: Promise<readonly [string, unknown]>[] = [];
    const announced = Promise.withResolvers<void>();
    const started = code(
      starts({
        announce: ({ codes }) => {
          for (const each of codes)
            joined.push(code(joins(each.party, each.code)).then((end) => [each.party, end] as const));
          announced.resolve();
        },
        compare: () => Promise.resolve(),
      }),
    );
    await announced.promise;
    return { phone: await started, ...Object.fromEntries(await Promise.all(joined)) };
  };
  const joinFully = async (party: string, joinText: string): Promise<unknown> =>
    joinKeygen(deviceOf(party), await joinGroup(deviceOf(party), joinText));

  it('ends for all when a joiner finds that the digits differ', async () => {
    const ends = await endings(
      (prompts) => runKeygen(deviceOf('phone'), order, prompts),
      async (party, joinText) => {
        if (party !== 'laptop') return joinFully(party, joinText);
        const group = await joinGroup(deviceOf(party), joinText);
        return orLeave(group, () => Promise.reject(new Error('they differ')));
      },
    );
    expect(ends).toEqual({
      phone: 'store/session-void',
      laptop: new Error('they differ'),
      tablet: 'store/session-void',
    });
  });

  it('ends for all when the one that started it finds that', async () => {
    const compare = (): Promise<void> => Promise.reject(new Error('they differ'));
    const ends = await endings(
      (prompts) => runKeygen(deviceOf('phone'), order, { ...prompts, compare }),
      joinFully,
    );
    expect(ends).toEqual({
      phone: new Error('they differ'),
      laptop: 'store/session-void',
      tablet: 'store/session-void',
    });
  });

  it('ends for all when somebody comes with a false code', async () => {
    const ends = await endings(
      (prompts) => runKeygen(deviceOf('phone'), order, prompts),
      (party, joinText) => {
        const real = parseJoinCode(joinText);
        const secret = party === 'laptop' ? new Uint8Array(randomBytes(16)) : real.secret;
        return joinFully(party, printJoinCode({ ...real, secret }));
      },
    );
    expect(ends).toEqual({
      phone: 'transport/untrusted-peer',
      laptop: 'store/session-void',
      tablet: 'store/session-void',
    });
  });

  it('ends for all when the one that started it cannot begin', async () => {
    const made = await endings((prompts) => runKeygen(deviceOf('phone'), order, prompts), joinFully);
    expect(made).toEqual({ phone: 'no error', laptop: 'no error', tablet: 'no error' });
    const [keyId = ''] = await deviceOf('phone').vault.list();
    const damaged = async (): Promise<KeyShare> => {
      const share = await deviceOf('phone').vault.open(keyId);
      return { ...share, secret: new Secret(share.secret.reveal().map((byte) => byte ^ 1)) };
    };
    const phone: DeviceParty = { ...deviceOf('phone'), vault: { ...deviceOf('phone').vault, open: damaged } };
    const ends = await endings(
      (prompts) => runRefresh(phone, keyId, prompts),
      async (party, joinText) => joinLife(deviceOf(party), await joinGroup(deviceOf(party), joinText)),
    );
    expect(ends).toEqual({
      phone: 'place/damaged',
      laptop: 'store/session-void',
      tablet: 'store/session-void',
    });
  });

  it('goes on for the others when one has done its part, whatever fails there afterwards', async () => {
    const opening = { scheme: 'ecdh-p256', policy: 'and(phone,laptop)' } as const;
    const device = deviceOf('phone');
    await endings((prompts) => runKeygen(device, opening, prompts), joinFully);
    const shares = await Promise.all((await device.vault.list()).map((id) => device.vault.open(id)));
    const mine = shares.find(({ group }) => group.scheme === 'ecdh-p256')!;
    const theirs = await deviceOf('laptop').vault.open(mine.group.keyId);
    const full = new KeepsetError('place/full', 'No space left.');
    const laptop: DeviceParty = {
      ...deviceOf('laptop'),
      logPin: { ...deviceOf('laptop').logPin, save: () => Promise.reject(full) },
    };
    const failed = Promise.withResolvers<void>();
    const ephemeral = p256.Point.BASE.multiply(7n).toBytes(false);
    const prompts: GroupPrompts = {
      announce: ({ codes }) => {
        const helping = joinGroup(laptop, codes[0]!.code).then((group) =>
          orLeave(group, () => joinOpen(laptop, theirs, group)),
        );
        void code(helping).then((end) => (end === 'place/full' ? failed.resolve() : failed.reject(end)));
      },
      // The other one is done, and has failed, before anybody here has compared the digits.
      compare: () => failed.promise,
    };
    const opened = await runOpen(device, mine, ephemeral, { parties: ['laptop'], prompts });
    const shared = p256.Point.fromBytes(mine.group.publicKey).multiply(7n).toBytes(false).slice(1, 33);
    expect(toHex(opened)).toBe(toHex(shared));
  });

  it('does not end by a device that was never in it', async () => {
    const ends = await endings(
      (prompts) => runKeygen(deviceOf('phone'), order, prompts),
      async (party, joinText) => {
        expect(await code(joinGroup(deviceOf('watch'), joinText))).toBe('abort/unknown-party');
        return joinFully(party, joinText);
      },
    );
    expect(ends).toEqual({ phone: 'no error', laptop: 'no error', tablet: 'no error' });
  });
});

it('tells the one that waits what to do, and a new start works', async () => {
  const world = await newWorld();
  const { phone, laptop } = await phoneAndLaptop(world);
  const keyId = await makeKey(phone, ['--policy', 'thresh(2,phone,laptop,server)'], { laptop });
  const file = fileToSign(world);
  const signing = ['sign', file, '--key', keyId, '--with', 'laptop', ...phone.args];
  const waiting = start(process.execPath, [bin, ...signing, '--json']);
  const joinText = await joinCode(waiting, 'laptop');
  // The file was left out: this device signs nothing that it has not seen.
  expect(await failure(['join', joinText, ...laptop.args])).toMatchObject({ code: 'input/invalid-argument' });
  const { stdout } = await waiting.ended;
  const told = errorOf({ json: onlyObject(stdout) });
  expect(told).toMatchObject({ code: 'store/session-burned', hint: expect.stringContaining('Start again') });
  expect(told.hint).not.toMatch(/nothing was signed/i);
  await together(signing, { laptop: joining(laptop, file) });
});

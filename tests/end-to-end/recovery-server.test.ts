/** The server is gone for good, or has come back from an old backup, with every side in a process and folder of its own. */
import { cpSync, rmSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { deviceAt, failure, joining, succeed, together, type Device } from '../support/commands.ts';
import { keepset, run } from '../support/processes.ts';
import { expectSigns, expectUseless, signing } from '../support/signing.ts';
import {
  makeKey,
  newPhone,
  newWorld,
  phoneAndLaptop,
  publicKeyOf,
  takenAway,
  type World,
} from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const policy = 'thresh(2,server,phone,laptop)';

interface Household {
  readonly phone: Device;
  readonly laptop: Device;
  readonly keyId: string;
  readonly publicKey: string;
}

const newHousehold = async (world: World, scheme = 'ed25519'): Promise<Household> => {
  const { phone, laptop } = await phoneAndLaptop(world);
  const keyId = await makeKey(phone, ['--scheme', scheme, '--policy', policy], { laptop });
  return { phone, laptop, keyId, publicKey: await publicKeyOf(phone, keyId) };
};

/** What the operator of a server that does not know the key says. */
const approveAdoption = async (world: World, keyId: string): Promise<string> =>
  (await succeed(['approve', keyId, '--adopt', ...world.operator]))['approval'] as string;

/** Takes a backup of the server's data, while it stands still; the function returned puts it back. */
const backUpServer = async (world: World): Promise<() => Promise<void>> => {
  const backup = `${world.data}.backup`;
  await world.server().stop();
  cpSync(world.data, backup, { recursive: true });
  await world.restart();
  return async () => {
    await world.server().stop();
    rmSync(world.data, { recursive: true });
    cpSync(backup, world.data, { recursive: true });
    await world.restart();
  };
};

it('the server is gone for good: the devices bring the key to another one', async () => {
  const old = await newWorld();
  const { phone, laptop, keyId, publicKey } = await newHousehold(old, 'ecdsa-secp256k1');
  await old.server().stop();
  rmSync(old.data, { recursive: true });
  const judged = await succeed(['recover', '--server-gone', ...phone.args]);
  expect(judged).toMatchObject({ state: 'judged', keys: [{ keyId, policy }] });

  const fresh = await newWorld();
  const move = ['recover', '--server-gone', '--invite'];
  expect(await succeed([...move, await fresh.invite(), ...phone.args])).toMatchObject({ state: 'moved' });
  const { invitation } = await succeed(['add-device', ...phone.args]);
  await succeed([...move, invitation as string, ...laptop.args]);
  const bring = ['recover', '--server-gone', '--with', 'laptop', '--approval'];
  const approval = await approveAdoption(fresh, keyId);
  const moved = await together([...bring, approval, ...phone.args], { laptop: joining(laptop) });
  expect(moved).toMatchObject({ keyId, state: 'recovered', epoch: 1, policy });
  for (const device of [phone, laptop]) await expectSigns(fresh, device, publicKey);
  // Asked once more, nothing is dealt, and nothing is called recovered.
  const again = await succeed(['recover', '--server-gone', '--approval', approval, ...phone.args]);
  expect(again).toMatchObject({ keyId, state: 'nothing-left', epoch: 1 });
});

it('the server is gone for good, and every quorum needs it: the exact reason', async () => {
  const world = await newWorld();
  const phone = await newPhone(world);
  await makeKey(phone);
  await world.server().stop();
  for (const more of [[], ['--invite', 'https://127.0.0.1:1/#abcdefghijklmnop']]) {
    const { code, message, hint } = await failure(['recover', '--server-gone', ...more, ...phone.args]);
    expect(code).toBe('policy/unsatisfied');
    expect(message).toContain('every quorum of and(server,phone) needs server');
    expect(hint).toContain('backup');
  }
});

it('the server was restored from an old backup: it is not believed until its operator vouches, and then refreshed', async () => {
  const world = await newWorld();
  const { phone, laptop, keyId, publicKey } = await newHousehold(world);
  const restored = ['recover', '--server-restored', ...phone.args];
  // A backup, then a signature that the backup knows nothing of.
  const restore = await backUpServer(world);
  await expectSigns(world, phone, publicKey);
  await restore();

  expect((await keepset([...signing(world, phone, keyId), '--json'])).stdout).toContain('store/rollback');
  const unvouched = await failure(restored);
  expect(unvouched.code).toBe('store/rollback');
  expect(unvouched.hint).toContain('keepset log-head');
  expect((await failure([...restored, '--log-head', '1-aaaaaaaaaaaaaaaaaaaaaaaaaa'])).code).toBe(
    'store/rollback',
  );
  const { head } = await succeed(['log-head', ...world.operator]);
  const mended = await together([...restored, '--log-head', head as string], { laptop: joining(laptop) });
  expect(mended).toMatchObject({ keyId, state: 'recovered', verdict: 'log-behind', epoch: 1 });
  for (const device of [phone, laptop]) await expectSigns(world, device, publicKey);
});

it('the server was restored to before a refresh: the devices give it a share again, and old shares stay useless', async () => {
  const world = await newWorld();
  const { phone, laptop, keyId, publicKey } = await newHousehold(world);
  const restore = await backUpServer(world);
  // What somebody found of the phone at epoch 0.
  await run('cp', ['-a', phone.home, `${phone.home}.found`]);
  const found = takenAway(world, deviceAt(`${phone.home}.found`));
  await together(['refresh', ...phone.args], { laptop: joining(laptop) });
  await expectUseless(world, found, keyId);
  await restore();

  const { head } = await succeed(['log-head', ...world.operator]);
  const restored = ['recover', '--server-restored', '--log-head', head as string];
  const unapproved = await failure([...restored, ...phone.args]);
  expect(unapproved.code).toBe('policy/forbidden');
  expect(unapproved.hint).toContain(`keepset approve ${keyId} --adopt`);
  // The laptop has seen more than the backup, too.
  await succeed(['accept-log', head as string, '--yes', ...laptop.args]);
  const approval = await approveAdoption(world, keyId);
  const mended = await together([...restored, '--with', 'laptop', '--approval', approval, ...phone.args], {
    laptop: joining(laptop),
  });
  expect(mended).toMatchObject({ keyId, state: 'recovered', verdict: 'adopt', epoch: 2 });
  for (const device of [phone, laptop]) await expectSigns(world, device, publicKey);
  await expectUseless(world, found, keyId);
});

/** Copies follow the share through the changes that need several devices: a reshare and a repair, on every side. */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { failure, joining, succeed, together, type Device, type Json } from '../support/commands.ts';
import {
  backUpToCloud,
  copyHealth,
  filesOf,
  finderPasswordOptions,
  makeFinderBackup,
  shareFileOf,
  type Copy,
  type CopyHealth,
} from '../support/copies.ts';
import { temporaryFolder } from '../support/folders.ts';
import { startSecretService, type SecretService } from '../support/secret-service.ts';
import { expectSigns, expectUseless } from '../support/signing.ts';
import {
  emptyHome,
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

let world: World;
let phone: Device;
let laptop: Device;
beforeAll(async () => {
  world = await newWorld();
  ({ phone, laptop } = await phoneAndLaptop(world));
});

/** A copy, and the device that knows of it. */
interface Kept extends Copy {
  readonly device: Device;
}
const copyOf = async (device: Device, keyId: string): Promise<Kept> => ({
  device,
  ...(await backUpToCloud(temporaryFolder(), device, '--key', keyId)),
});
const newKey = (scheme: string): Promise<string> =>
  makeKey(phone, ['--scheme', scheme, '--policy', 'thresh(2,server,phone,laptop)'], { laptop });
const stateOf = ({ device, kit }: Kept, keyId: string): Promise<CopyHealth> => copyHealth(device, keyId, kit);
const openedAt = ({ device, root, code }: Kept): Promise<Json> =>
  succeed(['drill', root, '--code', code, '--offline', ...device.args]);

it.each(['ed25519', 'ecdsa-secp256k1'])(
  'are rewritten after a reshare, on the device that started it and on one that joined (%s)',
  async (scheme) => {
    const keyId = await newKey(scheme);
    const copies = [await copyOf(phone, keyId), await copyOf(laptop, keyId)];
    const approval = await world.approve(keyId);
    const policy = 'thresh(3,server,phone,laptop)';
    const changed = await together(
      ['reshare', policy, '--approval', approval, '--with', 'laptop', '--key', keyId, ...phone.args],
      { laptop: joining(laptop) },
    );
    expect(changed).toMatchObject({ epoch: 1, policy, retired: true, copies: [{ outcome: 'rewritten' }] });
    for (const copy of copies) {
      expect(filesOf(copy)).toEqual([expect.stringContaining(`${keyId}.1.`)]);
      expect(await stateOf(copy, keyId)).toMatchObject({ epoch: 1, proof: 'read back' });
      expect(await openedAt(copy)).toMatchObject({ epoch: 1, proof: 'decrypted' });
    }
  },
);

describe.runIf(process.platform === 'linux')('in the keyring of the desktop', () => {
  let service: SecretService;
  let owner: Device;
  let keyId: string;
  let copy: Kept;
  let drill: readonly string[];
  beforeAll(async () => {
    service = await startSecretService();
    vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', service.address);
    owner = await newPhone(world);
    keyId = await makeKey(owner, ['--scheme', 'ed25519', '--policy', 'and(server,phone)']);
    const { kit, code } = await succeed(['backup', '--keyring', '--show-code', ...owner.args]);
    copy = { device: owner, root: '', kit: kit as string, code: code as string };
    drill = ['drill', '--copy', copy.kit, '--code', copy.code, ...owner.args];
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  it('they are rewritten, and are away, not gone, while it is locked', async () => {
    expect(await succeed(drill)).toMatchObject({ epoch: 0, proof: 'recovery proven' });
    // The same disk and the same login: one place with the device itself.
    expect(await stateOf(copy, keyId)).toMatchObject({
      kind: 'keyring',
      domain: 'device:phone',
      counts: true,
    });
    service.lock();
    expect(await stateOf(copy, keyId)).toMatchObject({ reach: { status: 'unreachable' } });
    expect((await failure(drill)).code).toBe('place/locked');
    expect(await succeed(['refresh', ...owner.args])).toMatchObject({
      retired: true,
      copies: [{ kind: 'keyring', outcome: 'unreachable' }],
    });
    expect(await stateOf(copy, keyId)).toMatchObject({ stale: 'epoch', counts: false });
    await service.unlock();
    expect((await failure(drill)).code).toBe('place/stale');
    expect(await succeed(['backup', '--again', ...owner.args])).toMatchObject({
      keys: [{ keyId, copies: [{ outcome: 'rewritten' }] }],
    });
    expect(await succeed(drill)).toMatchObject({ epoch: 1, proof: 'recovery proven' });
  });

  it('they are brought back into a ledger whose entry is damaged', async () => {
    const entry = join(owner.home, 'usb-ledger', `${copy.kit}.cbor`);
    writeFileSync(entry, readFileSync(entry).subarray(0, 40));
    const { damagedEntries } = await succeed(['health', ...owner.args]);
    expect(damagedEntries).toEqual([expect.objectContaining({ kit: copy.kit, file: entry })]);
    const remembered = await succeed(['remember', '--keyring', '--code', copy.code, ...owner.args]);
    expect(remembered).toMatchObject({ kit: copy.kit, kind: 'keyring', epoch: 1, replaced: entry });
    expect(await stateOf(copy, keyId)).toMatchObject({ proof: 'decrypted', domain: 'device:phone' });
    expect(await succeed(['backup', '--again', ...owner.args])).toMatchObject({ keys: [{ keyId }] });
  });

  it('they bring back the share of a device whose folder is gone, and stay its copies', async () => {
    const publicKey = await publicKeyOf(owner, keyId);
    const lost = takenAway(world, owner);
    const fresh = emptyHome(world);
    const recover = ['recover', '--lost', '--keyring', '--invite', await world.invite(keyId), ...fresh.args];
    service.lock();
    expect((await failure([...recover, '--code', copy.code])).code).toBe('place/locked');
    await service.unlock();
    const other = 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX';
    expect((await failure([...recover, '--code', other])).code).toBe('place/locked');
    expect(await succeed([...recover, '--code', copy.code])).toMatchObject({
      state: 'recovered',
      epoch: 2,
      copies: [{ kit: copy.kit, kind: 'keyring', outcome: 'rewritten' }],
    });
    await expectSigns(world, fresh, publicKey);
    await expectUseless(world, lost, keyId);
    expect(await stateOf({ ...copy, device: fresh }, keyId)).toMatchObject({
      epoch: 2,
      domain: 'device:phone',
    });
    service.clear();
    const empty = ['unpark', '--keyring', '--code', copy.code, ...fresh.args];
    expect((await failure(empty)).code).toBe('place/not-found');
  });
});

it('that were lost while a drill waited for another device stay lost', async () => {
  const keyId = await newKey('ed25519');
  const copy = await copyOf(phone, keyId);
  const { root, code, kit } = copy;
  const drill = ['drill', root, '--code', code, '--with', 'laptop', ...phone.args];
  const lose = async (): Promise<readonly string[]> => {
    await succeed(['health', '--lost', kit, ...phone.args]);
    return laptop.args;
  };
  await together(drill, { laptop: async (join) => ['join', join, ...(await lose())] });
  expect(await stateOf(copy, keyId)).toMatchObject({
    proof: 'recovery proven',
    lostAt: expect.any(String) as unknown,
    counts: false,
  });
});

it('are rewritten after a repair where it changed what they hold beside the secret', async () => {
  const keyId = await newKey('ecdsa-secp256k1');
  const [helper, lost] = [await copyOf(phone, keyId), await copyOf(laptop, keyId)];
  const before = await openedAt(helper);
  // The helper's copy as it was before the repair, in a Finder backup too.
  const backup = join(temporaryFolder(), 'backup');
  makeFinderBackup(backup, { 'a.age': readFileSync(shareFileOf(helper)) });
  const opening = ['--code', helper.code, ...finderPasswordOptions()];
  const add = ['finder-backup', 'add', backup, ...opening, ...phone.args];
  const inBackup = await succeed(add);
  const own = join(laptop.home, 'shares');
  for (const name of readdirSync(own).filter((each) => each.startsWith(keyId))) rmSync(join(own, name));
  const approval = await world.approve(keyId);
  const repaired = await together(
    ['repair', 'laptop', '--approval', approval, '--key', keyId, ...phone.args],
    { laptop: joining(laptop) },
  );
  expect(repaired).toMatchObject({ epoch: 0, retired: true });
  const outcomes = (repaired['copies'] as Json[]).map(({ kit, outcome }) => [kit, outcome]);
  expect(new Map(outcomes as [unknown, unknown][])).toEqual(
    new Map([
      [helper.kit, 'rewritten'],
      [inBackup['kit'], 'back-up'],
    ]),
  );
  for (const copy of [helper, lost]) {
    const state = await stateOf(copy, keyId);
    expect(state).toMatchObject({ epoch: 0, proof: 'read back' });
    expect(state.stale).toBeUndefined();
    expect(filesOf(copy)).toHaveLength(1);
  }
  const after = await openedAt(helper);
  expect(after['generation']).toBeGreaterThan(before['generation'] as number);
  // The copies sign: what was rewritten is the share as the repair left it.
  expect(await succeed(['drill', lost.root, '--code', lost.code, ...laptop.args])).toMatchObject({
    proof: 'recovery proven',
  });
  expect((await failure(['drill', lost.root, '--code', helper.code, ...laptop.args])).code).toBe(
    'place/locked',
  );
  expect(await stateOf({ ...helper, kit: inBackup['kit'] as string }, keyId)).toMatchObject({
    stale: 'generation',
  });
  // Also where the device has forgotten when it was made: it is not the share that the device holds.
  rmSync(join(phone.home, 'usb-ledger'), { recursive: true });
  const old = await failure(add);
  expect(old.code).toBe('place/stale');
  expect(old.message).toContain('before a repair');
});

/**
 * One file of the device's home is damaged: an entry of the ledger, or a share. It costs what that file knew and no more:
 * every command goes on, says which file it is, claims nothing of what it held, and the way back that it names works.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { failure, succeed, type Device, type Json } from '../support/commands.ts';
import { backUpToCloud, createStick } from '../support/copies.ts';
import { otherMedium } from '../support/folders.ts';
import { reading } from '../support/media.ts';
import { keepset, run } from '../support/processes.ts';
import { expectSigns } from '../support/signing.ts';
import { makeKey, newPhone, newWorld, publicKeyOf, type World } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const stick = otherMedium();

let world: World;
let phone: Device;
beforeAll(async () => {
  world = await newWorld();
  phone = await newPhone(world);
});

const say = (...args: readonly string[]): Promise<Json> => succeed([...args, ...phone.args]);
const refusal = (...args: readonly string[]) => failure([...args, ...phone.args]);
const entry = (kit: string): string => join(phone.home, 'usb-ledger', `${kit}.cbor`);
/** Half of it is gone, as after a bad sector. */
const damage = (file: string): void => writeFileSync(file, readFileSync(file).subarray(0, 40));

interface Health {
  readonly protected: boolean;
  readonly copies: readonly Json[];
  readonly error?: Json;
}
const health = async (keyId: string): Promise<Health> =>
  ((await say('health', '--key', keyId))['keys'] as Health[])[0]!;
const copyOf = async (keyId: string, kit: string): Promise<Json | undefined> =>
  (await health(keyId)).copies.find(({ id }) => id === kit);

it('costs the knowledge of one copy, which its code brings back: stick, folder and printed kit', async () => {
  const keyId = await makeKey(phone);
  const publicKey = await publicKeyOf(phone, keyId);
  const drive = world.folder('drive');
  const folder = await backUpToCloud(drive, phone);
  const { kit, code } = await createStick(stick, phone);
  // The damaged entry knows the highest number of all.
  const { generation: highest } = (await say('usb', 'create', stick, '--again')) as { generation: number };
  await say('usb', 'verify', stick, '--replugged', '--code', code);
  expect(await health(keyId)).toMatchObject({ protected: true });
  damage(entry(kit));
  const half = readFileSync(entry(kit));

  // What stopped before goes on, claims nothing of that copy, and says which file it is.
  const listed = { damagedEntries: [{ kit, file: entry(kit) }] };
  expect(await say('keys')).toMatchObject({
    ...listed,
    keys: [{ keyId, state: 'usable', protected: false }],
  });
  expect(await say('health')).toMatchObject({ ...listed, keys: [{ protected: false }] });
  expect((await health(keyId)).copies.map(({ id }) => id)).toEqual(['home', folder.kit]);
  for (const command of ['keys', 'health']) {
    const { stdout } = await keepset([command, ...phone.args]);
    expect(stdout).toContain(`  kit ${kit.slice(0, 6)}: ${entry(kit)}\n`);
    expect(stdout).toContain('keepset remember COPY --code -');
  }
  await reading(stick, async () => {
    for (const args of [
      ['usb', 'verify', stick],
      ['usb', 'verify', stick, '--replugged', '--code', code],
      ['usb', 'create', stick, '--again'],
      ['usb', 'create', stick, '--again', '--code', code],
      ['drill', '--copy', kit.slice(0, 6), '--code', code, '--offline'],
      ['park', '--from', stick, '--code', code],
    ]) {
      const refused = await refusal(...args);
      expect({ args, refused }).toMatchObject({ refused: { code: 'place/damaged' } });
      expect(refused.message).toContain(entry(kit));
      expect(refused.hint).toContain('keepset remember');
    }
    // Lost for good, it needs no entry.
    const lost = await refusal('health', '--lost', kit);
    expect(lost.code).toBe('place/damaged');
    expect(lost.hint).toContain('keepset refresh');
    const opened = await keepset(['usb', 'verify', stick, '--code', code, ...phone.args]);
    expect(opened).toMatchObject({ code: 0 });
    expect(opened.stdout).toContain('keepset remember');
  });

  // A new copy gets a number that none had, and a refresh says what it could not rewrite.
  const second = (await say('backup', world.folder('drive'), '--show-code')) as { generation: number };
  expect(second.generation).toBeGreaterThan(highest);
  const refreshed = await keepset(['refresh', ...phone.args]);
  expect(refreshed).toMatchObject({ code: 0 });
  expect(refreshed.stdout).toMatch(/NOT rewritten, for their entries in the ledger are damaged:\n {2}kit/);
  expect(refreshed.stdout).toContain(entry(kit));
  expect(await say('backup', '--again')).toMatchObject({ keys: [{ copies: [], damagedEntries: [{ kit }] }] });
  expect((await keepset(['backup', '--again', ...phone.args])).stdout).not.toContain(
    'All copies are current',
  );
  expect(readFileSync(entry(kit))).toEqual(half);

  // The stick was left behind; its code brings the entry back, which says so.
  await reading(stick, async () => {
    const remembered = await say('remember', stick, '--code', code);
    expect(remembered).toMatchObject({ kit, kind: 'usb', epoch: 0, stale: 'epoch', replaced: entry(kit) });
  });
  expect(await say('health')).toMatchObject({ damagedEntries: [] });
  const renewed = await say('usb', 'create', stick, '--again');
  await say('usb', 'verify', stick, '--replugged', '--code', code);
  expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: true, epoch: 1 });
  // The numbers that the damaged entry knew are not given again either.
  expect(renewed['generation']).toBeGreaterThan(second.generation);

  // A folder copy, of which only the entry says whose account it is in.
  damage(entry(folder.kit));
  expect((await refusal('drill', drive, '--code', folder.code, '--offline')).code).toBe('place/damaged');
  await say('remember', drive, '--cloud', 'icloud', '--code', folder.code);
  expect(await copyOf(keyId, folder.kit)).toMatchObject({
    proof: 'decrypted',
    counts: true,
    domain: 'account:icloud',
    path: drive,
  });

  // A printed kit.
  const sheets = world.folder('sheets');
  const printed = (await say('kit', '--out', sheets)) as { kit: string; generation: number };
  for (const name of readdirSync(sheets))
    await run('pdftoppm', ['-r', '200', '-gray', '-png', join(sheets, name), join(sheets, name)]);
  const pages = readdirSync(sheets).filter((name) => name.endsWith('.png'));
  damage(entry(printed.kit));
  const scans = pages.map((page) => join(sheets, page));
  const read = await keepset(['kit', 'read', ...scans, '--out', join(sheets, 'share.age'), ...phone.args]);
  expect(read.stdout).toContain('keepset remember');
  await say('remember', ...scans);
  expect(await copyOf(keyId, printed.kit)).toMatchObject({ proof: 'decrypted', counts: true });

  // A share that is lost comes back from a copy whose entry is damaged, with another one damaged beside it.
  damage(entry(folder.kit));
  damage(entry(kit));
  rmSync(join(phone.home, 'shares'), { recursive: true });
  const from = ['--from', drive, '--code', folder.code, '--yes'];
  const recovered = await say('recover', '--lost', ...from);
  expect(recovered).toMatchObject({ state: 'recovered', epoch: 2, damagedEntries: [{ kit }] });
  expect(await copyOf(keyId, folder.kit)).toMatchObject({ proof: 'read back', epoch: 2 });
  await expectSigns(world, phone, publicKey);
});

it('a damaged share hides no other key from health, and is no protected one', async () => {
  const [whole, broken] = [await makeKey(phone), await makeKey(phone)];
  const shares = join(phone.home, 'shares');
  const [file = ''] = readdirSync(shares).filter((name) => name.startsWith(broken));
  damage(join(shares, file));
  const { keys } = await say('health');
  const of = (keyId: string): Health => (keys as (Health & Json)[]).find((key) => key['keyId'] === keyId)!;
  expect(of(whole)).toMatchObject({ copies: [{ id: 'home', proof: 'decrypted' }] });
  expect(of(broken)).toMatchObject({ protected: false, error: { code: 'place/damaged' } });
  const { stdout, code } = await keepset(['health', '--strict', ...phone.args]);
  expect(code).toBe(3);
  expect(stdout).toContain(`Key ${whole}\n  ed25519`);
  expect(stdout).toContain(`Key ${broken}\n  NOT PROTECTED: damaged on this device.`);
  expect(stdout).toContain('keepset recover --from PATH');
  expect(await say('health', '--key', broken)).toMatchObject({ keys: [{ keyId: broken, protected: false }] });
});

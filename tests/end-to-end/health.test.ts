/** The health of copies with the real command: what raises them, what does not, and what makes a key protected. */
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { healthOfKey } from '../../apps/cli/src/places/health/health.ts';
import { withUnlocked } from '../../apps/cli/src/places/unlock.ts';
import { failure, succeed, type Device, type Json } from '../support/commands.ts';
import {
  backUpToCloud,
  copyHealth,
  createStick,
  finderPasswordOptions,
  keyHealth,
  makeFinderBackup,
  shareFileOf,
  type Copy,
  type CopyHealth,
  type KeyHealth,
} from '../support/copies.ts';
import { silentTerminal } from '../support/device.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { scan } from '../support/media.ts';
import { keepset, keepsetJson } from '../support/processes.ts';
import { makeKey, newPhone, newWorld } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const elsewhere = otherMedium();

let phone: Device;
beforeAll(async () => {
  phone = await newPhone(await newWorld());
});

/** Runs a command of the phone, which must succeed. */
const onPhone = (args: readonly string[]): Promise<Json> => succeed([...args, ...phone.args]);
const healthOf = (keyId: string): Promise<KeyHealth> => keyHealth(phone, keyId);
const copyOf = (keyId: string, id: string): Promise<CopyHealth> => copyHealth(phone, keyId, id);
let made = 0;
const newStick = (keyId: string, root = join(elsewhere, `stick${(made += 1)}`)): Promise<Copy> =>
  createStick(root, phone, '--key', keyId);

describe('keepset health', () => {
  it('raises a stick step by step, and the key with the last of them', async () => {
    const keyId = await makeKey(phone);
    expect(await healthOf(keyId)).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
    const { root, kit, code } = await newStick(keyId);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'written', reach: { status: 'intact' } });
    await onPhone(['usb', 'verify', root]);
    // Opened, but perhaps from memory: it was not unplugged yet.
    await onPhone(['usb', 'verify', root, '--code', code]);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'written', counts: false });
    expect((await keepset(['health', '--strict', ...phone.args])).code).toBe(3);
    const before = await keepset(['show', keyId, ...phone.args]);
    expect(before.stdout).toContain('not protected yet: every tested copy is lost with this device.');
    await onPhone(['usb', 'verify', root, '--replugged']);
    expect(await healthOf(keyId)).toMatchObject({ protected: true, shortfalls: [] });
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: true });
    expect((await keepset(['health', '--strict', '--key', keyId, ...phone.args])).code).toBe(0);
    expect((await keepset(['show', keyId, ...phone.args])).stdout).toMatch(/^ {2}copies {6}protected$/m);
  });

  it('needs the code, not only the bytes', async () => {
    const keyId = await makeKey(phone);
    const { root, kit } = await newStick(keyId);
    await onPhone(['usb', 'verify', root, '--replugged']);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'read back', counts: false });
    expect((await healthOf(keyId)).protected).toBe(false);
  });

  it('tells a stick that is away from one that is damaged, and writes nothing while it looks', async () => {
    const keyId = await makeKey(phone);
    const { root, kit, code } = await newStick(keyId);
    await onPhone(['usb', 'verify', root, '--replugged', '--code', code]);
    const away = `${root}-away`;
    renameSync(root, away);
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    // Where it is mounted there is an empty folder while it is away.
    mkdirSync(root);
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    expect(readdirSync(root)).toEqual([]);
    rmSync(root, { recursive: true });
    renameSync(away, root);
    const slot = join(root, `keepset-${kit}`, 'share_party2.enc');
    const bytes = readFileSync(slot);
    writeFileSync(slot, bytes.fill(0, 100, 140));
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'damaged' }, counts: false });
    expect((await healthOf(keyId)).protected).toBe(false);
    const { stdout } = await keepset(['health', '--key', keyId, ...phone.args]);
    expect(stdout).toContain(`keepset usb repair ${root}`);
    expect(readFileSync(slot)).toEqual(bytes);
  });

  it('does not take a container on the disk of the device for a place of its own', async () => {
    const keyId = await makeKey(phone);
    const root = temporaryFolder();
    const { kit, code } = await newStick(keyId, root);
    await onPhone(['usb', 'verify', root, '--code', code]);
    const refused = await failure(['usb', 'verify', root, '--replugged', ...phone.args]);
    expect(refused).toMatchObject({
      code: 'place/foreign',
      hint: expect.stringContaining('Plug the stick in'),
    });
    expect(await copyOf(keyId, kit)).toMatchObject({
      domain: 'device:phone',
      proof: 'written',
      counts: false,
    });
    expect(await healthOf(keyId)).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
  });

  it('raises a kit only when it was read back from the picture', async () => {
    const keyId = await makeKey(phone);
    const out = temporaryFolder();
    const { kit, codeSheet, shareSheets } = await onPhone(['kit', '--out', out, '--key', keyId]);
    expect(await copyOf(keyId, kit as string)).toMatchObject({
      proof: 'written',
      reach: { status: 'unseen' },
    });
    const pages = [
      ...(await scan(codeSheet as string, join(out, 'code'), '-gray')),
      ...(await scan(shareSheets as string, join(out, 'share'), '-gray')),
    ];
    await onPhone(['kit', 'read', ...pages, '--out', join(out, 'share.age')]);
    expect(await copyOf(keyId, kit as string)).toMatchObject({ proof: 'decrypted' });
    expect((await healthOf(keyId)).protected).toBe(true);
  });

  it('does not count a lost copy, does not wait for it, and names it until the epoch has advanced', async () => {
    const keyId = await makeKey(phone);
    const { root, kit, code } = await newStick(keyId);
    await onPhone(['usb', 'verify', root, '--replugged', '--code', code]);
    expect((await healthOf(keyId)).protected).toBe(true);
    const { stdout, stderr } = await keepset(['health', '--lost', kit.slice(0, 10), ...phone.args]);
    expect(stderr).toContain(`keepset health --found ${kit.slice(0, 6)}`);
    expect(stdout).toMatch(/lost on 20\d\d-\d\d-\d\d; refresh so that it is worth nothing/);
    expect(stdout).toContain('NOT PROTECTED');
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: false });
    await onPhone(['health', '--found', kit]);
    expect(await healthOf(keyId)).toMatchObject({ protected: true });
    await onPhone(['health', '--lost', kit]);
    expect((await keepsetJson(['health', '--lost', kit, '--key', keyId, ...phone.args])).code).toBe(2);
    expect((await keepsetJson(['health', '--lost', '222222', ...phone.args])).code).toBe(6);
    const before = readFileSync(join(root, `keepset-${kit}`, 'share_party2.enc'));
    expect(await onPhone(['refresh', '--key', keyId])).toMatchObject({ copies: [], retired: true });
    expect(readFileSync(join(root, `keepset-${kit}`, 'share_party2.enc'))).toEqual(before);
    expect((await healthOf(keyId)).copies.map(({ id }) => id)).toEqual(['home']);
  });

  it('takes in a copy in a Finder backup, and sees without its password that the phone was backed up anew', async () => {
    const keyId = await makeKey(phone);
    const cloud = temporaryFolder();
    const copy = await backUpToCloud(cloud, phone, '--key', keyId);
    const { kit: folder, code } = copy;
    const opening = ['--code', code, ...finderPasswordOptions()];
    /** The same file lies in the folder and among the app's files on the phone. */
    const backUp = (root: string): void =>
      makeFinderBackup(root, { 'copy.age': readFileSync(shareFileOf(copy)) });
    const addition = (root: string): string[] => ['finder-backup', 'add', root, ...opening];
    const look = async (): Promise<KeyHealth> => {
      const { copies, protection } = await withUnlocked({ home: phone.home }, silentTerminal, (unlocked) =>
        healthOfKey(unlocked, keyId),
      );
      return { protected: protection.isProtected, shortfalls: protection.shortfalls, copies };
    };
    const lookAtCopy = async (id: string): Promise<CopyHealth | undefined> =>
      (await look()).copies.find((copy) => copy.id === id);
    const near = join(temporaryFolder(), 'backup');
    backUp(near);
    const added = await onPhone(addition(near));
    const kit = added['kit'] as string;
    expect(added).toMatchObject({ keyId, epoch: 0, domain: 'device:phone', left: [] });
    expect(await lookAtCopy(kit)).toMatchObject({
      kind: 'finder-backup',
      proof: 'decrypted',
      reach: { status: 'intact' },
      counts: true,
    });
    // Where this computer burns, the backup on its disk burns too; that in the folder was not opened.
    expect(await look()).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
    expect(await lookAtCopy(folder)).toMatchObject({ proof: 'read back' });
    // As on a Mac, with a space in its path.
    const far = join(elsewhere, 'Application Support', 'backup');
    cpSync(near, far, { recursive: true });
    expect(await onPhone(addition(far))).toMatchObject({ kit, domain: 'location:other-disk' });
    const spread = await look();
    expect(spread.protected).toBe(true);
    expect(spread.copies.map(({ id }) => id).toSorted()).toEqual(['home', folder, kit].toSorted());
    renameSync(far, `${far}-away`);
    expect(await lookAtCopy(kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    renameSync(`${far}-away`, far);
    backUp(far);
    expect(await lookAtCopy(kit)).toMatchObject({ reach: { status: 'unseen' }, counts: false });
    const told = await keepset(['health', '--key', keyId, ...phone.args]);
    expect(told.stdout).toMatch(/Finder backup .* decrypted .* made anew$/m);
    expect(told.stdout).toContain(`keepset finder-backup add '${far}' --code -`);
    expect(await onPhone(addition(far))).toMatchObject({ kit });
    expect((await look()).protected).toBe(true);
    // New shares: the phone has to be given one, and to be backed up. The old share does not wait for that.
    const refreshed = await keepset(['refresh', '--key', keyId, ...phone.args]);
    expect(refreshed.stdout).toContain(`finder-backup ${kit.slice(0, 6)}: worth nothing any more.`);
    expect(refreshed.stdout).toContain(`keepset finder-backup add '${far}' --code -`);
    expect(refreshed.stdout).not.toContain('keeps its old share');
    expect(await lookAtCopy(kit)).toMatchObject({ stale: 'epoch', counts: false });
    const early = await failure([...addition(far), ...phone.args]);
    expect(early).toMatchObject({ code: 'place/stale' });
    expect(early.hint).toContain('keepset finder-backup add');
    backUp(far);
    expect(await onPhone(addition(far))).toMatchObject({ kit, epoch: 1 });
    expect(await lookAtCopy(kit)).toMatchObject({ proof: 'decrypted', counts: true });
    // One that is lost is not found by another one of the same share; one of new shares takes its place.
    await onPhone(['health', '--lost', kit]);
    expect((await failure([...addition(far), ...phone.args])).code).toBe('input/invalid-argument');
    await onPhone(['refresh', '--key', keyId]);
    backUp(far);
    expect(await onPhone(addition(far))).toMatchObject({ kit, epoch: 2 });
    expect(await lookAtCopy(kit)).toMatchObject({ counts: true });
  });

  it('loads ledgers of the first version', async () => {
    const keyId = await makeKey(phone);
    const { root, kit, code } = await newStick(keyId);
    await onPhone(['usb', 'verify', root, '--replugged', '--code', code]);
    const file = join(phone.home, 'usb-ledger', `${kit}.cbor`);
    const noted = decodeCbor(readFileSync(file)) as { copies: Record<string, CborValue>[] } & Record<
      string,
      CborValue
    >;
    const { path: _path, domain: _domain, copies, ...first } = noted;
    const old = copies.map(({ source: _s, readBackAt: _r, openedAt: _o, provenAt: _p, ...copy }) => copy);
    writeFileSync(file, encodeCbor({ ...first, copies: old }));
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'read back', reach: { status: 'unreachable' } });
    // Seen again, it is known again where it lies.
    await onPhone(['usb', 'verify', root, '--code', code]);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', reach: { status: 'intact' } });
  });

  it('shows a table of 80 columns', async () => {
    const { stdout } = await keepset(['health', ...phone.args]);
    for (const line of stdout.split('\n'))
      if (!line.includes(elsewhere)) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^ {2}this device {15} decrypted {8}\d{4}-\d\d-\d\d {2}intact$/m);
  });
});

describe('keepset keys', () => {
  it('lists the other keys when one share is damaged, and says what to do about that one', async () => {
    const [broken, sound] = [await makeKey(phone), await makeKey(phone)];
    const [name = ''] = readdirSync(join(phone.home, 'shares')).filter((each) => each.startsWith(broken));
    const path = join(phone.home, 'shares', name);
    const bytes = readFileSync(path);
    writeFileSync(path, Uint8Array.from(bytes).fill(0, bytes.length - 40));
    try {
      const keys = (await onPhone(['keys']))['keys'] as Json[];
      expect(keys.find((key) => key['keyId'] === sound)).toMatchObject({ state: 'usable', epoch: 0 });
      expect(keys.find((key) => key['keyId'] === broken)).toMatchObject({
        state: 'damaged on this device',
        epoch: 0,
        error: { code: 'place/damaged' },
      });
      const { stdout } = await keepset(['keys', ...phone.args]);
      expect(stdout).toContain('epoch 0: damaged on this device');
      expect(stdout).toContain('keepset recover --from PATH');
    } finally {
      writeFileSync(path, bytes);
    }
  });
});

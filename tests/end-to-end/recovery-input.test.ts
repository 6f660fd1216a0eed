/** Everything that can be wrong with what somebody recovers from: said by code, with the next step, and left as it is. */
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { openAge, sealAge } from '@keepset/wire';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { failure, joining, succeed, together, type Device } from '../support/commands.ts';
import {
  appDomain,
  codeFile,
  containerOf,
  createStick,
  finderPasswordOptions,
  imageOf,
  makeFinderBackup,
  slotOf,
  type Copy,
} from '../support/copies.ts';
import { reading } from '../support/media.ts';
import { keepset, onTerminal } from '../support/processes.ts';
import { emptyHome, makeKey, newWorld, phoneAndLaptop, type World } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let world: World;
let keyId: string;
let phone: Device;
/** The phone's share of epoch 0 and of epoch 1, and the laptop's. */
let stick: Copy;
let later: Copy;
let laptops: Copy;
beforeAll(async () => {
  world = await newWorld();
  const devices = await phoneAndLaptop(world);
  const { laptop } = devices;
  ({ phone } = devices);
  keyId = await makeKey(phone, ['--policy', 'thresh(2,server,phone,laptop)'], { laptop });
  stick = await createStick(world.folder('stick'), phone);
  laptops = await createStick(world.folder('stick'), laptop);
  later = stick;
  stick = { ...later, root: imageOf(later.root) };
  await together(['refresh', ...phone.args], { laptop: joining(laptop) });
  // From here on nothing needs a server: what is wrong is found before one is asked.
  await world.server().stop();
});

/** Recovery from something that is wrong: nothing is altered, and no device is made. */
const refused = async (
  from: string,
  ...more: readonly string[]
): Promise<{ code: string; message: string; hint: string }> => {
  const nobody = emptyHome(world, 'nobody');
  const result = await reading(join(from, '..'), () =>
    failure(['recover', '--lost', '--from', from, ...more, ...nobody.args]),
  );
  expect(readdirSync(join(nobody.home, '..'))).toEqual([]);
  return result;
};

it('a wrong code, a mistyped one, and none', async () => {
  expect((await refused(stick.root, '--code', laptops.code)).code).toBe('place/locked');
  const typo = stick.code.slice(0, -1) + (stick.code.endsWith('Q') ? 'P' : 'Q');
  const mistyped = await refused(stick.root, '--code', typo);
  expect(mistyped.code).toBe('input/malformed');
  expect(JSON.stringify(mistyped)).not.toContain(typo.slice(20, 50));
  const none = await refused(stick.root);
  expect(none).toMatchObject({ code: 'input/invalid-argument' });
  expect(none.hint).toContain('--code');
});

it('a wrong stick, two containers on one, and renamed files', async () => {
  const wrong = await refused(laptops.root, '--code', laptops.code, '--party', 'phone');
  expect(wrong.code).toBe('place/foreign');
  expect(wrong.message).toContain('laptop’s share');
  const both = imageOf(stick.root);
  cpSync(laptops.root, both, { recursive: true });
  const several = await refused(both, '--code', stick.code);
  expect(several.code).toBe('input/invalid-argument');
  expect(several.hint).toContain('Say which');
  // With the kit named it opens, and asks for an invitation only then.
  const kit = containerOf(stick.root).slice(-26);
  expect((await refused(both, '--code', stick.code, '--kit', kit)).code).toBe('input/not-enrolled');
  const renamed = imageOf(stick.root);
  renameSync(slotOf(renamed), join(containerOf(renamed), 'share_party3.bak'));
  renameSync(slotOf(renamed, 'enc.par'), join(containerOf(renamed), 'share_party2.bak.par'));
  expect((await refused(renamed, '--code', stick.code)).code).toBe('place/damaged');
});

it('truncated, empty and linked files, and metadata of 100 MB', async () => {
  for (const hurt of [
    (path: string) => truncateSync(path, 100),
    (path: string) => truncateSync(path, 0),
    (path: string) => {
      rmSync(path);
      symlinkSync('/etc/passwd', path);
    },
  ]) {
    const root = imageOf(stick.root);
    rmSync(slotOf(root, 'enc.par'));
    hurt(slotOf(root));
    expect((await refused(root, '--code', stick.code)).code).toMatch(/^place\/(damaged|foreign)$/);
    const file = join(world.folder('files'), 'share.age');
    cpSync(slotOf(stick.root), file);
    hurt(file);
    expect((await refused(file, '--code', stick.code)).code).toMatch(/^place\/(damaged|foreign)$/);
  }
  const root = imageOf(stick.root);
  const file = openSync(join(containerOf(root), 'metadata.json'), 'r+');
  ftruncateSync(file, 100_000_000);
  closeSync(file);
  // The metadata are of no use, and the share opens all the same.
  expect((await refused(root, '--code', stick.code)).code).toBe('input/not-enrolled');
  const huge = join(world.folder('files'), 'huge.age');
  const hole = openSync(huge, 'w');
  ftruncateSync(hole, 100_000_000);
  closeSync(hole);
  expect((await refused(huge, '--code', stick.code)).code).toBe('wire/too-large');
});

it('links, empty folders, nothing at all, and scans that are no pictures', async () => {
  const folder = world.folder('links');
  symlinkSync(stick.root, join(folder, 'stick'));
  symlinkSync(slotOf(stick.root), join(folder, 'share.age'));
  expect((await refused(join(folder, 'stick'), '--code', stick.code)).code).toBe('place/foreign');
  expect((await refused(join(folder, 'share.age'), '--code', stick.code)).code).toBe('place/foreign');
  expect((await refused(world.folder('empty'), '--code', stick.code)).code).toBe('place/not-found');
  expect((await refused(join(folder, 'nothing'), '--code', stick.code)).code).toBe('place/not-found');
  const waiting = world.folder('cloud');
  writeFileSync(join(waiting, '.share.age.icloud'), 'bplist00');
  const cloud = await refused(waiting, '--code', stick.code);
  expect(cloud.code).toBe('place/unreachable');
  expect(cloud.hint).toContain('download');
  const scan = join(folder, 'scan.pdf');
  writeFileSync(scan, '%PDF-1.7');
  expect((await refused(scan, '--code', stick.code)).hint).toContain('pdftoppm');
});

it('several epochs and several shares in one folder: the newest of the one that is meant', async () => {
  const folder = world.folder('mixed');
  mkdirSync(join(folder, 'old'));
  cpSync(slotOf(stick.root), join(folder, 'old', 'a.age'));
  cpSync(slotOf(later.root, 'bak'), join(folder, 'b.age'));
  const codes = codeFile(stick.code, laptops.code);
  const nobody = emptyHome(world, 'nobody');
  const newest = await reading(folder, () =>
    keepset(['recover', '--lost', '--from', folder, '--identity', codes, ...nobody.args]),
  );
  expect(newest.stderr).toContain('epoch 1');
  expect(newest.stderr).toContain('Older copies beside it are left alone: 1.');
  cpSync(slotOf(laptops.root).replace('party2', 'party3'), join(folder, 'c.age'));
  const several = await refused(folder, '--identity', codes);
  expect(several.code).toBe('input/invalid-argument');
  expect(several.hint).toContain('--party');
  expect((await refused(folder, '--identity', codes, '--party', 'laptop')).hint).toContain(keyId);
});

it('another party’s share in a Finder backup: it is not taken for one’s own, alone or beside that', async () => {
  const backup = join(world.folder('mac'), 'backup');
  makeFinderBackup(backup, {
    'laptop.age': readFileSync(slotOf(laptops.root).replace('party2', 'party3')),
    'phone.age': readFileSync(slotOf(later.root, 'bak')),
  });
  const codes = codeFile(laptops.code, later.code);
  const add = ['finder-backup', 'add', backup, ...finderPasswordOptions(), ...phone.args];
  const theirs = await reading(backup, () => failure([...add, '--code', laptops.code]));
  expect(theirs.code).toBe('place/foreign');
  expect(theirs.message).toContain(`laptop’s share of key ${keyId}`);
  const added = await reading(backup, () => succeed([...add, '--identity', codes]));
  expect(added).toMatchObject({ keyId, party: 'phone', epoch: 1, file: { path: 'Documents/phone.age' } });
  expect(added['left']).toEqual([
    { domain: appDomain, path: 'Documents/laptop.age', reason: `laptop’s share of key ${keyId}` },
  ]);
});

it('files of a Finder backup whose names meet: each is extracted under a name of its own', async () => {
  const backup = join(world.folder('mac'), 'backup');
  const paths = ['share-2.age', 'my copy.age', 'phone.age', 'Phone.age'];
  const contents = paths.map((path, i) => ({
    domain: `Domain${i}`,
    path: `Documents/${path}`,
    content: Buffer.from(`age-encryption.org/v1\n${i}`),
  }));
  makeBackup(backup, '', { ...modernDialect, encrypted: false }, contents);
  const out = join(world.folder('out'), 'shares');
  const { shares } = await succeed(['finder-backup', 'extract', backup, '--out', out]);
  const files = (shares as { file: string }[]).map(({ file }) => file);
  expect(files).toEqual(['share-2.age', 'share-3.age', 'phone.age', 'share-4.age'].map((n) => join(out, n)));
  expect(files.map((file) => readFileSync(file))).toEqual(contents.map(({ content }) => content));
});

it('a passphrase that is wrong three times, each counted', async () => {
  const folder = world.folder('cloud');
  const file = join(folder, 'share.age');
  const plain = await openAge(readFileSync(slotOf(stick.root)), [stick.code]);
  writeFileSync(file, await sealAge(plain, { passphrase: 'correct horse', workFactor: 4 }));
  const guesses = [1, 2, 3].map((n) => [`attempt ${n} of 3): `, 'guess\n'] as const);
  const recover = ['recover', '--lost', '--from', file, ...emptyHome(world).args];
  const ended = await reading(folder, () => onTerminal(recover, guesses));
  expect(ended.code).toBe(2);
  expect(ended.stdout).toContain('input/wrong-passphrase');
  expect(ended.stdout).toContain('passphrase this very copy was sealed with');
  expect(ended.stdout).not.toContain('guess');
});

/** Share files in Finder backups with the real command: found, taken in as copies, and refused where they are not. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { failure, succeed, type Device } from '../support/commands.ts';
import {
  appDomain,
  createStick,
  finderPassword,
  finderPasswordOptions,
  slotOf,
  type Copy,
} from '../support/copies.ts';
import { temporaryFolder } from '../support/folders.ts';
import { reading } from '../support/media.ts';
import { keepset, onTerminal } from '../support/processes.ts';
import { makeKey, newWorld, phoneAndLaptop } from '../support/world.ts';

const work = temporaryFolder();
let phone: Device;
let keyId: string;
let stick: Copy;
/** A stick of the laptop, which has another key. */
let foreign: Copy;
beforeAll(async () => {
  const world = await newWorld();
  const { laptop, ...rest } = await phoneAndLaptop(world);
  ({ phone } = rest);
  keyId = await makeKey(phone);
  await makeKey(laptop, ['--policy', 'and(server,laptop)']);
  // From here on nothing needs a server.
  await world.server().stop();
  stick = await createStick(join(work, 'stick'), phone);
  foreign = await createStick(join(work, 'foreign'), laptop);
});

/** Whether a file of the ledger is of a copy in a Finder backup. */
const isFinderEntry = (name: string): boolean =>
  readFileSync(join(phone.home, 'usb-ledger', name)).includes('finder-backup');

describe('keepset finder-backup', () => {
  const domain = appDomain;
  const password = finderPasswordOptions();
  // Enough rounds for a progress bar.
  const dialect = { ...modernDialect, firstRounds: 200_000 };
  const backup = join(work, 'backup');
  let share: Buffer;
  beforeAll(() => {
    share = readFileSync(slotOf(stick.root, 'enc'));
    makeBackup(backup, finderPassword, dialect, [
      { domain, path: `Documents/shares/${keyId}.0.1.age`, content: share },
      { domain, path: `Documents/old/${keyId}.0.1.age`, content: share },
      { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    ]);
  });
  const extract = (folder: string, out: string): string[] => [
    'finder-backup',
    'extract',
    folder,
    '--out',
    join(work, out),
  ];

  it('finds the share files, shows how far it is, and alters nothing', async () => {
    const args = [...extract(backup, 'extracted'), ...password];
    const { code, stdout, stderr } = await reading(backup, () => keepset(args));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/█{10} 10\/10/);
    expect(stdout).toContain('Found 2 share files');
    const files = readdirSync(join(work, 'extracted'));
    expect(files.toSorted()).toEqual([`${keyId}.0.1.age`, 'share-2.age'].toSorted());
    for (const name of files) expect(readFileSync(join(work, 'extracted', name))).toEqual(share);
    expect((await failure(args)).code).toBe('place/exists');
  });

  it('says clearly that a password is wrong or missing, and that a folder is no backup', async () => {
    writeFileSync(join(work, 'wrong-password'), 'guess\n');
    const wrong = [...extract(backup, 'none'), '--copy-passphrase-file', join(work, 'wrong-password')];
    const { code, hint } = await reading(backup, () => failure(wrong));
    expect(code).toBe('input/wrong-passphrase');
    expect(hint).toContain('Finder');
    expect((await failure(extract(backup, 'none'))).code).toBe('input/invalid-argument');
    expect((await failure(extract(stick.root, 'none'))).code).toBe('place/not-found');
    expect(existsSync(join(work, 'none'))).toBe(false);
  });

  it('asks for the password three times at most, and says which time it is', async () => {
    const guesses = [1, 2, 3].map((n) => [`attempt ${n} of 3): `, 'guess\n'] as const);
    const ended = await onTerminal(extract(backup, 'none'), guesses);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toContain('input/wrong-passphrase');
    expect(ended.stdout).not.toContain('guess');
    const second = await onTerminal(extract(backup, 'typed'), [
      ['attempt 1 of 3): ', 'guess\n'],
      ['attempt 2 of 3): ', `${finderPassword}\n`],
    ]);
    expect(second).toMatchObject({ code: 0 });
    expect(readdirSync(join(work, 'typed'))).toHaveLength(2);
  });

  it('warns of a backup that is not encrypted, and of one without a share', async () => {
    const open = join(work, 'open-backup');
    makeBackup(open, '', { ...dialect, encrypted: false }, [
      { domain, path: 'Documents/a b.age', content: share },
    ]);
    const { code, stdout, stderr } = await keepset(extract(open, 'from-open'));
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stderr).toContain('not encrypted');
    expect(readdirSync(join(work, 'from-open'))).toEqual(['share-1.age']);
    const none = join(work, 'backup-without');
    makeBackup(none, '', { ...dialect, encrypted: false }, [
      { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    ]);
    expect((await failure(extract(none, 'none'))).code).toBe('place/not-found');
  });

  it('adds nothing but a copy of this device’s share in an encrypted backup, and alters nothing in it', async () => {
    const made = (name: string, content: Uint8Array, over: Partial<typeof modernDialect> = {}): string => {
      const folder = join(work, name);
      makeBackup(folder, finderPassword, { ...modernDialect, ...over }, [
        { domain, path: 'Documents/copy.age', content },
      ]);
      return folder;
    };
    const add = (folder: string, ...more: string[]): ReturnType<typeof failure> =>
      reading(folder, () => failure(['finder-backup', 'add', folder, ...more, ...phone.args]));
    const own = ['--code', stick.code, ...password];
    const good = made('good', share);
    expect((await add(good, '--code', stick.code)).hint).toContain('--copy-passphrase-file');
    expect((await add(good, ...password)).code).toBe('input/invalid-argument');
    const wrong = ['--copy-passphrase-file', join(work, 'wrong-password')];
    expect((await add(good, '--code', stick.code, ...wrong)).code).toBe('input/wrong-passphrase');
    expect((await add(good, '--code', foreign.code, ...password)).code).toBe('place/locked');
    expect((await add(stick.root, ...own)).code).toBe('place/not-found');
    expect((await add(made('no-share', Buffer.from('hello')), ...own)).code).toBe('place/not-found');
    expect((await add(made('nameless', share, { phone: '-' }), ...own)).code).toBe('place/damaged');
    const open = await add(made('open', share, { encrypted: false }), ...own);
    expect(open).toMatchObject({ code: 'input/unsupported' });
    expect(open.hint).toContain('Encrypt local backup');
    const theirs = made('theirs', readFileSync(slotOf(foreign.root, 'enc')));
    const others = await add(theirs, '--code', foreign.code, ...password);
    expect(others.code).toBe('place/foreign');
    expect(others.message).toContain('laptop’s share');
    rmSync(join(good, 'Manifest.db'));
    expect((await add(good, ...own)).hint).toContain('later system');
    expect(readdirSync(join(phone.home, 'usb-ledger')).filter(isFinderEntry)).toEqual([]);
  });

  it('is brought back into the ledger when its entry there is damaged', async () => {
    const folder = join(work, 'remembered');
    makeBackup(folder, finderPassword, modernDialect, [
      { domain, path: 'Documents/copy.age', content: share },
    ]);
    const opening = ['--code', stick.code, ...password, ...phone.args];
    const { kit } = await succeed(['finder-backup', 'add', folder, ...opening]);
    const entry = join(phone.home, 'usb-ledger', `${String(kit)}.cbor`);
    writeFileSync(entry, readFileSync(entry).subarray(0, 40));
    expect(await succeed(['health', ...phone.args])).toMatchObject({
      damagedEntries: [{ kit, file: entry }],
    });
    const remembered = await reading(folder, () => succeed(['remember', folder, ...opening]));
    expect(remembered).toMatchObject({ kit, kind: 'finder-backup', keyId, epoch: 0, replaced: entry });
    expect(await succeed(['health', ...phone.args])).toMatchObject({ damagedEntries: [] });
  });
});

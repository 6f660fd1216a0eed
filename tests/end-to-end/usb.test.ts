/** Sticks with the real command: written, read, renewed, repaired, rescued. */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { deviceAt, failure, succeed, type Device } from '../support/commands.ts';
import {
  codeFile,
  containerOf,
  createWholeStick,
  flipByte,
  imageOf,
  slotOf,
  verifyFails,
  type Copy,
} from '../support/copies.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { reading, typedFrom } from '../support/media.ts';
import { keepset, onTerminal, run } from '../support/processes.ts';
import { makeKey, newWorld, phoneAndLaptop } from '../support/world.ts';

const work = temporaryFolder();
const nobody = deviceAt(join(work, 'nobody'));
let phone: Device;
let other: Device;

let keyId: string;
let stick: Copy;
/** The laptop's, which was unplugged when its key was refreshed, so that it keeps the old share. */
let foreign: Copy;
beforeAll(async () => {
  const world = await newWorld();
  ({ phone, laptop: other } = await phoneAndLaptop(world));
  keyId = await makeKey(phone);
  await makeKey(other, ['--policy', 'and(server,laptop)']);
  foreign = await createWholeStick(otherMedium(), other);
  renameSync(foreign.root, `${foreign.root}-unplugged`);
  await succeed(['refresh', ...other.args]);
  renameSync(`${foreign.root}-unplugged`, foreign.root);
  // From here on nothing needs a server.
  await world.server().stop();
  stick = await createWholeStick(otherMedium(), phone);
});

describe('keepset usb', () => {
  it('writes one slot, and the second only after the stick was plugged in again', async () => {
    const root = otherMedium();
    const written = await succeed(['usb', 'create', root, '--show-code', ...phone.args]);
    expect(written).toMatchObject({ keyId, epoch: 0, state: 'written' });
    expect(existsSync(slotOf(root, 'enc'))).toBe(true);
    expect(existsSync(slotOf(root, 'bak'))).toBe(false);
    const verify = ['usb', 'verify', root, ...phone.args];
    const before = await reading(root, () => succeed(verify));
    expect(before).toMatchObject({ by: 'ledger', mirrored: false, generation: written['generation'] });
    expect(await succeed([...verify, '--replugged'])).toMatchObject({ mirrored: true });
    expect(readFileSync(slotOf(root, 'bak'))).toEqual(readFileSync(slotOf(root, 'enc')));
    expect(await reading(root, () => succeed(verify))).toMatchObject({ mirrored: true });
  });

  it('seals to the recovery code alone: it opens the slot with stock age, the device does not', async () => {
    const age = await run('age', ['-d', '-i', codeFile(stick.code), slotOf(stick.root, 'enc')]);
    expect(age.code).toBe(0);
    const device = join(phone.home, 'identity.txt');
    expect((await run('age', ['-d', '-i', device, slotOf(stick.root, 'enc')])).code).not.toBe(0);
    expect((await verifyFails(phone, stick.root, '--identity', device)).code).toBe('place/locked');
  });

  it('opens with the code on a computer that knows nothing, typed in groups and small letters too', async () => {
    const typed = `${stick.code.slice(0, 16)} ${stick.code
      .slice(16)
      .match(/.{1,4}/g)
      ?.join(' ')}`;
    for (const given of [
      ['--code', typed.toLowerCase()],
      ['--identity', codeFile(stick.code)],
    ])
      expect(
        await reading(stick.root, () => succeed(['usb', 'verify', stick.root, ...given, ...nobody.args])),
      ).toMatchObject({ by: 'code', keyId, epoch: 0, mirrored: true });
    expect(await succeed(['usb', 'verify', stick.root, ...nobody.args])).toMatchObject({ by: 'hashes' });
    expect(existsSync(nobody.home)).toBe(false);
  });

  it('shows the code only on request, keeps it nowhere, and makes no stick whose code goes nowhere', async () => {
    const root = otherMedium();
    const { code } = await failure(['usb', 'create', root, ...phone.args]);
    expect(code).toBe('input/invalid-argument');
    expect(readdirSync(root)).toEqual([]);
    const sheet = join(work, 'quiet.pdf');
    const quiet = await keepset(['usb', 'create', root, '--code-sheet', sheet, ...phone.args]);
    expect(quiet.code).toBe(0);
    expect(quiet.stdout + quiet.stderr).not.toContain('AGE-SECRET-KEY');
    const kept = readdirSync(phone.home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.join('\n')).not.toContain(stick.code.slice(16));
  });

  it('prints the code on a sheet that can be typed from, and never onto the same medium', async () => {
    const root = otherMedium();
    const refused = await failure(['usb', 'create', root, '--code-sheet', `${root}/code.pdf`, ...phone.args]);
    expect(refused.code).toBe('place/foreign');
    symlinkSync(root, join(work, 'link'));
    const linked = join(work, 'link', 'code.pdf');
    expect((await failure(['usb', 'create', root, '--code-sheet', linked, ...phone.args])).code).toBe(
      'place/foreign',
    );
    expect(readdirSync(root)).toEqual([]);
    const sheet = join(work, 'code.pdf');
    await succeed(['usb', 'create', root, '--code-sheet', sheet, '--paper', 'Letter', ...phone.args]);
    expect(statSync(sheet).mode & 0o777).toBe(0o600);
    const typed = await typedFrom(sheet);
    expect(await succeed(['usb', 'verify', root, '--code', typed, ...phone.args])).toMatchObject({
      by: 'code',
    });
    const again = otherMedium();
    expect((await failure(['usb', 'create', again, '--code-sheet', sheet, ...phone.args])).code).toBe(
      'place/exists',
    );
    expect(readdirSync(again)).toEqual([]);
  });

  it('refuses a stick on which codes lie, and one that holds a container', async () => {
    const root = otherMedium();
    writeFileSync(join(root, 'recovery_codes.txt'), 'x');
    expect((await failure(['usb', 'create', root, '--show-code', ...phone.args])).code).toBe('place/foreign');
    expect(readdirSync(root)).toEqual(['recovery_codes.txt']);
    expect(
      (await reading(stick.root, () => failure(['usb', 'create', stick.root, '--show-code', ...phone.args])))
        .code,
    ).toBe('place/exists');
  });

  it('renews a stick under the code it has, and knows an older state of it', async () => {
    const own = await createWholeStick(otherMedium(), phone);
    const old = imageOf(own.root);
    const { generation } = await succeed(['usb', 'create', own.root, '--again', ...phone.args]);
    await succeed(['usb', 'verify', own.root, '--replugged', ...phone.args]);
    expect(
      await succeed(['usb', 'verify', own.root, '--identity', codeFile(own.code), ...phone.args]),
    ).toMatchObject({
      generation,
      mirrored: true,
    });
    for (const given of [[], ['--identity', codeFile(own.code)]])
      expect((await verifyFails(phone, old, ...given)).code).toBe('place/stale');
    expect(
      (await reading(old, () => failure(['usb', 'verify', old, '--replugged', ...phone.args]))).code,
    ).toBe('place/stale');
  });

  it('writes over a copy it does not remember only where the code says what that is', async () => {
    const own = await createWholeStick(otherMedium(), phone);
    const path = join(phone.home, 'usb-ledger', `${own.kit}.cbor`);
    const before = readFileSync(path);
    const again = ['usb', 'create', own.root, '--again', ...phone.args];
    const { generation } = await succeed(again);
    writeFileSync(path, before);
    for (const args of [again, ['usb', 'verify', own.root, '--replugged', ...phone.args]]) {
      const refused = await reading(own.root, () => failure(args));
      expect(refused.code).toBe('place/stale');
      expect(refused.hint).toContain('--code');
    }
    const written = await succeed([...again, '--code', own.code]);
    expect(written['generation']).toBeGreaterThan(generation as number);
    await succeed(['usb', 'verify', own.root, '--replugged', ...phone.args]);
  });

  it('says that a share is of an old epoch, and writes the current one under the same code', async () => {
    const root = imageOf(foreign.root);
    const old = await reading(root, () => failure(['usb', 'verify', root, ...other.args]));
    expect(old).toMatchObject({ code: 'place/stale' });
    expect(old.hint).toContain('--again');
    expect(await succeed(['usb', 'create', root, '--again', ...other.args])).toMatchObject({ epoch: 1 });
    // The second slot still holds the old epoch until the stick was plugged in again.
    const verify = ['usb', 'verify', root, '--code', foreign.code, ...other.args];
    expect(await succeed(verify)).toMatchObject({ epoch: 1, mirrored: false });
    expect(await succeed([...verify, '--replugged'])).toMatchObject({ epoch: 1, mirrored: true });
    expect(readFileSync(slotOf(root, 'bak'))).toEqual(readFileSync(slotOf(root, 'enc')));
  });

  it('asks to unplug and plug in again where somebody is there, and completes both slots then', async () => {
    const root = otherMedium();
    const create = ['usb', 'create', root, '--show-code', ...phone.args];
    const done = await onTerminal(create, [['Is it back?', 'y\n']]);
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('Written and verified');
    expect(done.stdout.match(/AGE-SECRET-KEY-1/g)).toHaveLength(1);
    expect(readFileSync(slotOf(root, 'bak'))).toEqual(readFileSync(slotOf(root, 'enc')));
    const later = otherMedium();
    const put = await onTerminal(
      ['usb', 'create', later, '--show-code', ...phone.args],
      [['Is it back?', 'n\n']],
    );
    expect(put.stdout).toContain('--replugged');
    expect(existsSync(slotOf(later, 'bak'))).toBe(false);
  });

  it('repairs what is damaged and leaves alone what is not', async () => {
    const root = imageOf(stick.root);
    const whole = readFileSync(slotOf(root, 'enc'));
    expect(await reading(root, () => succeed(['usb', 'repair', root, ...phone.args]))).toMatchObject({
      repaired: [],
    });
    flipByte(slotOf(root, 'enc'), 100);
    flipByte(slotOf(root, 'bak.par'), 40);
    writeFileSync(join(containerOf(root), 'metadata.json'), '');
    const damage = await verifyFails(phone, root);
    expect(damage).toMatchObject({ code: 'place/damaged' });
    expect(damage.hint).toContain('keepset usb repair');
    const { repaired } = await succeed(['usb', 'repair', root, ...phone.args]);
    // With its parity and the metadata gone, nothing vouches for the second slot either.
    expect(repaired).toHaveLength(4);
    expect(await succeed(['usb', 'verify', root, '--code', stick.code, ...phone.args])).toMatchObject({
      mirrored: true,
    });
    expect(readFileSync(slotOf(root, 'enc'))).toEqual(whole);
  });

  it('rescues the share from a stick that was formatted by mistake', async () => {
    const image = join(work, 'stick.img');
    closeSync(openSync(image, 'w'));
    truncateSync(image, 8 << 20);
    const ok = async (command: string, ...args: string[]): Promise<void> => {
      const { code, stderr } = await run(command, args);
      expect({ command, code, stderr }).toMatchObject({ code: 0 });
    };
    await ok('mkfs.fat', image);
    await ok('mcopy', '-i', image, '-s', containerOf(stick.root), '::/');
    await ok('mkfs.fat', image);
    const out = join(work, 'rescued');
    const { shares } = await reading(image, () =>
      succeed(['usb', 'rescue', image, '--identity', codeFile(stick.code), '--out', out]),
    );
    expect(shares).toMatchObject([{ keyId, party: 'phone', epoch: 0 }]);
    const [name = ''] = readdirSync(out);
    expect(readFileSync(join(out, name))).toEqual(readFileSync(slotOf(stick.root, 'enc')));
    const rescue = ['usb', 'rescue', image, '--out', join(work, 'nothing')];
    expect((await failure([...rescue, '--identity', codeFile(foreign.code)])).code).toBe('place/not-found');
    expect((await failure(rescue)).code).toBe('input/invalid-argument');
    expect(existsSync(join(work, 'nothing'))).toBe(false);
  });
});

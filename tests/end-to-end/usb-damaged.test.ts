/** Sticks that are not as they should be: each fault is said by its code, with the next step, and nothing is altered. */
import {
  closeSync,
  cpSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor } from '@keepset/bytes';
import { deviceAt, failure, succeed, type Device } from '../support/commands.ts';
import { containerOf, createWholeStick, imageOf, slotOf, verifyFails, type Copy } from '../support/copies.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { reading } from '../support/media.ts';
import { makeKey, newWorld, phoneAndLaptop } from '../support/world.ts';

const work = temporaryFolder();
const nobody = deviceAt(join(work, 'nobody'));
let phone: Device;
let stick: Copy;
/** The laptop's, of another key. */
let foreign: Copy;
beforeAll(async () => {
  const world = await newWorld();
  const { laptop, ...rest } = await phoneAndLaptop(world);
  ({ phone } = rest);
  await makeKey(phone);
  await makeKey(laptop, ['--policy', 'and(server,laptop)']);
  // From here on nothing needs a server.
  await world.server().stop();
  foreign = await createWholeStick(otherMedium(), laptop);
  stick = await createWholeStick(otherMedium(), phone);
});

describe('a stick that is not as it should be', () => {
  it('is another stick', async () => {
    const wrong = await verifyFails(phone, foreign.root);
    expect(wrong.code).toBe('place/foreign');
    expect(wrong.hint).toContain(stick.kit);
    expect((await verifyFails(phone, stick.root, '--kit', foreign.kit)).code).toBe('place/foreign');
    // With its code the stick of somebody else still opens.
    expect(
      await succeed(['usb', 'verify', foreign.root, '--code', foreign.code, ...phone.args]),
    ).toMatchObject({
      by: 'code',
    });
  });

  it('is empty, or not there', async () => {
    expect((await verifyFails(phone, temporaryFolder())).code).toBe('place/not-found');
    const gone = join(work, 'unplugged');
    expect((await failure(['usb', 'verify', gone, ...phone.args])).code).toBe('place/unreachable');
    expect((await failure(['usb', 'create', gone, '--show-code', ...phone.args])).code).toBe(
      'place/unreachable',
    );
  });

  it('holds a foreign share under its own names', async () => {
    const root = imageOf(stick.root);
    for (const end of ['enc', 'bak', 'enc.par', 'bak.par'])
      cpSync(slotOf(foreign.root, end), slotOf(root, end));
    cpSync(join(containerOf(foreign.root), 'metadata.json'), join(containerOf(root), 'metadata.json'));
    expect((await verifyFails(phone, root)).code).toBe('place/foreign');
    expect((await verifyFails(phone, root, '--code', stick.code)).code).toBe('place/locked');
    expect((await verifyFails(phone, root, '--code', foreign.code)).code).toBe('place/foreign');
  });

  it('holds two containers', async () => {
    const root = imageOf(stick.root);
    cpSync(containerOf(foreign.root), join(root, `keepset-${foreign.kit}`), { recursive: true });
    const both = await verifyFails(phone, root);
    expect(both.code).toBe('input/invalid-argument');
    expect(both.hint).toContain(stick.kit);
    expect(await succeed(['usb', 'verify', root, '--kit', stick.kit, ...phone.args])).toMatchObject({
      kit: stick.kit,
    });
  });

  it('has renamed files', async () => {
    const root = imageOf(stick.root);
    renameSync(slotOf(root, 'bak'), join(containerOf(root), 'share_party3.bak'));
    expect((await verifyFails(phone, root)).code).toBe('place/damaged');
    const elsewhereKnown = await reading(root, () =>
      failure(['usb', 'verify', root, '--code', stick.code, ...nobody.args]),
    );
    expect(elsewhereKnown).toMatchObject({ code: 'place/damaged' });
    expect(elsewhereKnown.message).toContain('share_party3');
  });

  it.each(['enc', 'bak'])('has a truncated, empty, linked or missing slot .%s', async (end) => {
    const hurts: readonly ((path: string) => void)[] = [
      (path) => truncateSync(path, 200),
      (path) => truncateSync(path, 0),
      (path) => rmSync(path),
      (path) => {
        rmSync(path);
        symlinkSync('/etc/passwd', path);
      },
    ];
    for (const hurt of hurts) {
      const root = imageOf(stick.root);
      hurt(slotOf(root, end));
      expect((await verifyFails(phone, root, ...(end === 'enc' ? [] : ['--code', stick.code]))).code).toBe(
        'place/damaged',
      );
    }
    const linked = imageOf(stick.root);
    rmSync(slotOf(linked, end));
    symlinkSync(join(phone.home, 'identity.txt'), slotOf(linked, end));
    const before = readFileSync(join(phone.home, 'identity.txt'));
    expect((await failure(['usb', 'repair', linked, ...phone.args])).code).toBe('place/foreign');
    expect(readFileSync(join(phone.home, 'identity.txt'))).toEqual(before);
  });

  it('has metadata of 100 MB', async () => {
    const root = imageOf(stick.root);
    const file = openSync(join(containerOf(root), 'metadata.json'), 'r+');
    ftruncateSync(file, 100_000_000);
    closeSync(file);
    const { code, message } = await verifyFails(phone, root);
    expect(code).toBe('place/damaged');
    expect(message).toContain('metadata.json');
  });

  it('was cut off before its code was shown: nothing but the code makes it good', async () => {
    const own = await createWholeStick(otherMedium(), phone);
    const path = join(phone.home, 'usb-ledger', `${own.kit}.cbor`);
    const ledger = decodeCbor(readFileSync(path)) as { copies: { state: string }[] };
    for (const copy of ledger.copies) copy.state = 'intended';
    writeFileSync(path, encodeCbor({ ...ledger }));
    const { code, hint } = await verifyFails(phone, own.root);
    expect(code).toBe('place/damaged');
    expect(hint).toContain(`delete the folder keepset-${own.kit}`);
    for (const args of [
      ['usb', 'verify', own.root, '--replugged'],
      ['usb', 'create', own.root, '--again'],
    ])
      expect((await reading(own.root, () => failure([...args, ...phone.args]))).code).toBe('place/damaged');
    await succeed(['usb', 'verify', own.root, '--replugged', '--code', own.code, ...phone.args]);
    expect(await succeed(['usb', 'verify', own.root, ...phone.args])).toMatchObject({ by: 'ledger' });
    writeFileSync(path, 'nothing');
    expect((await verifyFails(phone, own.root)).code).toBe('place/damaged');
    rmSync(path);
  });

  it('is beyond repair', async () => {
    const root = imageOf(stick.root);
    for (const end of ['enc', 'bak', 'enc.par', 'bak.par']) writeFileSync(slotOf(root, end), 'nothing');
    expect((await verifyFails(phone, root)).code).toBe('place/damaged');
    expect((await reading(root, () => failure(['usb', 'repair', root, ...phone.args]))).code).toBe(
      'place/damaged',
    );
  });

  it('is opened with a wrong or mistyped code', async () => {
    expect((await verifyFails(phone, stick.root, '--code', foreign.code)).code).toBe('place/locked');
    const at = 30;
    const wrong = stick.code[15 + at] === 'Q' ? 'P' : 'Q';
    const typo = stick.code.slice(0, 15 + at) + wrong + stick.code.slice(16 + at);
    const located = await verifyFails(phone, stick.root, '--code', typo);
    expect(located.code).toBe('input/malformed');
    expect(located.hint).toContain(`character ${at} after`);
    expect(JSON.stringify(located)).not.toContain(typo.slice(16, 40));
    expect((await verifyFails(phone, stick.root, '--code', 'hello')).code).toBe('input/malformed');
    writeFileSync(join(work, 'empty.txt'), '');
    expect((await verifyFails(phone, stick.root, '--identity', join(work, 'empty.txt'))).code).toBe(
      'input/malformed',
    );
  });
});

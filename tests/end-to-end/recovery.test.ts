/**
 * A device is gone, and its share comes back from a copy: each place once, with server, devices, stick and cloud as
 * processes and folders of their own. Every recovery ends with new shares, and what the thief or finder of the old
 * device has is tried out and refused.
 */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { openAge, sealAge } from '@keepset/wire';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { forge } from '../support/forge.ts';
import { reading, scan } from '../support/media.ts';
import { bin, onTerminal, start, untilSaid } from '../support/processes.ts';
import {
  addDevice,
  emptyHome,
  expectSigns,
  expectSignsTogether,
  expectUseless,
  failure,
  joining,
  newPhone,
  newWorld,
  publicKeyOf,
  succeed,
  takenAway,
  together,
  type Device,
  type World,
} from '../support/recovery.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

/** Somebody with a phone, a key, and one copy of the phone's share. */
interface Person {
  readonly phone: Device;
  readonly keyId: string;
  readonly publicKey: string;
}

const newPerson = async (scheme = 'ed25519'): Promise<Person> => {
  const phone = await newPhone(world);
  const keyId = (await succeed(['keygen', '--scheme', scheme, ...phone.args]))['keyId'] as string;
  return { phone, keyId, publicKey: await publicKeyOf(phone, keyId) };
};

interface Stick {
  readonly root: string;
  readonly code: string;
}

const makeStick = async ({ args }: Device): Promise<Stick> => {
  const root = world.folder('stick');
  const { code } = await succeed(['usb', 'create', root, '--show-code', ...args]);
  return { root, code: code as string };
};

const slotOf = (root: string): string => {
  const [name = ''] = readdirSync(root).filter((entry) => entry.startsWith('keepset-'));
  return join(root, name, 'share_party2.enc');
};

/**
 * The phone is gone; a new one recovers from `from`, which is only read until there are new shares. Afterwards it signs
 * under the same public key, and neither the old phone nor an old copy is of any use to anyone.
 */
const recoverFrom = async (
  { phone, keyId, publicKey }: Person,
  medium: string,
  from: readonly string[],
): Promise<{ fresh: Device; source: unknown; copies: unknown }> => {
  const old = takenAway(world, phone);
  const oldCopy = join(world.folder('old'), 'copy');
  cpSync(medium, oldCopy, { recursive: true });
  const fresh = emptyHome(world, 'new-phone');
  const invite = await world.invite(keyId);
  const restored = await reading(medium, () =>
    succeed(['recover', '--lost', '--later', ...from, '--invite', invite, ...fresh.args]),
  );
  const { source } = restored;
  expect(restored).toMatchObject({ keyId, party: 'phone', cause: 'lost', state: 'restored', epoch: 0 });
  const recovered = await succeed(['recover', ...fresh.args]);
  expect(recovered).toMatchObject({ keyId, party: 'phone', state: 'recovered', epoch: 1, retired: true });
  await expectSigns(world, fresh, publicKey);
  await expectUseless(world, old, keyId);
  const again = ['recover', '--lost', ...from.map((arg) => arg.replace(medium, oldCopy))];
  const invited = ['--invite', await world.invite(keyId), ...emptyHome(world).args];
  expect(await failure([...again, ...invited])).toMatchObject({ code: 'place/stale' });
  return { fresh, source, copies: recovered['copies'] };
};

const signing = ({ args }: Device, keyId: string): string[] => {
  const file = join(world.folder('to-sign'), 'file');
  writeFileSync(file, 'what is signed');
  return ['sign', file, '--as', 'raw', '--key', keyId, ...args];
};

describe('a phone is lost, and there is', () => {
  it.each(['ed25519', 'ecdsa-secp256k1'])('a stick (%s)', async (scheme) => {
    const person = await newPerson(scheme);
    const { root, code } = await makeStick(person.phone);
    const recovered = await recoverFrom(person, root, ['--from', root, '--code', code]);
    expect(recovered.source).toMatchObject({ kind: 'usb', generation: 1 });
    // The stick is one of the new phone now, with the new share under the code it always had.
    expect(recovered.copies).toMatchObject([{ kind: 'usb', outcome: 'rewritten' }]);
    const verified = await succeed(['usb', 'verify', root, '--code', code, ...recovered.fresh.args]);
    expect(verified).toMatchObject({ keyId: person.keyId, epoch: 1, by: 'code' });
  });

  it('a copy in iCloud Drive, and nothing else', async () => {
    const person = await newPerson();
    const cloud = join(world.folder('cloud'), 'Keepset');
    mkdirSync(cloud);
    const backup = ['backup', cloud, '--cloud', 'icloud', '--show-code', ...person.phone.args];
    const { code } = await succeed(backup);
    const codeFile = join(world.folder('paper'), 'code.txt');
    writeFileSync(codeFile, `# typed from paper\n${code as string}\n`);
    const recovered = await recoverFrom(person, cloud, ['--from', cloud, '--identity', codeFile]);
    expect(recovered.source).toMatchObject({ kind: 'folder' });
    expect(recovered.copies).toMatchObject([{ kind: 'folder', outcome: 'rewritten' }]);
    // And from the rewritten copy once more: two losses, one after the other.
    const next = emptyHome(world, 'third-phone');
    const invite = await world.invite(person.keyId);
    const from = ['--from', cloud, '--identity', codeFile, '--invite', invite];
    expect(await succeed(['recover', '--lost', ...from, ...next.args])).toMatchObject({ epoch: 2 });
    await expectSigns(world, next, person.publicKey);
  });

  it('a stick, while what lay in iCloud Drive is lost with the phone', async () => {
    const person = await newPerson();
    const cloud = world.folder('cloud');
    await succeed(['backup', cloud, '--cloud', 'icloud', '--show-code', ...person.phone.args]);
    const { root, code } = await makeStick(person.phone);
    rmSync(cloud, { recursive: true });
    const gone = await failure([
      'recover',
      '--lost',
      '--from',
      cloud,
      '--code',
      code,
      ...emptyHome(world).args,
    ]);
    expect(gone.code).toBe('place/not-found');
    const recovered = await recoverFrom(person, root, ['--from', root, '--code', code]);
    expect(recovered.source).toMatchObject({ kind: 'usb' });
  });

  it('a printed kit', async () => {
    const person = await newPerson();
    const paper = world.folder('paper');
    const kit = await succeed(['kit', '--out', paper, ...person.phone.args]);
    const pictures = [
      ...(await scan(kit['shareSheets'] as string, join(paper, 'share'), '-gray')),
      ...(await scan(kit['codeSheet'] as string, join(paper, 'code'), '-mono')),
    ];
    const recovered = await recoverFrom(person, paper, ['--from', ...pictures]);
    expect(recovered.source).toMatchObject({ kind: 'printed-kit' });
    expect(recovered.copies).toMatchObject([{ kind: 'printed-kit', outcome: 'print' }]);
  });

  it('an encrypted Finder backup, and the code of the copy in it', async () => {
    const person = await newPerson();
    const { root, code } = await makeStick(person.phone);
    const backup = join(world.folder('mac'), 'backup');
    const domain = 'AppDomain-org.example.keepset';
    makeBackup(backup, 'finder pässword', modernDialect, [
      { domain, path: `Documents/shares/${person.keyId}.0.1.age`, content: readFileSync(slotOf(root)) },
      { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    ]);
    const password = join(world.folder('head'), 'password');
    writeFileSync(password, 'finder pässword\n');
    const opening = ['--copy-passphrase-file', password, '--code', code];
    const { kit } = await succeed(['finder-backup', 'add', backup, ...opening, ...person.phone.args]);
    const recovered = await recoverFrom(person, backup, ['--from', backup, ...opening]);
    expect(recovered.source).toMatchObject({ kind: 'finder-backup' });
    // The new phone looks after it from now on, under the same id; what is in it is of the old epoch.
    expect(recovered.copies).toMatchObject([{ kit, kind: 'finder-backup', outcome: 'back-up' }]);
  });

  it('a copy under a passphrase, which is asked for and may be mistyped', async () => {
    const person = await newPerson();
    const { root, code } = await makeStick(person.phone);
    const cloud = world.folder('cloud');
    const file = join(cloud, 'share.age');
    const plain = await openAge(readFileSync(slotOf(root)), [code]);
    writeFileSync(file, await sealAge(plain, { passphrase: 'correct horse', workFactor: 4 }));
    const old = takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const invite = await world.invite(person.keyId);
    const recover = ['recover', '--lost', '--from', file, '--invite', invite, ...fresh.args];
    const done = await reading(cloud, () =>
      onTerminal(recover, [
        ['attempt 1 of 3): ', 'wrong\n'],
        ['attempt 2 of 3): ', 'correct horse\n'],
        ['Go on? [y/N] ', 'y\n'],
      ]),
    );
    expect(done, done.stdout).toMatchObject({ code: 0 });
    expect(done.stdout).not.toContain('correct horse');
    expect(done.stdout).toContain(`Recovered: key ${person.keyId} is at epoch 1`);
    await expectSigns(world, fresh, person.publicKey);
    await expectUseless(world, old, person.keyId);
  });
});

describe('a device is stolen', () => {
  it('the key is frozen first, and signs again with new shares only, which the operator approves', async () => {
    const person = await newPerson('ecdsa-p256');
    const { keyId } = person;
    const { root, code } = await makeStick(person.phone);
    const thief = takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const from = ['recover', '--stolen', '--from', root, '--code', code];
    const invite = await world.invite(keyId);
    const restored = await reading(root, () => succeed([...from, '--invite', invite, ...fresh.args]));
    expect(restored).toMatchObject({ keyId, cause: 'stolen', state: 'restored', frozen: true, epoch: 0 });
    // Frozen for everybody: for the thief, who still holds a current share, and for its owner.
    expect((await failure(signing(thief, keyId))).code).toBe('policy/frozen');
    expect((await failure(signing(fresh, keyId))).code).toBe('policy/frozen');
    expect((await failure(['refresh', ...thief.args])).code).toBe('policy/frozen');
    // Asked again without the operator, it says the same again.
    expect(await succeed(['recover', ...fresh.args])).toMatchObject({ state: 'restored', frozen: true });
    const approval = await world.approve(keyId);
    const done = await succeed(['recover', '--approval', approval, ...fresh.args]);
    expect(done).toMatchObject({ keyId, cause: 'stolen', state: 'recovered', epoch: 1 });
    await expectSigns(world, fresh, person.publicKey);
    await expectUseless(world, thief, keyId);
  });

  it('without any copy, but the others are enough: frozen first, they repair the share', async () => {
    const phone = await newPhone(world);
    const laptop = await addDevice(world, phone, 'laptop');
    const policy = 'thresh(2,server,phone,laptop)';
    const made = await together(['keygen', '--policy', policy, ...phone.args], { laptop: joining(laptop) });
    const keyId = made['keyId'] as string;
    const publicKey = await publicKeyOf(laptop, keyId);
    const thief = takenAway(world, phone);
    const fresh = emptyHome(world, 'new-phone');
    const nothing = await failure(['recover', '--stolen', ...fresh.args]);
    expect(nothing.hint).toContain('keepset repair');
    const { invitation } = await succeed(['add-device', ...laptop.args]);
    const recover = ['recover', '--stolen', '--party', 'phone', '--invite', invitation as string];
    // The helper did not freeze it: this device does, and goes on only with what the operator says then.
    const early = start(process.execPath, [
      bin,
      'repair',
      'phone',
      '--approval',
      await world.approve(keyId),
      ...laptop.args,
    ]);
    await untilSaid(early, 'on phone:  keepset join ');
    const code = /on phone:  keepset join (\S+)\n/.exec(early.stderr())?.[1] ?? '';
    const stopped = await failure([...recover, '--join', code, ...fresh.args]);
    early.child.kill('SIGKILL');
    await early.ended;
    expect(stopped.code).toBe('policy/frozen');
    expect(stopped.hint).toContain(`keepset approve ${keyId}`);
    expect((await failure(signing(thief, keyId))).code).toBe('policy/frozen');
    await together(['repair', 'phone', '--approval', await world.approve(keyId), ...laptop.args], {
      phone: (join) => [...recover, '--join', join, ...fresh.args],
    });
    // Not finished: the key is frozen until there are new shares.
    const finish = ['recover', '--approval', await world.approve(keyId), ...fresh.args];
    const finished = await together(finish, { laptop: joining(laptop) });
    expect(finished).toMatchObject({ keyId, state: 'recovered', epoch: 1, cause: 'stolen' });
    await expectSigns(world, fresh, publicKey);
    await expectSigns(world, laptop, publicKey);
    await expectUseless(world, thief, keyId);
  });

  it('both devices: restored on clean ones, refreshed, and what the thief has is refused', async () => {
    const phone = await newPhone(world);
    const laptop = await addDevice(world, phone, 'laptop');
    const made = await together(['keygen', '--policy', 'and(server,phone,laptop)', ...phone.args], {
      laptop: joining(laptop),
    });
    const keyId = made['keyId'] as string;
    const publicKey = await publicKeyOf(phone, keyId);
    const sticks = [await makeStick(phone), await makeStick(laptop)];
    const thieves = [takenAway(world, phone), takenAway(world, laptop)];
    const copied = sticks.map(({ root, code }) => ({
      root: join(world.folder('copied'), 'stick'),
      code,
      from: root,
    }));
    for (const { from, root } of copied) cpSync(from, root, { recursive: true });
    // Nobody has a device left: the operator freezes, and refuses the old ones.
    await succeed(['freeze', keyId, '--operator', ...world.operator]);
    for (const { id = '' } of [phone, laptop]) await succeed(['revoke', id, ...world.operator]);
    // Nor can they let another device in.
    for (const { args } of thieves)
      expect((await failure(['add-device', ...args])).code).toBe('policy/revoked');
    const clean: Device[] = [];
    for (const { root, code } of sticks) {
      const fresh = emptyHome(world, 'clean');
      const from = ['--from', root, '--code', code, '--invite', await world.invite(keyId)];
      const restored = await reading(root, () => succeed(['recover', '--stolen', ...from, ...fresh.args]));
      expect(restored).toMatchObject({ state: 'restored', frozen: true });
      clean.push(fresh);
    }
    const [cleanPhone, cleanLaptop] = clean as [Device, Device];
    const approval = await world.approve(keyId);
    const done = await together(['recover', '--approval', approval, ...cleanPhone.args], {
      laptop: joining(cleanLaptop),
    });
    expect(done).toMatchObject({ state: 'recovered', epoch: 1 });
    expect(await succeed(['recover', ...cleanLaptop.args])).toMatchObject({ state: 'recovered', epoch: 1 });
    await expectSignsTogether(world, cleanPhone, ['laptop', cleanLaptop], publicKey);
    // The thief's shares come in once more, on devices that the server knows: it takes no share of an old epoch.
    for (const { root, code } of copied) {
      const invite = await world.invite(keyId);
      const from = ['--from', root, '--code', code, '--invite', invite, ...emptyHome(world).args];
      expect((await failure(['recover', '--lost', ...from])).code).toBe('place/stale');
    }
  });
});

describe('recovery asks first, and says what it does', () => {
  it('lost or stolen, where the copy is, and whether to go on', async () => {
    const person = await newPerson();
    const { root, code } = await makeStick(person.phone);
    const codeFile = join(world.folder('paper'), 'code.txt');
    writeFileSync(codeFile, code);
    takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const recover = ['recover', '--identity', codeFile, '--invite', await world.invite(person.keyId)];
    const no = await onTerminal(
      [...recover, ...fresh.args],
      [
        ['L/S? ', 'l\n'],
        ['U/P/F/B/K/N? ', 'u\n'],
        ['appears: ', `${root}\n`],
        ['Go on? [y/N] ', 'n\n'],
      ],
    );
    expect(no.code).toBe(2);
    expect(no.stdout).toContain('enrol this computer as phone');
    expect(no.stdout).toContain('epoch 0, generation 1');
    // Nothing was done: neither is the invitation spent.
    expect(await succeed([...recover, '--lost', '--from', root, ...fresh.args])).toMatchObject({
      state: 'recovered',
    });
    const silent = await failure([...recover, '--from', root, ...emptyHome(world).args]);
    expect(silent).toMatchObject({ code: 'input/invalid-argument' });
    expect(silent.hint).toContain('--stolen');
  });

  it('goes on where it was put off, and refuses what is not there to be recovered', async () => {
    const person = await newPerson();
    const { root, code } = await makeStick(person.phone);
    const old = takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const from = ['recover', '--lost', '--from', root, '--code', code];
    const uninvited = await failure([...from, ...fresh.args]);
    expect(uninvited.code).toBe('input/not-enrolled');
    expect(uninvited.hint).toContain(`keepset invite --key ${person.keyId}`);
    const invite = ['--invite', await world.invite(person.keyId)];
    // Somebody who knows the public half of the code has made a copy: it opens, and agrees with nobody.
    const forged = join(world.folder('cloud'), 'share.age');
    writeFileSync(forged, await forge(readFileSync(slotOf(root)), code));
    const wrong = ['recover', '--lost', '--from', forged, '--code', code, '--later', ...invite];
    expect(await succeed([...wrong, ...fresh.args])).toMatchObject({ state: 'restored', epoch: 0 });
    const disagreed = await failure(['recover', ...fresh.args]);
    expect(disagreed.code).toMatch(/^abort\//);
    expect(disagreed.hint).toContain('recover from another copy');
    const restore = [...from, '--later', ...invite, ...fresh.args];
    expect(await succeed(restore)).toMatchObject({ state: 'restored', epoch: 0 });
    expect((await failure(restore)).code).toBe('place/exists');
    // The record of it rots: a refresh ends the recovery all the same.
    const record = join(fresh.home, 'recovery', `${person.keyId}.cbor`);
    writeFileSync(record, 'x');
    const damaged = await failure(['recover', ...fresh.args]);
    expect(damaged.code).toBe('place/damaged');
    expect(damaged.hint).toContain('keepset refresh');
    rmSync(record);
    expect(await succeed(['refresh', ...fresh.args])).toMatchObject({ epoch: 1 });
    // Without a record, what is on the device is not replaced.
    expect((await failure([...wrong, ...fresh.args])).code).toBe('place/exists');
    expect((await failure(['recover', '--lost', ...fresh.args])).code).toBe('input/invalid-argument');
    await expectUseless(world, old, person.keyId);
  });

  it('takes a share for the party and the user it belongs to only', async () => {
    const person = await newPerson();
    const { root, code } = await makeStick(person.phone);
    const from = ['recover', '--lost', '--from', root, '--code', code];
    // A new user knows no such key.
    const stranger = await failure([...from, '--invite', await world.invite(), ...emptyHome(world).args]);
    expect(stranger.code).toBe('input/unknown-key');
    expect(stranger.hint).toContain(`keepset invite --key ${person.keyId}`);
    const laptop = await addDevice(world, person.phone, 'laptop');
    expect((await failure([...from, ...laptop.args])).code).toBe('place/foreign');
    const unknown = await failure(['invite', '--key', 'a'.repeat(26), ...world.operator]);
    expect(unknown.code).toBe('input/unknown-key');
  });
});

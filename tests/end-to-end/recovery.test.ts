/**
 * A phone is lost, and its share comes back from a copy: each place once, with server, devices, stick and cloud as
 * processes and folders of their own. Every recovery ends with new shares, and what the finder of the old phone has is
 * tried out and refused.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { openAge, sealAge } from '@keepset/wire';
import { failure, succeed, type Device } from '../support/commands.ts';
import {
  backUpToCloud,
  codeFile,
  createStick,
  finderPasswordOptions,
  imageOf,
  makeFinderBackup,
  slotOf,
} from '../support/copies.ts';
import { forge } from '../support/forge.ts';
import { reading, scan } from '../support/media.ts';
import { onTerminal } from '../support/processes.ts';
import { expectSigns, expectUseless } from '../support/signing.ts';
import {
  addDevice,
  emptyHome,
  newPerson,
  newWorld,
  takenAway,
  type Person,
  type World,
} from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

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
  const oldCopy = imageOf(medium);
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

describe('a phone is lost, and there is', () => {
  it.each(['ed25519', 'ecdsa-secp256k1'])('a stick (%s)', async (scheme) => {
    const person = await newPerson(world, scheme);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
    const recovered = await recoverFrom(person, root, ['--from', root, '--code', code]);
    expect(recovered.source).toMatchObject({ kind: 'usb', generation: 1 });
    // The stick is one of the new phone now, with the new share under the code it always had.
    expect(recovered.copies).toMatchObject([{ kind: 'usb', outcome: 'rewritten' }]);
    const verified = await succeed(['usb', 'verify', root, '--code', code, ...recovered.fresh.args]);
    expect(verified).toMatchObject({ keyId: person.keyId, epoch: 1, by: 'code' });
  });

  it('a copy in iCloud Drive, and nothing else', async () => {
    const person = await newPerson(world);
    const cloud = join(world.folder('cloud'), 'Keepset');
    mkdirSync(cloud);
    const { code } = await backUpToCloud(cloud, person.phone);
    const codes = codeFile(code);
    const recovered = await recoverFrom(person, cloud, ['--from', cloud, '--identity', codes]);
    expect(recovered.source).toMatchObject({ kind: 'folder' });
    expect(recovered.copies).toMatchObject([{ kind: 'folder', outcome: 'rewritten' }]);
    // And from the rewritten copy once more: two losses, one after the other.
    const next = emptyHome(world, 'third-phone');
    const invite = await world.invite(person.keyId);
    const from = ['--from', cloud, '--identity', codes, '--invite', invite];
    expect(await succeed(['recover', '--lost', ...from, ...next.args])).toMatchObject({ epoch: 2 });
    await expectSigns(world, next, person.publicKey);
  });

  it('a stick, while what lay in iCloud Drive is lost with the phone', async () => {
    const person = await newPerson(world);
    const cloud = world.folder('cloud');
    await backUpToCloud(cloud, person.phone);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
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
    const person = await newPerson(world);
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
    const person = await newPerson(world);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
    const backup = join(world.folder('mac'), 'backup');
    makeFinderBackup(backup, {
      [`shares/${person.keyId}.0.1.age`]: readFileSync(slotOf(root)),
      'notes.txt': 'hello',
    });
    const opening = [...finderPasswordOptions(), '--code', code];
    const { kit } = await succeed(['finder-backup', 'add', backup, ...opening, ...person.phone.args]);
    const recovered = await recoverFrom(person, backup, ['--from', backup, ...opening]);
    expect(recovered.source).toMatchObject({ kind: 'finder-backup' });
    // The new phone looks after it from now on, under the same id; what is in it is of the old epoch.
    expect(recovered.copies).toMatchObject([{ kit, kind: 'finder-backup', outcome: 'back-up' }]);
  });

  it('a copy under a passphrase, which is asked for and may be mistyped', async () => {
    const person = await newPerson(world);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
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

describe('recovery asks first, and says what it does', () => {
  it('lost or stolen, where the copy is, and whether to go on', async () => {
    const person = await newPerson(world);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
    // Without a line end, too.
    const codes = join(world.folder('paper'), 'code.txt');
    writeFileSync(codes, code);
    takenAway(world, person.phone);
    const fresh = emptyHome(world);
    const recover = ['recover', '--identity', codes, '--invite', await world.invite(person.keyId)];
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
    const person = await newPerson(world);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
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
    const person = await newPerson(world);
    const { root, code } = await createStick(world.folder('stick'), person.phone);
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

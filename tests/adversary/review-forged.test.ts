/** A forged copy fits the public data and is told from the right one by the other parties only: until then it is written nowhere. */
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, afterEach, expect, it, vi } from 'vitest';
import { findContainer, inspectContainer, nodeFileSystem, openNewest, saveCopy } from '@keepset/places';
import { generateIdentity, signerOf } from '@keepset/wire';
import { forge } from '../support/forge.ts';
import { filesIn, hashesOf, otherMedium, temporaryFolder } from '../support/folders.ts';
import { stateOf } from '../support/media.ts';
import { command, newLife } from '../support/mortal.ts';
import { duo, solo } from '../support/recovery-ways.ts';
import { done, expectSignature, madeFolder, openScene, tried, type Scene } from '../support/scene.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const elsewhere = otherMedium();

let scene: Scene;
beforeEach(async () => {
  scene = await openScene(temporaryFolder());
});
afterEach(() => scene.close());

interface Made {
  readonly keyId: string;
  readonly pem: string;
  /** Folder of the only good copy, and how it is opened. */
  readonly stick: string;
  readonly code: readonly string[];
  /** A share file that somebody made. */
  readonly forged: string;
  readonly home: readonly string[];
}

/** The phone is gone; on a new one its share came back from the stick, and then another one from a forged copy. */
const forgedOnNewPhone = async (): Promise<Made> => {
  const key = await solo(scene);
  const stick = mkdtempSync(join(elsewhere, 'stick-'));
  const code = String(
    (await done(['usb', 'create', stick, '--show-code', '--home', scene.at('phone')]))['code'],
  );
  renameSync(scene.at('phone'), scene.at('old'));
  const [container = ''] = readdirSync(stick);
  const forged = join(madeFolder(scene.at('cloud')), 'share.age');
  writeFileSync(forged, await forge(readFileSync(join(stick, container, 'share_party2.enc')), code));
  const made = { ...key, stick, code: ['--code', code], forged, home: ['--home', scene.at('new')] };
  const invite = ['--invite', await scene.invite(key.keyId)];
  for (const from of [stick, forged])
    expect(
      await done(['recover', '--lost', '--later', '--from', from, ...made.code, ...invite, ...made.home]),
    ).toMatchObject({ state: 'restored', epoch: 0 });
  return made;
};

it('is not written over the right one before a recovery has ended, with a code or without', async () => {
  const { keyId, pem, stick, code, home } = await forgedOnNewPhone();
  expect(await tried(['recover', ...home])).toMatch(/^abort\//);
  const before = stateOf(stick);
  const [drive, paper] = ['drive', 'paper'].map((name) => madeFolder(scene.at(name))) as [string, string];
  for (const args of [
    ['usb', 'create', stick, '--again'],
    ['usb', 'create', stick, '--again', ...code],
    ['usb', 'verify', stick, '--replugged'],
    ['usb', 'verify', stick, '--replugged', ...code],
  ])
    expect(await tried([...args, ...home])).toBe('store/conflict');
  // Nor is it sealed to any new copy, which would count as one.
  for (const args of [
    ['usb', 'create', drive, '--show-code'],
    ['backup', drive, '--show-code'],
    ['kit', '--out', paper],
  ])
    expect(await tried([...args, ...home])).toBe('store/conflict');
  expect([...readdirSync(drive), ...readdirSync(paper)]).toEqual([]);
  expect(stateOf(stick)).toBe(before);
  // The right one takes its place, and the end of the recovery rewrites the stick.
  await done(['recover', '--lost', '--later', '--from', stick, ...code, ...home]);
  expect(await done(['recover', ...home])).toMatchObject({
    state: 'recovered',
    copies: [{ kind: 'usb', outcome: 'rewritten' }],
  });
  await expectSignature(scene.at('new'), keyId, pem);
  await done(['usb', 'create', stick, '--again', ...home]);
});

it('is not written over the right one where the code opens that, though no recovery is known to be unfinished', async () => {
  const { keyId, stick, code, home } = await forgedOnNewPhone();
  rmSync(join(scene.at('new'), 'recovery', `${keyId}.cbor`));
  const before = stateOf(stick);
  for (const args of [
    ['usb', 'create', stick, '--again'],
    ['usb', 'verify', stick, '--replugged'],
  ])
    expect(await tried([...args, ...code, ...home])).toBe('place/foreign');
  expect(stateOf(stick)).toBe(before);
});

it('does not replace a share that no recovery brought, though a repair of it was begun and cut off', async () => {
  const { keyId, pem } = await duo(scene);
  const [phone, drive] = [scene.at('phone'), madeFolder(scene.at('drive'))];
  const home = ['--home', phone];
  const { code } = await done(['backup', drive, '--show-code', ...home]);
  const [copy = ''] = filesIn(drive).filter((name) => name.endsWith('.age'));
  const forged = join(madeFolder(scene.at('cloud')), 'share.age');
  writeFileSync(forged, await forge(readFileSync(copy), String(code)));
  const wrong = ['recover', '--lost', '--later', '--from', forged, '--code', String(code), ...home];
  expect(await tried(wrong)).toBe('place/exists');
  const own = hashesOf(join(phone, 'shares'));

  const [laptop, dying] = [newLife(), newLife()];
  const approval = await scene.approve(keyId);
  const repairing = command(
    ['repair', 'phone', '--approval', approval, '--home', scene.at('laptop')],
    laptop,
  );
  const [, joinCode = ''] = await repairing.until(/on phone: {2}keepset join (\S+)/);
  const joining = command(['recover', '--lost', '--later', '--join', joinCode, ...home], dying);
  await joining.until(/repairs phone/);
  laptop.die();
  await vi.waitUntil(() => existsSync(join(phone, 'recovery', `${keyId}.cbor`)), { timeout: 60_000 });
  dying.die();
  await Promise.all([repairing.ended, joining.ended]);
  await done(['keys', ...home]);

  expect(await tried(wrong)).toBe('place/exists');
  expect(hashesOf(join(phone, 'shares'))).toEqual(own);
  await expectSignature(phone, keyId, pem);
});

it('does not replace a share that a repair brought, though a copy had brought another before', async () => {
  const { keyId } = await duo(scene);
  const drive = madeFolder(scene.at('drive'));
  const { code } = await done(['backup', drive, '--show-code', '--home', scene.at('phone')]);
  const [copy = ''] = filesIn(drive).filter((name) => name.endsWith('.age'));
  const forged = join(madeFolder(scene.at('cloud')), 'share.age');
  writeFileSync(forged, await forge(readFileSync(copy), String(code)));
  renameSync(scene.at('phone'), scene.at('old'));
  const home = ['--home', scene.at('new')];
  const lost = ['recover', '--lost', '--later', ...home];
  const from = (path: string): string[] => ['--from', path, '--code', String(code)];
  await done([...lost, ...from(drive), '--invite', await scene.invite(keyId)]);
  const approval = await scene.approve(keyId);
  const repairing = command(['repair', 'phone', '--approval', approval, '--home', scene.at('laptop')]);
  const [, joinCode = ''] = await repairing.until(/on phone: {2}keepset join (\S+)/);
  await done([...lost, '--join', joinCode]);
  expect(await repairing.ended).toMatchObject({ code: 0 });
  const own = hashesOf(join(scene.at('new'), 'shares'));
  expect(await tried([...lost, ...from(forged)])).toBe('place/exists');
  expect(hashesOf(join(scene.at('new'), 'shares'))).toEqual(own);
});

it('in one slot of a stick, is repaired over no other, which is recovered from by its name', async () => {
  const { keyId, pem } = await solo(scene);
  const stick = mkdtempSync(join(elsewhere, 'stick-'));
  const phone = ['--home', scene.at('phone')];
  const code = String((await done(['usb', 'create', stick, '--show-code', ...phone]))['code']);
  await done(['usb', 'verify', stick, '--replugged', ...phone]);
  renameSync(scene.at('phone'), scene.at('old'));
  const container = await findContainer(nodeFileSystem, stick, undefined);
  const report = await inspectContainer(container);
  const { candidate } = await openNewest(report, [code]);
  const forged = await forge(candidate.bytes, code, 5);
  await saveCopy(report, forged, signerOf(await generateIdentity()), candidate);
  const folder = join(stick, `keepset-${container.kit}`);
  rmSync(join(folder, 'metadata.json'));

  const [home, opening] = [
    ['--home', scene.at('new')],
    ['--code', code],
  ];
  const invite = ['--invite', await scene.invite(keyId)];
  expect(await tried(['recover', '--lost', '--from', stick, ...opening, ...invite, ...home])).toMatch(
    /^abort\//,
  );
  const before = stateOf(stick);
  expect(await tried(['usb', 'repair', stick, ...home])).toBe('store/conflict');
  expect(await tried(['usb', 'repair', stick, ...opening, ...home])).toBe('store/conflict');
  // Somebody else sees that there are two.
  expect(await tried(['usb', 'repair', stick, ...opening, '--home', scene.at('old')])).toBe('place/foreign');
  expect(stateOf(stick)).toBe(before);

  const slot = join(folder, `share_party2.${candidate.slot}`);
  const last = await done(['recover', '--lost', '--from', slot, '--older', ...opening, ...home]);
  expect(last).toMatchObject({ state: 'recovered', epoch: 1 });
  await expectSignature(scene.at('new'), keyId, pem);
});

it('with a number above all others leaves numbers for the next copies', async () => {
  const { keyId, pem } = await solo(scene);
  const [stick, drive] = ['stick-', 'drive-'].map((name) => mkdtempSync(join(elsewhere, name))) as [
    string,
    string,
  ];
  const phone = ['--home', scene.at('phone')];
  const code = String((await done(['usb', 'create', stick, '--show-code', ...phone]))['code']);
  const driveCode = String((await done(['backup', drive, '--show-code', ...phone]))['code']);
  renameSync(scene.at('phone'), scene.at('old'));
  const [copy = ''] = filesIn(drive).filter((name) => name.endsWith('.age'));
  writeFileSync(copy, await forge(readFileSync(copy), driveCode, Number.MAX_SAFE_INTEGER));
  const home = ['--home', scene.at('new')];
  const invite = ['--invite', await scene.invite(keyId)];
  expect(
    await tried(['recover', '--lost', '--from', drive, '--code', driveCode, ...invite, ...home]),
  ).toMatch(/^abort\//);
  const { copies } = await done(['recover', '--lost', '--from', stick, '--code', code, ...home]);
  expect(copies).toEqual([
    expect.objectContaining({ outcome: 'rewritten' }),
    expect.objectContaining({ outcome: 'rewritten' }),
  ]);
  await done(['backup', madeFolder(join(elsewhere, 'more')), '--show-code', ...home]);
  await expectSignature(scene.at('new'), keyId, pem);
});

/** A stolen device may tell the server what it likes of its owner's copies: that costs a word, and ends with its revocation. */
import { expect, it, vi } from 'vitest';
import { revokeDevice } from '@keepset/server';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger } from '../../apps/cli/src/places/ledger.ts';
import { openHome } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { command } from '../support/mortal.ts';
import { addDevice, solo } from '../support/recovery-ways.ts';
import { done, enrol, expectSignature, madeFolder, openScene } from '../support/scene.ts';
import { serverOptions } from '../support/server.ts';

vi.setConfig({ testTimeout: 120_000 });

const highest = Number.MAX_SAFE_INTEGER;
const lies = [
  { what: 'an epoch that the key never reaches', epoch: highest, generation: 1 },
  { what: 'the epoch that the key is about to reach', epoch: 1, generation: highest },
];

it.each(lies)('a thief notes $what', async ({ epoch, generation }) => {
  const folder = temporaryFolder();
  const scene = await openScene(folder);
  const { keyId, pem } = await solo(scene);
  const [phone, stick, fresh] = [scene.at('phone'), madeFolder(scene.at('stick')), scene.at('new')];
  const { kit, code } = await done(['usb', 'create', stick, '--show-code', '--home', phone]);
  const thief = await openHome(phone);
  const lie = { kit: String(kit), epoch, generation, sha256: new Uint8Array(32).fill(7) };
  await thief.kits.noteKit(lie);

  // The owner's stick opens, and says what it is.
  const verify = ['usb', 'verify', stick, '--code', String(code)];
  expect(await done([...verify, '--home', phone])).toMatchObject({ server: 'unknown' });
  const invite = ['--invite', await scene.invite(keyId), '--home', fresh];
  const from = ['--from', stick, '--code', String(code)];
  await done(['recover', '--stolen', ...from, ...invite]);
  await revokeDevice(serverOptions(scene.at('server')), thief.account.device);
  const approval = ['--approval', await scene.approve(keyId), '--home', fresh];
  expect(await done(['recover', ...approval])).toMatchObject({
    state: 'recovered',
    epoch: 1,
    copies: [{ kit, outcome: 'rewritten' }],
    retired: true,
  });
  expect(await done([...verify, '--home', fresh])).toMatchObject({ epoch: 1, server: 'newest' });
  const [known] = await loadLedger(homePaths({ home: fresh }));
  expect(known?.copies.at(-1)).toMatchObject({ epoch: 1, notedAt: expect.any(String) as string });
  await expectSignature(fresh, keyId, pem);
  thief.close();
  await scene.close();
});

it('without a revocation: a lie above the key’s epoch stands in no one’s way, and one of its epoch names the way on', async () => {
  const scene = await openScene(temporaryFolder());
  await solo(scene);
  const [phone, stick] = [scene.at('phone'), madeFolder(scene.at('stick'))];
  const { kit } = await done(['usb', 'create', stick, '--show-code', '--home', phone]);
  const tablet = scene.at('tablet');
  await enrol(tablet, await addDevice(phone), 'tablet');
  const thief = await openHome(tablet);
  const lie = { kit: String(kit), generation: highest, sha256: new Uint8Array(32).fill(7) };
  await thief.kits.noteKit({ ...lie, epoch: 0 });
  const again = ['usb', 'create', stick, '--again', '--home', phone];
  const refused = await command(again).ended;
  expect(refused?.json).toMatchObject({
    error: { code: 'place/stale', hint: expect.stringContaining('forgotten when it is revoked') as string },
  });
  await thief.kits.noteKit({ ...lie, epoch: 5 });
  expect(await done(again)).toMatchObject({ epoch: 0, generation: 2 });
  thief.close();
  await scene.close();
});

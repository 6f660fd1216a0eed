/** What a device notes of a kit that its share comes back from. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { OpenedShare } from '@keepset/wire';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import type { OpenDevice } from '../src/home/device.ts';
import { fileJournal } from '../src/home/journal.ts';
import { fileLock } from '../src/home/lock.ts';
import { homePaths } from '../src/home/paths.ts';
import { adoptedKit, type FoundKit } from '../src/places/adopt.ts';
import { loadLedger, saveKit, type LedgerKit } from '../src/places/ledger.ts';
import { loadRecords } from '../src/home/recovery-record.ts';
import { restoreShare } from '../src/recovery/restore.ts';

const [kit, keyId] = ['a'.repeat(26), 'b'.repeat(26)];
const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const copy = (generation: number) => ({
  epoch: 0,
  generation,
  sha256: hash(generation),
  createdAt: '2026-01-01T00:00:00.000Z',
  state: 'written',
  source: 3,
  provenAt: '2026-01-02T00:00:00.000Z',
});
const known = {
  kind: 'usb',
  kit,
  keyId,
  position: 2,
  recipient: 'age1x',
  path: '/media/stick',
  domain: `location:medium-${kit}`,
  lostAt: '2026-01-03T00:00:00.000Z',
  copies: [copy(1), copy(2)],
} as LedgerKit;
const found: FoundKit = { kind: 'usb', kit, recipient: 'age1x', path: '/media/stick', sha256: hash(1) };
const opened = (generation: number, epoch = 0): OpenedShare =>
  ({
    share: { group: { keyId, epoch, parties: ['server', 'phone'] }, party: 'phone' },
    generation,
    createdAt: copy(generation).createdAt,
  }) as unknown as OpenedShare;

it('adds to the entry that is there, and overwrites none', async () => {
  const paths = homePaths({ home: join(temporaryFolder(), 'home') });
  await saveKit(paths, known);
  const adopted = await adoptedKit(paths, found, opened(1), undefined, 'older');
  const { openedAt, notedAt, ...rest } = adopted.copies.find(({ generation }) => generation === 1)!;
  expect([typeof openedAt, typeof notedAt]).toEqual(['string', 'string']);
  // But for the disk it is on, which is looked at: nothing is mounted at this path.
  expect({ ...adopted, copies: [rest, copy(2)] }).toEqual({ ...known, domain: 'device:phone' });
  // What another device wrote there at a later epoch is the newest now, whatever number it has.
  const later = await adoptedKit(paths, { ...found, sha256: hash(9) }, opened(2, 1), undefined, 'newer');
  expect(later.copies.map(({ epoch, generation, notedAt: told }) => [epoch, generation, told])).toEqual([
    [0, 1, undefined],
    [1, 2, undefined],
  ]);
  // The note that the server has may be that of a device which is about to be revoked.
  const newest = await adoptedKit(paths, { ...found, sha256: hash(2) }, opened(2), undefined, 'newest');
  expect(newest.copies.map(({ notedAt: told }) => told)).toEqual([undefined, undefined]);
  for (const other of [
    { ...found, kind: 'folder' as const },
    { ...found, recipient: 'age1y' },
    { ...found, sha256: hash(9) },
  ])
    await expect(adoptedKit(paths, other, opened(1), undefined, 'newest')).rejects.toMatchObject({
      code: 'place/foreign',
    });
  expect(await loadLedger(paths)).toEqual([known]);
});

it('claims of an unknown stick that it opened, and not that it was ever unplugged', async () => {
  const paths = homePaths({ home: join(temporaryFolder(), 'home') });
  const { copies } = await adoptedKit(
    paths,
    { ...found, path: temporaryFolder() },
    opened(1),
    undefined,
    'unknown',
  );
  const [only] = copies;
  expect(copies).toHaveLength(1);
  expect(only).toMatchObject({ state: 'written' });
  expect([typeof only?.openedAt, only?.readBackAt, only?.notedAt]).toEqual(['string', undefined, undefined]);
});

it('nothing is noted or put back while a repair of the same epoch is undecided', async () => {
  const paths = homePaths({ home: join(temporaryFolder(), 'home') });
  const journal = fileJournal(paths.journal);
  await journal.add({ session: hash(7), kind: 'repair', keyId, epoch: 0 });
  const { share, ...meta } = opened(1);
  const group = { ...share.group, policy: 'p', publicKey: hash(5) };
  const device = {
    serverParty: 'server',
    journal,
    exclusively: fileLock(paths.lock),
    transport: { keys: () => Promise.resolve([group]) },
    // Writing to it would fail.
    vault: { list: () => Promise.resolve([]) },
  };
  const open = { device, account: { party: 'phone' } } as unknown as OpenDevice;
  const copyOf = { opened: { ...meta, share: { ...share, group } }, kit: found, passkey: undefined };
  const restoring = restoreShare(open, paths, copyOf, { cause: 'lost', from: 'a stick' }, () =>
    Promise.resolve('newest'),
  );
  await expect(restoring).rejects.toMatchObject({ code: 'store/conflict' });
  expect([await loadLedger(paths), await loadRecords(paths)]).toEqual([[], []]);
});

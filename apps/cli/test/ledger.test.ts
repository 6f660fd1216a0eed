/** Ledger files that devices in use have: they must load for ever. */
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { copyState } from '@keepset/places';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { homePaths } from '../src/home/paths.ts';
import { recordOf } from '../src/places/health/health.ts';
import { loadLedger, newestWritten, noteLost, saveKit } from '../src/places/ledger.ts';
import { lookAt } from '../src/places/look.ts';

/** Written by the first version of the ledger, which knew neither dates nor places. Frozen. */
const fixtures = join(import.meta.dirname, 'fixtures', 'ledger-v1');
const names = ['a4dq2m7xkzt5hw3c6vnybejrfo.cbor', 'q7b2fz5mwx3k6hjtcydoranve4.cbor'];

it('loads ledgers of the first version, judges them by what they say, and writes them as they were', async () => {
  const root = join(temporaryFolder(), 'phone');
  cpSync(fixtures, join(root, 'usb-ledger'), { recursive: true });
  const paths = homePaths({ home: root });
  const kits = await loadLedger(paths);
  expect(kits.map(({ kit, kind }) => [`${kit}.cbor`, kind])).toEqual([
    [names[0], 'usb'],
    [names[1], 'kit'],
  ]);
  const [stick, sheet] = kits;
  if (stick === undefined || sheet === undefined) throw new Error('two kits');
  expect(stick).toMatchObject({ keyId: '4oshajh7k2mq5w3x6ybtzdcfen', position: 2 });
  expect(stick.copies.map(({ epoch, generation, state }) => [epoch, generation, state])).toEqual([
    [0, 1, 'verified'],
    [1, 3, 'written'],
    [1, 4, 'intended'],
  ]);
  const hash = createHash('sha256').update('keepset fixture copy 3').digest();
  expect(newestWritten(stick)?.sha256).toEqual(Uint8Array.from(hash));
  const now = '2026-11-25T00:00:00.000Z';
  const unseen = { status: 'unseen' } as const;
  expect(copyState(recordOf(stick), { epoch: 1 }, unseen, now)).toMatchObject({
    proof: 'written',
    provedAt: '2026-11-23T09:30:00.000Z',
    domain: `location:medium-${stick.kit}`,
    counts: false,
  });
  expect(copyState(recordOf(sheet), { epoch: 1 }, unseen, now)).toMatchObject({
    proof: 'written',
    stale: 'epoch',
    domain: `location:paper-${sheet.kit}`,
  });
  // Saved without anything new they are the same bytes; what is new goes in beside the old and comes off again.
  for (const kit of kits) await saveKit(paths, kit);
  const bytes = (folder: string): Buffer[] => names.map((name) => readFileSync(join(folder, name)));
  expect(readdirSync(join(root, 'usb-ledger'))).toEqual(names);
  expect(bytes(join(root, 'usb-ledger'))).toEqual(bytes(fixtures));
  const passkey = { sha256: new Uint8Array(32), readBackAt: now };
  for (const known of [passkey, { ...passkey, nameSha256: new Uint8Array(32), openedAt: now }]) {
    await saveKit(paths, { ...stick, passkey: known });
    expect((await loadLedger(paths))[0]).toEqual({ ...stick, passkey: known });
  }
  await saveKit(paths, stick);
  await noteLost(paths, stick, true);
  const [lost] = await loadLedger(paths);
  if (lost === undefined) throw new Error('two kits');
  expect(lost.lostAt).toBeDefined();
  await noteLost(paths, lost, false);
  expect(bytes(join(root, 'usb-ledger'))).toEqual(bytes(fixtures));
});

it('loads the entry of a copy in a Finder backup, and writes it as it was', async () => {
  const frozen = join(import.meta.dirname, 'fixtures', 'ledger-finder-backup');
  const root = join(temporaryFolder(), 'phone');
  cpSync(frozen, join(root, 'usb-ledger'), { recursive: true });
  const paths = homePaths({ home: root });
  const ledger = await loadLedger(paths);
  const [kit, ...others] = ledger;
  if (kit === undefined) throw new Error('one entry');
  expect(others).toEqual([]);
  expect(kit).toMatchObject({
    kind: 'finder-backup',
    path: '/Volumes/disk/Backup/00008120-001A2B3C4D5E6F78',
    domain: 'location:other-disk',
    trace: {
      file: createHash('sha1').update('AppDomain-org.example.keepset-Documents/copy.age').digest('hex'),
    },
  });
  const reach = await lookAt(kit, ledger);
  expect(reach.status).toBe('unreachable');
  expect(copyState(recordOf(kit), { epoch: 1, source: 2 }, reach, '2026-11-25T00:00:00.000Z')).toMatchObject({
    kind: 'finder-backup',
    proof: 'decrypted',
    counts: true,
    due: false,
  });
  await saveKit(paths, kit);
  const name = `${kit.kit}.cbor`;
  expect(readFileSync(join(root, 'usb-ledger', name))).toEqual(readFileSync(join(frozen, name)));
});

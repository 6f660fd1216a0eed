/** What the record of an unfinished recovery allows to be replaced. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeCbor } from '@keepset/bytes';
import type { GroupKey } from '@keepset/ceremony';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { homePaths } from '../src/home/paths.ts';
import { broughtBy, hasBrought, loadRecord, loadRecords, saveRecord } from '../src/home/recovery-record.ts';

const keyId = 'k'.repeat(26);
const group = (commitment: number, epoch = 0): GroupKey => ({
  keyId,
  scheme: 'ed25519',
  policy: 'and(server,phone)',
  parties: ['server', 'phone'],
  threshold: 2,
  epoch,
  publicKey: new Uint8Array(32),
  commitments: [new Uint8Array(32), new Uint8Array(32).fill(commitment)],
  verifyingShares: [],
  chainCode: new Uint8Array(32),
});
const [right, forged, third] = [group(1), group(2), group(3)];
const record = { keyId, cause: 'lost', epoch: 0, from: 'a stick' } as const;

it('is the share that it brought from a copy, and the one before until that was replaced', async () => {
  const paths = homePaths({ home: temporaryFolder() });
  expect(hasBrought(undefined, right)).toBe(false);
  await saveRecord(paths, { ...record, ...(await broughtBy(paths, undefined, forged)) });
  expect([right, forged, group(2, 1)].map((own) => hasBrought(undefined, own))).toEqual([
    false,
    false,
    false,
  ]);
  const first = await loadRecord(paths, keyId);
  expect([right, forged, group(2, 1)].map((own) => hasBrought(first, own))).toEqual([false, true, false]);
  // Cut off here, the forged one is still there.
  await saveRecord(paths, { ...record, ...(await broughtBy(paths, forged, right)) });
  const second = await loadRecord(paths, keyId);
  expect([right, forged, third].map((own) => hasBrought(second, own))).toEqual([true, true, false]);
  // A repair brings none, and what no copy brought stays.
  await saveRecord(paths, { ...record, ...(await broughtBy(paths, third, undefined)) });
  expect(await loadRecords(paths)).toEqual([record]);
});

it('is none where the record is of the version that did not say it', async () => {
  const paths = homePaths({ home: temporaryFolder() });
  mkdirSync(join(paths.root, 'recovery'));
  writeFileSync(join(paths.root, 'recovery', `${keyId}.cbor`), encodeCbor({ ...record }));
  const [old] = await loadRecords(paths);
  expect(old).toEqual(record);
  expect(hasBrought(old, right)).toBe(false);
});

/** What is read of a ledger in which some entries are damaged, and how copies are numbered then. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { homePaths } from '../src/home/paths.ts';
import {
  findKit,
  newestWritten,
  readLedger,
  saveKit,
  withCopy,
  type LedgerKit,
} from '../src/places/ledger.ts';
import { floorOf, lastSource, nextGeneration } from '../src/places/numbers.ts';

const keyId = 'b'.repeat(26);
const kitOf = (letter: string, generation: number): LedgerKit => ({
  kind: 'folder',
  kit: letter.repeat(26),
  keyId,
  position: 2,
  recipient: 'age1x',
  copies: [
    {
      epoch: 0,
      generation,
      source: 1,
      sha256: new Uint8Array(32).fill(generation),
      createdAt: '2026-01-01T00:00:00.000Z',
      state: 'written',
    },
  ],
});

it('reads the others, and gives no number again that a damaged entry may have known', async () => {
  const paths = homePaths({ home: join(temporaryFolder(), 'home') });
  const folder = join(paths.root, 'usb-ledger');
  const [kept, ...gone] = ['a', 'c', 'd', 'e'].map((letter, at) => kitOf(letter, at + 1));
  if (kept === undefined) throw new Error('four kits');
  for (const kit of [kept, ...gone]) await saveKit(paths, kit);
  const whole = await readLedger(paths);
  expect([nextGeneration(whole, keyId), await lastSource(paths)(keyId)]).toEqual([5, 1]);

  // Cut short; another kit's entry under its name; nothing that can be read at all.
  const [cut = '', foreign = '', unreadable = ''] = gone.map(({ kit }) => join(folder, `${kit}.cbor`));
  writeFileSync(cut, new Uint8Array([0xa1]));
  renameSync(foreign, join(folder, 'other'));
  await saveKit(paths, kitOf('f', 9));
  renameSync(join(folder, `${'f'.repeat(26)}.cbor`), foreign);
  renameSync(unreadable, join(folder, 'away'));
  mkdirSync(unreadable);
  const before = readdirSync(folder);
  const ledger = await readLedger(paths);
  expect(ledger.kits).toEqual([kept]);
  expect(ledger.damaged.map(({ kit, file }) => [kit, file])).toEqual([
    ['c'.repeat(26), cut],
    ['d'.repeat(26), foreign],
    ['e'.repeat(26), unreadable],
  ]);
  expect(findKit('a', ledger)).toEqual(kept);
  expect(() => findKit('c', ledger)).toThrow(expect.objectContaining({ code: 'place/damaged' }) as Error);

  const next = nextGeneration(ledger, keyId);
  expect(next).toBeGreaterThan(Date.parse('2026-01-01'));
  expect(Number.isSafeInteger(next)).toBe(true);
  expect(await lastSource(paths)(keyId)).toBeGreaterThan(1);
  expect(readdirSync(folder)).toEqual(before);

  // What is only out of reach may come back: nothing is written in its place.
  expect(ledger.damaged.map(({ isOutOfReach }) => isOutOfReach)).toEqual([false, false, true]);
  expect(() => floorOf(ledger, 'e'.repeat(26))).toThrow(
    expect.objectContaining({ code: 'place/damaged' }) as Error,
  );

  // Written anew, the entry keeps them from being given again.
  await saveKit(paths, { ...kitOf('c', 2), ...floorOf(ledger, 'c'.repeat(26)) });
  const { kits } = await readLedger(paths);
  expect(nextGeneration({ kits, damaged: [] }, keyId)).toBeGreaterThanOrEqual(next);
  expect(floorOf({ kits, damaged: [] }, 'c'.repeat(26))).toEqual({});
});

it('takes the copy of the later epoch for the newest, and keeps both where their numbers are the same', () => {
  const kit = kitOf('a', 7);
  const [old] = kit.copies;
  if (old === undefined) throw new Error('one copy');
  const later = { ...old, epoch: 1, generation: 3 };
  expect(newestWritten(withCopy(kit, later))).toEqual(later);
  expect(withCopy(kit, { ...later, generation: 7 }).copies).toHaveLength(2);
  expect(withCopy(kit, { ...old, state: 'verified' }).copies).toEqual([{ ...old, state: 'verified' }]);
});

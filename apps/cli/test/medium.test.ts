/** What lies on the same disk is lost with it, whatever lies between: partitions, encrypted volumes, images in files. */
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { otherMedium, temporaryFolder } from '../../../tests/support/folders.ts';
import { isSameMedium, mediumOf, numberOf } from '../src/places/medium.ts';

const here = temporaryFolder();
const there = otherMedium();

/** A tree as Linux shows it, in which the devices of `here` and `there` are what the test says. */
const treeOf = (onHere: string, onThere: string) => {
  const root = temporaryFolder();
  const blocks = join(root, 'block');
  mkdirSync(blocks);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const link = (number: string, folder: string): void =>
    symlinkSync(join(root, folder), join(blocks, number));
  for (const [disk, major] of [
    ['sda', 8],
    ['sdb', 9],
  ] as const) {
    write(`${disk}/dev`, `${major}:0\n`);
    link(`${major}:0`, disk);
    for (const part of [1, 2]) {
      write(`${disk}/${disk}${part}/partition`, `${part}\n`);
      write(`${disk}/${disk}${part}/dev`, `${major}:${part}\n`);
      link(`${major}:${part}`, `${disk}/${disk}${part}`);
    }
  }
  // An encrypted volume on sda2, and one that spans both disks.
  write('dm-0/slaves/sda2/dev', '8:2\n');
  write('dm-1/slaves/sda2/dev', '8:2\n');
  write('dm-1/slaves/sdb1/dev', '9:1\n');
  // An image in a file here.
  write('loop0/loop/backing_file', `${join(here, 'image')}\n`);
  // One that cannot be looked for.
  write('loop1/loop/backing_file', `${join(root, 'loop0/loop/backing_file')}/image\n`);
  link(numberOf(statSync(here).dev), onHere);
  link(numberOf(statSync(there).dev), onThere);
  return { blocks, mounts: join(root, 'mounts') };
};

it.runIf(process.platform === 'linux').each([
  ['sda/sda1', 'sda/sda2', true],
  ['sda/sda1', 'dm-0', true],
  ['sdb/sdb2', 'dm-0', false],
  ['sdb/sdb2', 'dm-1', true],
  ['sdb/sdb2', 'loop0', true],
  ['sdb/sdb2', 'loop1', false],
  ['sda/sda1', 'sdb/sdb1', false],
])('%s and %s', async (onHere, onThere, same) => {
  const tree = treeOf(onHere, onThere);
  const [one, other] = [await mediumOf(join(here, 'not', 'yet'), tree), await mediumOf(there, tree)];
  expect(isSameMedium(one, other)).toBe(same);
  expect(isSameMedium(other, one)).toBe(same);
  expect(isSameMedium(one, await mediumOf(here, tree))).toBe(true);
});

it('tells this disk from another medium, as the system of this computer has them', async () => {
  expect(isSameMedium(await mediumOf(here), await mediumOf(join(here, 'new')))).toBe(true);
  expect(isSameMedium(await mediumOf(here), await mediumOf(there))).toBe(false);
});

/**
 * Power cuts over our own models of FAT32 and exFAT: what a recording of a real driver (usb-recorded.test.ts) cannot show,
 * such as saving again to what a cut left, and a second cut then.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesEqual } from '@keepset/bytes';
import {
  createContainer,
  findContainer,
  inspectContainer,
  newKitId,
  openNewest,
  rescueShares,
  saveCopy,
  type ContainerReport,
  type FileSystem,
  type RawImage,
} from '../src/index.ts';
import {
  blockDevice,
  chanceFrom,
  imagesAt,
  toRaw,
  type Device,
  type Image,
  type Moment,
} from './fat/device.ts';
import { exfatSectors, formatExfat, mountExfat } from './fat/exfat.ts';
import { fat32Sectors, formatFat32, mountFat32 } from './fat/fat32.ts';
import { makeWriter, type Writer } from './shares.ts';

interface Kind {
  readonly name: 'FAT32' | 'exFAT';
  readonly sectors: number;
  readonly format: (device: Device) => void;
  readonly mount: (device: Device) => FileSystem;
}
const kinds: readonly Kind[] = [
  { name: 'FAT32', sectors: fat32Sectors, format: formatFat32, mount: mountFat32 },
  { name: 'exFAT', sectors: exfatSectors, format: formatExfat, mount: mountExfat },
];

let writer: Writer;
let copies: Uint8Array[];
beforeAll(async () => {
  writer = await makeWriter();
  copies = await Promise.all(Array.from({ length: 9 }, (_, i) => writer.write(i + 1)));
});

const kit = newKitId();
const mounted = (kind: Kind, image: Image): FileSystem => kind.mount(blockDevice(image));

/** A stick on which generation 1 was saved, and everything synced. */
const preparedStick = async (kind: Kind): Promise<{ device: Device; report: ContainerReport }> => {
  const device = blockDevice();
  kind.format(device);
  const files = kind.mount(device);
  const report = await createContainer({ files, root: '/stick', kit, party: 2 }, copies[0]!, writer.signer);
  return { device, report };
};

/** The newest copy in the container as found on the image: which of `copies`, from 1, or what went wrong. */
const newestOn = async (kind: Kind, image: Image): Promise<number | string> => {
  try {
    const container = await findContainer(mounted(kind, image), '/stick');
    const report = await inspectContainer(container);
    const { opened } = await openNewest(report, [writer.key]);
    return opened.generation;
  } catch (error) {
    return String(error);
  }
};

/** Whether some slot holds one of the copies whole, without any repair. */
const wholeCopies = async (kind: Kind, image: Image, known = copies): Promise<number[]> => {
  const report = await inspectContainer(await findContainer(mounted(kind, image), '/stick'));
  return (['enc', 'bak'] as const).flatMap((slot) =>
    report.slots[slot].candidates
      .filter(({ source }) => source === 'as-is')
      .flatMap(({ bytes }) => known.flatMap((copy, i) => (bytesEqual(copy, bytes) ? [i + 1] : []))),
  );
};

const chances = [1, 2].map(chanceFrom);

describe.each(kinds)('a power cut on $name', (kind) => {
  it('at any write of a save loses no copy: every prefix of the write log, and chance subsets', async () => {
    const prepared = await preparedStick(kind);
    let { report } = prepared;
    let cuts = 0;
    let images = 0;
    for (let generation = 2; generation <= copies.length; generation++) {
      const moments: Moment[] = prepared.device.record();
      report = await saveCopy(report, copies[generation - 1]!, writer.signer);
      for (const moment of moments) {
        cuts += 1;
        for (const image of imagesAt(moment, chances)) {
          images += 1;
          const whole = await wholeCopies(kind, image);
          if (!whole.some((found) => found >= generation - 1))
            expect(`cut ${cuts}: ${String(whole)}`).toBe(`generation ${generation - 1} or ${generation}`);
        }
      }
      // The whole way, with the key, at the moments that leave most undone.
      for (const moment of moments.filter((_, i) => i % 9 === 0))
        for (const image of imagesAt(moment, chances))
          expect([generation - 1, generation]).toContain(await newestOn(kind, image));
      // After it returned it is the new one, whatever was not synced.
      for (const image of imagesAt(moments.at(-1)!, chances))
        expect(await newestOn(kind, image)).toBe(generation);
    }
    expect(cuts).toBeGreaterThanOrEqual(200);
    expect(images).toBeGreaterThan(cuts);
  });

  it('at any moment leaves a container that can be saved to again', async () => {
    const { device, report } = await preparedStick(kind);
    const moments = device.record();
    await saveCopy(report, copies[1]!, writer.signer);
    for (const moment of moments.filter((_, i) => i % 6 === 0))
      for (const image of imagesAt(moment, chances)) {
        const later = blockDevice(image);
        const container = await findContainer(kind.mount(later), '/stick');
        const found = await inspectContainer(container);
        const again = later.record();
        await saveCopy(found, copies[2]!, writer.signer);
        expect(await newestOn(kind, later.image())).toBe(3);
        // And a second cut, during that save, loses nothing either.
        for (const second of again.filter((_, i) => i % 5 === 0))
          for (const after of imagesAt(second, chances.slice(0, 1)))
            expect((await wholeCopies(kind, after)).length).toBeGreaterThan(0);
      }
  });

  it('does hurt the textbook save (temporary file, sync, rename, sync): the control', async () => {
    const device = blockDevice();
    kind.format(device);
    const files = kind.mount(device);
    const path = '/stick/share.age';
    const first = await files.create(path);
    await first.write(copies[0]!);
    await first.sync();
    await files.syncFolder('/stick');
    let lost = 0;
    for (const copy of copies.slice(1)) {
      const moments = device.record();
      const temporary = await files.create(`${path}.tmp`);
      await temporary.write(copy);
      await temporary.sync();
      await files.rename(`${path}.tmp`, path);
      await files.syncFolder('/stick');
      for (const moment of moments)
        for (const image of imagesAt(moment, chances)) {
          const found = await mounted(kind, image)
            .read(path, 1_000_000)
            .catch(() => new Uint8Array(0));
          if (!copies.some((known) => bytesEqual(known, found))) lost += 1;
        }
    }
    expect(lost).toBeGreaterThan(0);
  });

  it('and a quick format after it leave a share that rescue finds', async () => {
    const { device, report } = await preparedStick(kind);
    await saveCopy(report, copies[1]!, writer.signer);
    kind.format(device);
    expect(await newestOn(kind, device.image())).toContain('no container');
    const raw = toRaw(device.image(), kind.sectors);
    const image: RawImage = {
      size: raw.length,
      read: async (offset, length) => raw.slice(offset, offset + length),
    };
    const found: number[] = [];
    for await (const { file, opened } of rescueShares(image, [writer.key])) {
      expect(bytesEqual(file, copies[opened.generation - 1]!)).toBe(true);
      found.push(opened.generation);
    }
    expect(found.toSorted((a, b) => a - b)).toEqual([1, 2]);
  });
});

describe('the file systems under test', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keepset-fat-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (command: string, ...args: string[]): Buffer => {
    try {
      return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new Error(
          `${command} is missing: install the Debian packages mtools, dosfstools and exfatprogs`,
          {
            cause: error,
          },
        );
      throw error;
    }
  };
  const savedImage = async (kind: Kind): Promise<string> => {
    const { device, report } = await preparedStick(kind);
    await saveCopy(report, copies[1]!, writer.signer);
    const path = join(folder, `${kind.name}.img`);
    writeFileSync(path, toRaw(device.image(), kind.sectors));
    return path;
  };

  it('are FAT32 to fsck.fat and mtools, which read our copies', async () => {
    const path = await savedImage(kinds[0]!);
    expect(run('fsck.fat', '-n', path).toString()).toMatch(/6 files/);
    for (const [n, slot] of ['enc', 'bak'].entries())
      expect(
        bytesEqual(run('mcopy', '-i', path, `::/keepset-${kit}/share_party2.${slot}`, '-'), copies[n]!),
      ).toBe(true);
  });

  it('are exFAT to fsck.exfat', async () => {
    const path = await savedImage(kinds[1]!);
    expect(run('fsck.exfat', '-n', path).toString()).toMatch(/clean\. directories 2, files 5/);
  });
});

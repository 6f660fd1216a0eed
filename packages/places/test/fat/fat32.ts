/** FAT32 with long names. @spec Microsoft, "FAT32 File System Specification" 1.03 */
import type { FileSystem } from '../../src/index.ts';
import { sectorBytes, type Device } from './device.ts';
import { volumeFileSystem, type Entry } from './volume.ts';

/** Above 65,524 clusters, as FAT32 demands. */
export const fat32Sectors = 70_000;
const reserved = 32;
const fatLength = 547;
const heapStart = reserved + 2 * fatLength;
const longNameUnits = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** What a quick format writes: boot sectors, empty FATs and an empty root. Data stay where they are. */
export const formatFat32 = (device: Device): void => {
  const boot = new Uint8Array(sectorBytes);
  const view = new DataView(boot.buffer);
  boot.set([0xeb, 0x58, 0x90, ...Buffer.from('MSWIN4.1')]);
  view.setUint16(11, sectorBytes, true);
  boot[13] = 1;
  view.setUint16(14, reserved, true);
  boot[16] = 2;
  boot[21] = 0xf8;
  view.setUint16(24, 63, true);
  view.setUint16(26, 255, true);
  view.setUint32(32, fat32Sectors, true);
  view.setUint32(36, fatLength, true);
  view.setUint32(44, 2, true);
  view.setUint16(48, 1, true);
  view.setUint16(50, 6, true);
  boot[64] = 0x80;
  boot[66] = 0x29;
  boot.set(Buffer.from('NO NAME    FAT32   '), 71);
  boot.set([0x55, 0xaa], 510);
  const info = new Uint8Array(sectorBytes);
  const infoView = new DataView(info.buffer);
  infoView.setUint32(0, 0x41615252, true);
  infoView.setUint32(484, 0x61417272, true);
  infoView.setUint32(488, 0xffffffff, true);
  infoView.setUint32(492, 0xffffffff, true);
  info.set([0x55, 0xaa], 510);
  for (const base of [0, 6]) {
    device.write(base, boot);
    device.write(base + 1, info);
  }
  const zero = new Uint8Array(sectorBytes);
  for (let sector = reserved; sector < heapStart + 1; sector++) device.write(sector, zero);
  const first = new Uint8Array(sectorBytes);
  const fat = new DataView(first.buffer);
  [0x0ffffff8, 0x0fffffff, 0x0fffffff].forEach((value, i) => fat.setUint32(i * 4, value, true));
  device.write(reserved, first);
  device.write(reserved + fatLength, first);
};

const checksumOf = (short: Uint8Array): number =>
  short.reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);

/** `NAME~N` with an N that no other short name in the directory has. */
const shortNameFor = (name: string, directory: Uint8Array): Uint8Array => {
  const stem = name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .slice(0, 5)
    .padEnd(5, '_');
  const taken = new Set<string>();
  for (let at = 0; at < directory.length; at += 32)
    taken.add(Buffer.from(directory.subarray(at, at + 11)).toString('latin1'));
  for (let n = 1; ; n++) {
    const short =
      `${stem}~${n}`.slice(0, 8).padEnd(8, ' ') +
      name.toUpperCase().split('.').at(-1)!.slice(0, 3).padEnd(3, ' ');
    if (!taken.has(short)) return Uint8Array.from(Buffer.from(short, 'latin1'));
  }
};

const encode = (
  entry: Omit<Entry, 'place'> & { place?: Entry['place'] },
  directory: Uint8Array,
): Uint8Array => {
  const parts = Math.ceil(entry.name.length / 13);
  const set = new Uint8Array((parts + 1) * 32);
  // An existing entry keeps its short name.
  const short =
    entry.place === undefined
      ? shortNameFor(entry.name, directory)
      : directory.slice(entry.place.at + entry.place.length - 32, entry.place.at + entry.place.length - 21);
  for (let part = 0; part < parts; part++) {
    const order = parts - part;
    const at = part * 32;
    const view = new DataView(set.buffer, at, 32);
    set[at] = order | (part === 0 ? 0x40 : 0);
    set[at + 11] = 0x0f;
    set[at + 13] = checksumOf(short);
    longNameUnits.forEach((offset, i) => {
      const n = (order - 1) * 13 + i;
      const unit = n < entry.name.length ? entry.name.charCodeAt(n) : n === entry.name.length ? 0 : 0xffff;
      view.setUint16(offset, unit, true);
    });
  }
  const view = new DataView(set.buffer, parts * 32, 32);
  set.set(short, parts * 32);
  set[parts * 32 + 11] = entry.kind === 'folder' ? 0x10 : 0x20;
  view.setUint16(20, entry.cluster >>> 16, true);
  view.setUint16(26, entry.cluster & 0xffff, true);
  view.setUint32(28, entry.size, true);
  return set;
};

const parse = (bytes: Uint8Array): Entry[] => {
  const entries: Entry[] = [];
  let long: string[] = [];
  let start = 0;
  let checksum = -1;
  for (let at = 0; at + 32 <= bytes.length && bytes[at] !== 0; at += 32) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 32);
    const attributes = bytes[at + 11]!;
    // Deleted, `.` or `..`
    if (bytes[at] === 0xe5 || bytes[at] === 0x2e) {
      long = [];
      continue;
    }
    if (attributes === 0x0f) {
      if ((bytes[at]! & 0x40) !== 0) {
        long = [];
        start = at;
        checksum = bytes[at + 13]!;
      }
      const units = longNameUnits.map((offset) => view.getUint16(offset, true));
      const end = units.indexOf(0);
      long.unshift(String.fromCharCode(...(end < 0 ? units : units.slice(0, end))));
      continue;
    }
    const short = bytes.subarray(at, at + 11);
    const isLong = long.length > 0 && checksumOf(short) === checksum && start + long.length * 32 === at;
    const name = isLong
      ? long.join('')
      : Buffer.from(short)
          .toString('latin1')
          .replace(/^(.{8})(.{3})$/, '$1.$2')
          .replaceAll(' ', '');
    const place = isLong ? { at: start, length: at + 32 - start } : { at, length: 32 };
    long = [];
    if ((attributes & 0x08) !== 0) continue;
    entries.push({
      name,
      kind: (attributes & 0x10) === 0 ? 'file' : 'folder',
      cluster: (view.getUint16(20, true) << 16) | view.getUint16(26, true),
      size: view.getUint32(28, true),
      place,
    });
  }
  return entries;
};

const emptyFolder = (cluster: number, parent: number): Uint8Array => {
  const sector = new Uint8Array(sectorBytes);
  const view = new DataView(sector.buffer);
  // The root counts as 0 here.
  [cluster, parent === 2 ? 0 : parent].forEach((target, i) => {
    sector.set(Buffer.from('.'.repeat(i + 1).padEnd(11)), i * 32);
    sector[i * 32 + 11] = 0x10;
    view.setUint16(i * 32 + 20, target >>> 16, true);
    view.setUint16(i * 32 + 26, target & 0xffff, true);
  });
  return sector;
};

/** Mounts what is on the device, of whatever size it is. */
export const mountFat32 = (device: Device): FileSystem => {
  const boot = device.read(0);
  const view = new DataView(boot.buffer);
  const clusterSectors = boot[13]!;
  const fatStart = view.getUint16(14, true);
  const length = view.getUint32(36, true);
  const heap = fatStart + 2 * length;
  return volumeFileSystem({
    device,
    clusterSectors,
    clusters: Math.floor((view.getUint32(32, true) - heap) / clusterSectors),
    fatStart,
    fatCopies: [fatStart, fatStart + length],
    heapStart: heap,
    rootCluster: view.getUint32(44, true),
    endMark: 0x0fffffff,
    markUsed: () => {},
    parse,
    encode: (entry, { bytes }) => encode(entry, bytes),
    erase: (bytes) => bytes.map((byte, i) => (i % 32 === 0 ? 0xe5 : byte)),
    emptyFolder,
    syncsAll: false,
  });
};

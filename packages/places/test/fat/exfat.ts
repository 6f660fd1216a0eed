/** exFAT with FAT chains. @spec Microsoft, "exFAT file system specification" 1.00 */
import type { FileSystem } from '../../src/index.ts';
import { sectorBytes, type Device } from './device.ts';
import { volumeFileSystem, type Entry } from './volume.ts';

export const exfatSectors = 16_384;
const fatStart = 32;
const fatLength = 16;
const heapStart = 128;
const clusterSectors = 8;
const clusters = (exfatSectors - heapStart) / clusterSectors;
const bitmapCluster = 2;
const upcaseCluster = 3;
const rootCluster = 4;

// Identity up to `a`, then A-Z, then a compressed run of identity for the rest. @spec §7.2.5.1
const upcaseTable = (): Uint8Array => {
  const units = [
    ...Array.from({ length: 0x61 }, (_, i) => i),
    ...Array.from({ length: 26 }, (_, i) => 0x41 + i),
    0xffff,
    0x10000 - 0x7b,
  ];
  return new Uint8Array(Uint16Array.from(units).buffer);
};
const rotate32 = (sum: number, byte: number): number => (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
const rotate16 = (sum: number, byte: number): number => (((sum << 15) | (sum >>> 1)) + byte) & 0xffff;

const heapSector = (cluster: number): number => heapStart + (cluster - 2) * clusterSectors;

/** What a quick format writes. */
export const formatExfat = (device: Device): void => {
  const boot = new Uint8Array(sectorBytes);
  const view = new DataView(boot.buffer);
  boot.set([0xeb, 0x76, 0x90, ...Buffer.from('EXFAT   ')]);
  view.setBigUint64(72, BigInt(exfatSectors), true);
  [fatStart, fatLength, heapStart, clusters, rootCluster, 0x4b455053].forEach((value, i) =>
    view.setUint32(80 + i * 4, value, true),
  );
  view.setUint16(104, 0x0100, true);
  boot.set([9, 3, 1, 0x80, 0xff], 108);
  boot.set([0x55, 0xaa], 510);
  const extended = new Uint8Array(sectorBytes);
  extended.set([0x00, 0x00, 0x55, 0xaa], 508);
  const region = [
    boot,
    ...Array.from({ length: 8 }, () => extended),
    new Uint8Array(sectorBytes),
    new Uint8Array(sectorBytes),
  ];
  let sum = 0;
  region.forEach((sector, s) =>
    sector.forEach((byte, i) => {
      // Volume flags and percent in use change without notice.
      if (s === 0 && (i === 106 || i === 107 || i === 112)) return;
      sum = rotate32(sum, byte);
    }),
  );
  const checksums = new Uint8Array(new Uint32Array(sectorBytes / 4).fill(sum).buffer);
  for (const base of [0, 12]) [...region, checksums].forEach((sector, s) => device.write(base + s, sector));

  const zero = new Uint8Array(sectorBytes);
  for (let s = 0; s < fatLength; s++) device.write(fatStart + s, zero);
  const fat = new Uint8Array(sectorBytes);
  const fatView = new DataView(fat.buffer);
  [0xfffffff8, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff].forEach((value, i) =>
    fatView.setUint32(i * 4, value, true),
  );
  device.write(fatStart, fat);
  for (let s = 0; s < 3 * clusterSectors; s++) device.write(heapSector(bitmapCluster) + s, zero);
  const bitmap = new Uint8Array(sectorBytes);
  bitmap[0] = 0b111;
  device.write(heapSector(bitmapCluster), bitmap);
  const table = upcaseTable();
  const upcase = new Uint8Array(sectorBytes);
  upcase.set(table);
  device.write(heapSector(upcaseCluster), upcase);

  const root = new Uint8Array(sectorBytes);
  const rootView = new DataView(root.buffer);
  root[0] = 0x81;
  rootView.setUint32(20, bitmapCluster, true);
  rootView.setBigUint64(24, BigInt(Math.ceil(clusters / 8)), true);
  root[32] = 0x82;
  rootView.setUint32(36, table.reduce(rotate32, 0), true);
  rootView.setUint32(52, upcaseCluster, true);
  rootView.setBigUint64(56, BigInt(table.length), true);
  device.write(heapSector(rootCluster), root);
};

const encode = (entry: Omit<Entry, 'place'>): Uint8Array => {
  const parts = Math.ceil(entry.name.length / 15);
  const set = new Uint8Array((2 + parts) * 32);
  const view = new DataView(set.buffer);
  // 2026-01-01 00:00 UTC, in created, modified and accessed.
  const stamp = ((2026 - 1980) << 25) | (1 << 21) | (1 << 16);
  set[0] = 0x85;
  set[1] = 1 + parts;
  view.setUint16(4, entry.kind === 'folder' ? 0x10 : 0x20, true);
  for (const at of [8, 12, 16]) view.setUint32(at, stamp, true);
  set.set([0x80, 0x80, 0x80], 22);
  set[32] = 0xc0;
  set[33] = 1;
  set[35] = entry.name.length;
  const upper = entry.name.toUpperCase();
  let hash = 0;
  for (const char of upper) {
    hash = rotate16(hash, char.charCodeAt(0) & 0xff);
    hash = rotate16(hash, char.charCodeAt(0) >> 8);
  }
  view.setUint16(36, hash, true);
  view.setBigUint64(40, BigInt(entry.size), true);
  view.setUint32(52, entry.cluster, true);
  view.setBigUint64(56, BigInt(entry.size), true);
  for (let part = 0; part < parts; part++) {
    const at = 64 + part * 32;
    set[at] = 0xc1;
    for (let i = 0; i < 15; i++)
      view.setUint16(at + 2 + i * 2, entry.name.charCodeAt(part * 15 + i) || 0, true);
  }
  view.setUint16(2, setChecksum(set), true);
  return set;
};

const setChecksum = (set: Uint8Array): number =>
  set.reduce((sum, byte, i) => (i === 2 || i === 3 ? sum : rotate16(sum, byte)), 0);

const parse = (bytes: Uint8Array): Entry[] => {
  const entries: Entry[] = [];
  for (let at = 0; at + 32 <= bytes.length && bytes[at] !== 0; at += 32) {
    if (bytes[at] !== 0x85) continue;
    const length = (1 + bytes[at + 1]!) * 32;
    const set = bytes.slice(at, at + length);
    const view = new DataView(set.buffer);
    // A set that was torn apart is no file any more.
    if (set.length < length || view.getUint16(2, true) !== setChecksum(set) || set[32] !== 0xc0) continue;
    let name = '';
    for (let part = 64; part < length; part += 32)
      for (let i = 0; i < 15; i++) name += String.fromCharCode(view.getUint16(part + 2 + i * 2, true));
    entries.push({
      name: name.slice(0, set[35]),
      kind: (view.getUint16(4, true) & 0x10) === 0 ? 'file' : 'folder',
      cluster: view.getUint32(52, true),
      size: Number(view.getBigUint64(56, true)),
      isContiguous: (set[33]! & 2) !== 0,
      place: { at, length },
    });
    at += length - 32;
  }
  return entries;
};

/** Mounts what is on the device, of whatever size it is; writes only to what {@link formatExfat} made. */
export const mountExfat = (device: Device): FileSystem => {
  const boot = device.read(0);
  const view = new DataView(boot.buffer);
  const [fat = 0, , heap = 0, count = 0, root = 0] = Array.from({ length: 5 }, (_, i) =>
    view.getUint32(80 + i * 4, true),
  );
  const markUsed = (cluster: number, used: boolean): void => {
    const bit = cluster - 2;
    const sector = heapSector(bitmapCluster) + (bit >> 12);
    const bytes = device.read(sector);
    const at = (bit >> 3) & 511;
    bytes[at] = used ? bytes[at]! | (1 << (bit & 7)) : bytes[at]! & ~(1 << (bit & 7));
    device.write(sector, bytes);
  };
  return volumeFileSystem({
    device,
    clusterSectors: 1 << boot[109]!,
    clusters: count,
    fatStart: fat,
    fatCopies: [fat],
    heapStart: heap,
    rootCluster: root,
    endMark: 0xffffffff,
    markUsed,
    parse,
    encode: (entry) => encode(entry),
    erase: (bytes) => bytes.map((byte, i) => (i % 32 === 0 ? byte & 0x7f : byte)),
    emptyFolder: () => new Uint8Array(sectorBytes),
    syncsAll: true,
  });
};

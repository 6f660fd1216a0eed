/**
 * A small file system driver over a block device: what FAT32 and exFAT have in common. Its order of writes follows
 * Linux; what it leaves unsynced, the device may lose. Paths begin with `/stick`.
 */
import { KeepsetError } from '@keepset/bytes';
import type { FileKind, FileSystem, OpenFile } from '../../src/index.ts';
import { sectorBytes, type Device } from './device.ts';

/** A directory entry in memory. `place` is where its bytes lie, offsets into the directory. */
export interface Entry {
  readonly name: string;
  readonly kind: FileKind;
  readonly cluster: number;
  readonly size: number;
  /** Its clusters follow one another, and the FAT says nothing of them (exFAT). */
  readonly isContiguous?: boolean;
  readonly place: { readonly at: number; readonly length: number };
}

/** Bytes of a directory and where its sectors are. */
export interface Directory {
  readonly cluster: number;
  readonly bytes: Uint8Array;
}

/** What differs between the two. */
export interface Format {
  readonly device: Device;
  readonly clusterSectors: number;
  readonly clusters: number;
  readonly fatStart: number;
  readonly fatCopies: readonly number[];
  readonly heapStart: number;
  readonly rootCluster: number;
  /** FAT value that ends a chain. */
  readonly endMark: number;
  /** Entry types differ, chains do not: the allocation bitmap of exFAT is kept by this. */
  readonly markUsed: (cluster: number, used: boolean) => void;
  readonly parse: (bytes: Uint8Array) => Entry[];
  /** Bytes of an entry set for the name. */
  readonly encode: (entry: Omit<Entry, 'place'>, directory: Directory) => Uint8Array;
  /** Bytes that mark an entry set as deleted. */
  readonly erase: (bytes: Uint8Array) => Uint8Array;
  /** First sector of a new folder's first cluster. */
  readonly emptyFolder: (cluster: number, parent: number) => Uint8Array;
  /** Whether a file's sync flushes the whole device (exFAT in Linux) or only the file's own sectors (vfat). */
  readonly syncsAll: boolean;
}

const missing = (): KeepsetError => new KeepsetError('place/not-found', 'no such file');

/** The port over a volume. */
export const volumeFileSystem = (format: Format): FileSystem => {
  const { device, clusterSectors } = format;
  const clusterBytes = clusterSectors * sectorBytes;
  const firstSector = (cluster: number): number => format.heapStart + (cluster - 2) * clusterSectors;

  const fatSector = (cluster: number, copy: number): number => copy + ((cluster * 4) >> 9);
  const getFat = (cluster: number): number => {
    const sector = device.read(fatSector(cluster, format.fatStart));
    return new DataView(sector.buffer).getUint32((cluster * 4) & 511, true) & 0x0fffffff;
  };
  const setFat = (cluster: number, value: number): void => {
    for (const copy of format.fatCopies) {
      const sector = device.read(fatSector(cluster, copy));
      new DataView(sector.buffer).setUint32((cluster * 4) & 511, value, true);
      device.write(fatSector(cluster, copy), sector);
    }
  };
  const chainOf = (cluster: number): number[] => {
    const chain: number[] = [];
    for (let at = cluster; at >= 2 && at < format.clusters + 2; at = getFat(at)) {
      if (chain.includes(at)) break;
      chain.push(at);
      if (getFat(at) === 0) break;
    }
    return chain;
  };
  let cursor = format.rootCluster + 1;
  const allocate = (): number => {
    for (let tries = 0; tries < format.clusters; tries++) {
      const cluster = cursor;
      cursor = cursor + 1 >= format.clusters + 2 ? 2 : cursor + 1;
      if (getFat(cluster) !== 0) continue;
      setFat(cluster, format.endMark);
      format.markUsed(cluster, true);
      return cluster;
    }
    throw new KeepsetError('place/full', 'no free cluster');
  };
  const free = (cluster: number): void => {
    for (const at of chainOf(cluster)) {
      setFat(at, 0);
      format.markUsed(at, false);
    }
  };

  const readClusters = (chain: readonly number[], length = chain.length * clusterBytes): Uint8Array => {
    const sectors = Math.ceil(Math.min(length, chain.length * clusterBytes) / sectorBytes);
    const bytes = new Uint8Array(sectors * sectorBytes);
    for (let s = 0; s < sectors; s++)
      bytes.set(
        device.read(firstSector(chain[Math.floor(s / clusterSectors)]!) + (s % clusterSectors)),
        s * sectorBytes,
      );
    return bytes;
  };
  const readChain = (cluster: number): Uint8Array => readClusters(chainOf(cluster));
  /** Writes the sectors of a chain that hold bytes `from` to `to`. */
  const writeChain = (cluster: number, bytes: Uint8Array, from: number, to: number): void => {
    const chain = chainOf(cluster);
    for (let at = from - (from % sectorBytes); at < to; at += sectorBytes) {
      const sector = firstSector(chain[Math.floor(at / clusterBytes)]!) + (at % clusterBytes) / sectorBytes;
      const data = new Uint8Array(sectorBytes);
      data.set(bytes.subarray(at, at + sectorBytes));
      device.write(sector, data);
    }
  };
  const sectorsOf = (cluster: number): Set<number> =>
    new Set(
      chainOf(cluster).flatMap((at) => Array.from({ length: clusterSectors }, (_, s) => firstSector(at) + s)),
    );

  const directoryAt = (cluster: number): Directory => ({ cluster, bytes: readChain(cluster) });
  const readEntry = ({ kind, cluster, size, isContiguous }: Entry): Uint8Array => {
    const chain =
      isContiguous === true
        ? Array.from({ length: Math.ceil(size / clusterBytes) }, (_, i) => cluster + i)
        : chainOf(cluster);
    // A folder of FAT32 has no size.
    return kind === 'file' ? readClusters(chain, size) : readClusters(chain);
  };
  const resolve = (path: string): { directory: Directory; name: string } => {
    const parts = path.split('/').slice(2);
    let directory = directoryAt(format.rootCluster);
    for (const part of parts.slice(0, -1)) {
      const entry = format.parse(directory.bytes).find(({ name }) => name === part);
      if (entry?.kind !== 'folder') throw new KeepsetError('place/unreachable', 'no such folder');
      directory = { cluster: entry.cluster, bytes: readEntry(entry) };
    }
    return { directory, name: parts.at(-1) ?? '' };
  };
  const folderAt = (path: string): Directory => resolve(`${path}/x`).directory;
  const find = (path: string): { directory: Directory; entry: Entry | undefined; name: string } => {
    const { directory, name } = resolve(path);
    return { directory, name, entry: format.parse(directory.bytes).find((other) => other.name === name) };
  };
  const fileAt = (path: string): { directory: Directory; entry: Entry } => {
    const { directory, entry } = find(path);
    if (entry === undefined) throw missing();
    if (entry.kind !== 'file') throw new KeepsetError('place/foreign', 'not a file');
    return { directory, entry };
  };

  const store = (directory: Directory, at: number, set: Uint8Array): void => {
    directory.bytes.set(set, at);
    writeChain(directory.cluster, directory.bytes, at, at + set.length);
  };
  /** First run of unused 32-byte entries that is long enough; grows the directory if there is none. */
  const roomFor = (directory: Directory, length: number): { directory: Directory; at: number } => {
    const taken = format.parse(directory.bytes);
    // Nothing counts after the first zero entry, whatever a power cut left there.
    const types = Array.from({ length: directory.bytes.length / 32 }, (_, n) => directory.bytes[n * 32]!);
    const end = types.includes(0) ? types.indexOf(0) * 32 : directory.bytes.length;
    for (let at = 0; at + length <= directory.bytes.length; at += 32) {
      const isFree = Array.from({ length: length / 32 }, (_, n) => at + n * 32).every((offset) => {
        const type = directory.bytes[offset]!;
        const inUse = taken.some(({ place }) => offset >= place.at && offset < place.at + place.length);
        return offset >= end || (!inUse && (type === 0xe5 || (format.syncsAll && type < 0x80)));
      });
      if (isFree) return { directory, at };
    }
    const chain = chainOf(directory.cluster);
    const added = allocate();
    setFat(chain.at(-1)!, added);
    const zero = new Uint8Array(sectorBytes);
    for (let s = 0; s < clusterSectors; s++) device.write(firstSector(added) + s, zero);
    return roomFor(directoryAt(directory.cluster), length);
  };
  const addEntry = (path: string, kind: FileKind, cluster: number, size: number): void => {
    const { directory, name } = resolve(path);
    const set = format.encode({ name, kind, cluster, size }, directory);
    const room = roomFor(directory, set.length);
    store(room.directory, room.at, set);
  };
  const update = (path: string, cluster: number, size: number): void => {
    const { directory, entry } = fileAt(path);
    store(directory, entry.place.at, format.encode({ ...entry, cluster, size }, directory));
  };
  const eraseEntry = (directory: Directory, { place }: Entry): void =>
    store(directory, place.at, format.erase(directory.bytes.slice(place.at, place.at + place.length)));

  const syncFile = (path: string): void => {
    if (format.syncsAll) return device.sync(() => true);
    const { directory, entry } = fileAt(path);
    const data = sectorsOf(entry.cluster);
    const isFat = (sector: number): boolean => sector < format.heapStart;
    // The sector of the entry that holds size and first cluster: the last of the set.
    const lastAt = entry.place.at + entry.place.length - 32;
    const chain = chainOf(directory.cluster);
    const own =
      firstSector(chain[Math.floor(lastAt / clusterBytes)]!) +
      Math.floor((lastAt % clusterBytes) / sectorBytes);
    device.sync((sector) => data.has(sector) || isFat(sector) || sector === own);
  };

  const opened = (path: string): OpenFile => ({
    write: async (bytes) => {
      const { entry } = fileAt(path);
      const before = readChain(entry.cluster).slice(0, entry.size);
      const whole = Uint8Array.from([...before, ...bytes]);
      const chain = chainOf(entry.cluster);
      while (chain.length * clusterBytes < whole.length) {
        const added = allocate();
        if (chain.length > 0) setFat(chain.at(-1)!, added);
        chain.push(added);
      }
      writeChain(chain[0]!, whole, before.length, whole.length);
      update(path, chain[0]!, whole.length);
    },
    sync: async () => syncFile(path),
    close: async () => {},
  });

  return {
    facts: async (path) => {
      if (path === '/stick') return { kind: 'folder', size: 0, mode: 0 };
      const { entry } = find(path);
      return entry === undefined ? null : { kind: entry.kind, size: entry.size, mode: 0 };
    },
    makeFolder: async (path) => {
      if (find(path).entry !== undefined) throw new KeepsetError('place/exists', 'exists');
      const cluster = allocate();
      device.write(firstSector(cluster), format.emptyFolder(cluster, resolve(path).directory.cluster));
      const zero = new Uint8Array(sectorBytes);
      for (let s = 1; s < clusterSectors; s++) device.write(firstSector(cluster) + s, zero);
      addEntry(path, 'folder', cluster, format.syncsAll ? clusterBytes : 0);
    },
    names: async (folder) => format.parse(folderAt(folder).bytes).map(({ name }) => name),
    read: async (path, maxBytes) => {
      const { entry } = fileAt(path);
      if (entry.size > maxBytes) throw new KeepsetError('wire/too-large', 'too large');
      const bytes = readEntry(entry);
      // As Linux does where a chain ends before the file does.
      if (bytes.length < entry.size) throw new KeepsetError('place/unreachable', 'EIO');
      return bytes.slice(0, entry.size);
    },
    create: async (path) => {
      if (find(path).entry !== undefined) throw new KeepsetError('place/exists', 'exists');
      addEntry(path, 'file', 0, 0);
      return opened(path);
    },
    truncate: async (path) => {
      const { entry } = fileAt(path);
      update(path, 0, 0);
      free(entry.cluster);
      return opened(path);
    },
    rename: async (from, to) => {
      const { entry } = fileAt(from);
      const target = find(to).entry;
      // vfat points the target's entry at the new file; exfat writes a new set and erases the target's.
      if (target !== undefined && !format.syncsAll) update(to, entry.cluster, entry.size);
      else {
        if (target !== undefined) eraseEntry(fileAt(to).directory, target);
        addEntry(to, 'file', entry.cluster, entry.size);
      }
      const source = fileAt(from);
      eraseEntry(source.directory, source.entry);
      if (target !== undefined) free(target.cluster);
    },
    remove: async (path) => {
      const { directory, entry } = fileAt(path);
      eraseEntry(directory, entry);
      free(entry.cluster);
    },
    syncFolder: async (path) => {
      const sectors = sectorsOf(folderAt(path).cluster);
      device.sync((sector) => format.syncsAll || sectors.has(sector));
    },
  };
};

/**
 * A block device that remembers what was written and not yet synced, and gives every image a power cut may leave.
 * A sector is written whole or not at all; unsynced sectors reach the medium in any order or never.
 */
export const sectorBytes = 512;

/** Sectors that were ever written; all others are zero. */
export type Image = Map<number, Uint8Array>;

interface Write {
  readonly sector: number;
  readonly data: Uint8Array;
}

/** A moment at which the power may fail: what is certainly on the medium, and what may be. */
export interface Moment {
  readonly synced: ReadonlyMap<number, Uint8Array>;
  readonly unsynced: readonly Write[];
}

export interface Device {
  readonly read: (sector: number) => Uint8Array;
  readonly write: (sector: number, data: Uint8Array) => void;
  /** Syncs the sectors that `which` chooses. */
  readonly sync: (which: (sector: number) => boolean) => void;
  /** The device as its user sees it. */
  readonly image: () => Image;
  /** From here on, every write and sync adds a moment. */
  readonly record: () => Moment[];
}

export const blockDevice = (start: Image = new Map()): Device => {
  let synced: Image = new Map(start);
  let unsynced: Write[] = [];
  let moments: Moment[] | undefined;
  const current: Image = new Map(start);
  const note = (): void => {
    moments?.push({ synced, unsynced: [...unsynced] });
  };
  return {
    read: (sector) => Uint8Array.from(current.get(sector) ?? new Uint8Array(sectorBytes)),
    write: (sector, data) => {
      if (data.length !== sectorBytes) throw new RangeError('a sector has 512 bytes');
      const copy = Uint8Array.from(data);
      current.set(sector, copy);
      unsynced.push({ sector, data: copy });
      note();
    },
    sync: (which) => {
      // A new map: the moments noted so far keep theirs.
      synced = new Map(synced);
      for (const { sector, data } of unsynced) if (which(sector)) synced.set(sector, data);
      unsynced = unsynced.filter(({ sector }) => !which(sector));
      note();
    },
    image: () => new Map(current),
    record: () => {
      synced = new Map(current);
      unsynced = [];
      moments = [];
      note();
      return moments;
    },
  };
};

/**
 * Images a power cut at the moment may leave: all of the unsynced writes in order (a prefix of the write log), none of
 * them, and `random` chance subsets.
 */
export const imagesAt = ({ synced, unsynced }: Moment, random: readonly (() => boolean)[]): Image[] => {
  const apply = (writes: readonly Write[]): Image => {
    const image = new Map(synced);
    for (const { sector, data } of writes) image.set(sector, data);
    return image;
  };
  if (unsynced.length === 0) return [apply([])];
  return [apply(unsynced), apply([]), ...random.map((chance) => apply(unsynced.filter(chance)))];
};

/** An image to read, without the copies that guard a device that is written. */
export const readOnlyDevice = (image: Image): Device => {
  const zero = new Uint8Array(sectorBytes);
  const refuse = (): never => {
    throw new Error('read-only');
  };
  return {
    read: (sector) => image.get(sector) ?? zero,
    write: refuse,
    sync: refuse,
    image: () => image,
    record: refuse,
  };
};

/** A repeatable source of chance. @spec xorshift32 */
export const chanceFrom = (seed: number): (() => boolean) => {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 4) !== 0;
  };
};

/** The image as the bytes of a raw file. */
export const toRaw = (image: Image, sectors: number): Uint8Array => {
  const raw = new Uint8Array(sectors * sectorBytes);
  for (const [sector, data] of image) raw.set(data, sector * sectorBytes);
  return raw;
};

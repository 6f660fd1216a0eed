/**
 * The log as static resources: hash tiles of height 8, entry bundles, and their paths.
 * @spec C2SP tlog-tiles
 */
import { KeepsetError, concatBytes } from '@keepset/bytes';
import { HASH_LENGTH, rootOfLeaves } from './hashing.ts';
import { isSize, subtreesOf, type HashReader, type LeafRange } from './store.ts';

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;

const TILE_HEIGHT = 8;

/** Longest entry in bytes: a bundle gives its length in 16 bits. */
export const MAX_ENTRY_LENGTH = 65_535;

/** Names a tile or an entry bundle. */
export interface Tile {
  /** 0 holds leaf hashes, each next level the roots of full tiles below; `entries` is a bundle. */
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 256; less than 256 is a partial tile. */
  readonly width: number;
}

/** The path under the log's prefix, such as `tile/0/x001/234.p/5`. @throws KeepsetError `input/invalid-argument` */
export const printTilePath = (tile: Tile): string => {
  if (!isTile(tile)) throw new KeepsetError('input/invalid-argument', 'There is no such tile.');
  const digits = tile.index.toString();
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/gu) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${tile.level}/${path}${tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`}`;
};

/** Reads a path in exactly the form {@link printTilePath} writes. @throws KeepsetError `wire/malformed` */
export const parseTilePath = (path: string): Tile => {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/u.exec(
    path,
  );
  const [, level = '', index = '', width] = match ?? [];
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(index.replaceAll(/[x/]/gu, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  if (match === null || !isTile(tile) || printTilePath(tile) !== path)
    throw new KeepsetError('wire/malformed', 'Not the path of a tile.');
  return tile;
};

/**
 * The tile as a log of `size` entries has it: full if it is complete, else partial.
 * @returns undefined if that log has nothing there, since empty tiles do not exist.
 */
export const tileAt = (level: number | 'entries', index: number, size: number): Tile | undefined => {
  const unit = level === 'entries' ? 1 : TILE_WIDTH ** level;
  const width = Math.min(Math.floor(size / unit) - index * TILE_WIDTH, TILE_WIDTH);
  const tile: Tile = { level, index, width };
  return isSize(size) && isTile(tile) ? tile : undefined;
};

/**
 * A hash tile's bytes from the store, width × 32.
 * @throws KeepsetError `input/invalid-argument` for a tile that a log of `size` entries does not have, or for an
 * entry bundle; `store/damaged` from the store.
 */
export const readTile = (store: HashReader, tile: Tile, size: number): Uint8Array => {
  const { level, index, width } = tile;
  const whole = tileAt(level, index, size);
  if (level === 'entries' || whole === undefined || !isTile(tile) || width > whole.width)
    throw new KeepsetError('input/invalid-argument', 'A log of that size has no such hash tile.');
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < width; at += 1)
    hashes.push(store.hashAt(level * TILE_HEIGHT, index * TILE_WIDTH + at));
  return concatBytes(...hashes);
};

/**
 * The tiles a client must fetch to compute the hashes of `ranges` (from `inclusionRanges`, `consistencyRanges`,
 * or the whole log for its root) in a log of `size` entries. Each is named once.
 */
export const tilesForRanges = (ranges: readonly LeafRange[], size: number): readonly Tile[] => {
  const tiles = new Map<string, Tile>();
  for (const { level, index } of ranges.flatMap(subtreesOf)) {
    const tile = tileHolding(level, index, size);
    tiles.set(printTilePath(tile), tile);
  }
  return [...tiles.values()];
};

/**
 * Reads hashes out of fetched tiles. `fetched` gives the bytes of a tile named by {@link tilesForRanges}.
 * Tiles are not authenticated: make a proof from them and verify that against a signed root. A forged tile then
 * makes a proof that fails; what was read is worth nothing before.
 * The reader throws `wire/malformed` for a tile that is missing or has the wrong length.
 */
export const tileReader = (fetched: (tile: Tile) => Uint8Array | undefined, size: number): HashReader => ({
  hashAt(level, index) {
    const tile = tileHolding(level, index, size);
    const bytes = fetched(tile);
    if (bytes?.length !== tile.width * HASH_LENGTH)
      throw new KeepsetError('wire/malformed', `The tile ${printTilePath(tile)} is missing or damaged.`);
    // The subtree's root is `level mod 8` levels above the tile's hashes.
    const span = 2 ** (level % TILE_HEIGHT);
    const first = (index * span) % TILE_WIDTH;
    if (first + span > tile.width)
      throw new KeepsetError('input/invalid-argument', 'A log of that size has no such subtree.');
    const hashes: Uint8Array[] = [];
    for (let at = first; at < first + span; at += 1)
      hashes.push(bytes.slice(at * HASH_LENGTH, (at + 1) * HASH_LENGTH));
    return rootOfLeaves(hashes);
  },
});

/** Writes an entry bundle of 1 to 256 entries. @throws KeepsetError `input/invalid-argument` */
export const printEntryBundle = (entries: readonly Uint8Array[]): Uint8Array => {
  if (entries.length === 0 || entries.length > TILE_WIDTH)
    throw new KeepsetError('input/invalid-argument', `A bundle has 1 to ${TILE_WIDTH} entries.`);
  return concatBytes(
    ...entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_LENGTH)
        throw new KeepsetError('input/invalid-argument', 'An entry is too long for a bundle.');
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
};

/** Reads an entry bundle of exactly `width` entries, not authenticated. @throws KeepsetError `wire/malformed` */
export const parseEntryBundle = (bytes: Uint8Array, width: number): readonly Uint8Array[] => {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const [high, low] = bytes.subarray(at, at + 2);
    const end = at + 2 + ((high ?? 0) << 8) + (low ?? 0);
    if (low === undefined || end > bytes.length || entries.length === width)
      throw new KeepsetError('wire/malformed', 'The entry bundle is damaged.');
    entries.push(bytes.slice(at + 2, end));
    at = end;
  }
  if (entries.length !== width)
    throw new KeepsetError('wire/malformed', 'The entry bundle does not have the entries it should.');
  return entries;
};

const tileHolding = (level: number, index: number, size: number): Tile => {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const tile = tileAt(tileLevel, Math.floor((index * 2 ** (level % TILE_HEIGHT)) / TILE_WIDTH), size);
  if (tile === undefined)
    throw new KeepsetError('input/invalid-argument', 'A log of that size has no such subtree.');
  return tile;
};

const isTile = ({ level, index, width }: Tile): boolean =>
  (level === 'entries' || (Number.isSafeInteger(level) && level >= 0 && level <= 63)) &&
  isSize(index) &&
  Number.isSafeInteger(width) &&
  width >= 1 &&
  width <= TILE_WIDTH;

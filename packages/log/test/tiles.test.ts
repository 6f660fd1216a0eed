import { toHex } from '@keepset/bytes';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_ENTRY_LENGTH,
  consistencyRanges,
  inclusionRanges,
  leafHash,
  parseEntryBundle,
  parseTilePath,
  printEntryBundle,
  printTilePath,
  proveConsistency,
  proveInclusion,
  readTile,
  rootAt,
  rootOfLeaves,
  tileAt,
  tileReader,
  tilesForRanges,
  verifyInclusion,
  type Tile,
} from '@keepset/log';
import { entriesUpTo, expectCode, flipBit, storeOf } from './support.ts';

describe('paths', () => {
  it.each<[string, Tile]>([
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/0/x001/234.p/5', { level: 0, index: 1234, width: 5 }],
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/63/999.p/255', { level: 63, index: 999, width: 255 }],
    ['tile/entries/x001/000.p/1', { level: 'entries', index: 1000, width: 1 }],
  ])('prints and reads %s', (path, tile) => {
    expect(printTilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  it('round trips any tile', () => {
    const tiles = fc.record({
      level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
      index: fc.maxSafeInteger().map(Math.abs),
      width: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(printTilePath(tile))).toEqual(tile);
      }),
    );
  });

  it.each([
    '',
    'tile',
    'tile/0',
    '/tile/0/000',
    'tile/0/000/',
    'tile/00/000',
    'tile/01/000',
    'tile/64/000',
    'tile/100/000',
    'tile/-1/000',
    'tile/data/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/0/x000/001',
    'tile/0/001/234',
    'tile/0/x001/x234',
    'tile/0/x001x234',
    'tile/0/000.p/0',
    'tile/0/000.p/05',
    'tile/0/000.p/256',
    'tile/0/000.p/999',
    'tile/0/000.p/',
    'tile/0/000.p',
    'tile/0/000\n',
    'tile/0/../000',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
  ])('refuses %j', (path) => {
    expectCode(() => parseTilePath(path), 'wire/malformed');
  });

  it('refuses to print what is no tile', () => {
    for (const bad of [
      { level: 64, index: 0, width: 1 },
      { level: -1, index: 0, width: 1 },
      { level: 0.5, index: 0, width: 1 },
      { level: 0, index: -1, width: 1 },
      { level: 0, index: 0, width: 0 },
      { level: 0, index: 0, width: 257 },
      { level: 0, index: Number.NaN, width: 1 },
    ])
      expectCode(() => printTilePath(bad), 'input/invalid-argument');
  });
});

describe('which tiles a log has', () => {
  const countTiles = (level: number, size: number): { full: number; partial: number } => {
    let full = 0;
    for (let tile = tileAt(level, 0, size); tile?.width === 256; tile = tileAt(level, full, size)) full += 1;
    return { full, partial: tileAt(level, full, size)?.width ?? 0 };
  };

  it('is as the specification says for 70,000 and 256 entries', () => {
    expect(countTiles(0, 70_000)).toEqual({ full: 273, partial: 112 });
    expect(countTiles(1, 70_000)).toEqual({ full: 1, partial: 17 });
    expect(countTiles(2, 70_000)).toEqual({ full: 0, partial: 1 });
    expect(countTiles(3, 70_000)).toEqual({ full: 0, partial: 0 });
    expect(countTiles(0, 256)).toEqual({ full: 1, partial: 0 });
    expect(countTiles(1, 256)).toEqual({ full: 0, partial: 1 });
    expect(tileAt('entries', 273, 70_000)).toEqual({ level: 'entries', index: 273, width: 112 });
    expect(tileAt(0, 0, 0)).toBeUndefined();
    expect(tileAt(0, 0, -1)).toBeUndefined();
  });
});

describe('reading', () => {
  const SIZE = 70_000;
  const entries = entriesUpTo(SIZE);
  const store = storeOf(entries);
  const root = rootAt(store, SIZE);
  const serve = (tile: Tile): Uint8Array => readTile(store, tile, SIZE);

  it('gives hash tiles whose hashes are those of the entries', () => {
    const leaves = entries.map(leafHash);
    const tile = readTile(store, { level: 0, index: 273, width: 112 }, SIZE);
    expect(toHex(tile)).toBe(
      leaves
        .slice(273 * 256)
        .map(toHex)
        .join(''),
    );
    const above = readTile(store, { level: 1, index: 1, width: 17 }, SIZE);
    expect(toHex(above.slice(16 * 32))).toBe(toHex(rootOfLeaves(leaves.slice(272 * 256, 273 * 256))));
    expect(readTile(store, { level: 2, index: 0, width: 1 }, SIZE)).toHaveLength(32);
    // Older, narrower forms of a tile stay readable.
    expect(toHex(readTile(store, { level: 0, index: 273, width: 5 }, SIZE))).toBe(
      toHex(tile.slice(0, 5 * 32)),
    );
  });

  it('refuses tiles beyond the size', () => {
    for (const tile of [
      { level: 0, index: 273, width: 113 },
      { level: 0, index: 274, width: 1 },
      { level: 3, index: 0, width: 1 },
      { level: 0, index: 0, width: 0 },
      { level: 'entries', index: 0, width: 256 },
    ] as const)
      expectCode(() => readTile(store, tile, SIZE), 'input/invalid-argument');
  });

  it('computes root and proofs from the tiles it names, and from no others', () => {
    const samples = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: SIZE }));
    fc.assert(
      fc.property(samples, fc.nat(), (size, draw) => {
        const index = draw % size;
        const read = (ranges: Parameters<typeof tilesForRanges>[0]): ReturnType<typeof tileReader> => {
          const named = new Map(
            tilesForRanges(ranges, size).map((tile) => [printTilePath(tile), readTile(store, tile, size)]),
          );
          return tileReader((tile) => named.get(printTilePath(tile)), size);
        };
        expect(toHex(rootAt(read([{ start: 0, end: size }]), size))).toBe(toHex(rootAt(store, size)));
        expect(proveInclusion(read(inclusionRanges(index, size)), index, size)).toEqual(
          proveInclusion(store, index, size),
        );
        expect(proveConsistency(read(consistencyRanges(index, size)), index, size)).toEqual(
          proveConsistency(store, index, size),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('makes no proof that verifies from a forged tile', () => {
    const index = 3;
    const leaf = leafHash(entries[index]!);
    for (const forged of tilesForRanges(inclusionRanges(index, SIZE), SIZE)) {
      const bytes = serve(forged);
      const reader = tileReader(
        (tile) =>
          printTilePath(tile) === printTilePath(forged)
            ? Uint8Array.from({ length: bytes.length }, (_, at) => (bytes[at] ?? 0) ^ 1)
            : serve(tile),
        SIZE,
      );
      expect(verifyInclusion(proveInclusion(reader, index, SIZE), index, leaf, SIZE, root)).toBe(false);
    }
    const first = serve({ level: 0, index: 0, width: 256 });
    const oneBit = tileReader(
      (tile) => (tile.level === 0 && tile.index === 0 ? flipBit(first, 8 * 32 * 2) : serve(tile)),
      SIZE,
    );
    expect(verifyInclusion(proveInclusion(oneBit, index, SIZE), index, leaf, SIZE, root)).toBe(false);
    const honest = tileReader(serve, SIZE);
    expect(verifyInclusion(proveInclusion(honest, index, SIZE), index, leaf, SIZE, root)).toBe(true);
  });

  it('refuses missing, short and long tiles and subtrees outside the log', () => {
    const whole = serve({ level: 0, index: 0, width: 256 });
    for (const bytes of [undefined, new Uint8Array(0), whole.slice(1), Uint8Array.of(...whole, 0)])
      expectCode(() => tileReader(() => bytes, SIZE).hashAt(0, 7), 'wire/malformed');
    expectCode(() => tileReader(serve, SIZE).hashAt(0, SIZE), 'input/invalid-argument');
    expectCode(() => tileReader(serve, SIZE).hashAt(4, Math.floor(SIZE / 16)), 'input/invalid-argument');
  });
});

describe('entry bundles', () => {
  it('round trips', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 }),
        (entries) => {
          const parsed = parseEntryBundle(printEntryBundle(entries), entries.length);
          expect(parsed.map(toHex)).toEqual(entries.map(toHex));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('prefixes each entry with its length in two bytes, larger first', () => {
    expect(toHex(printEntryBundle([Uint8Array.of(7), new Uint8Array(0), new Uint8Array(258)]))).toBe(
      `00010700000102${'00'.repeat(258)}`,
    );
    const largest = new Uint8Array(MAX_ENTRY_LENGTH).fill(1);
    expect(parseEntryBundle(printEntryBundle([largest]), 1)[0]).toEqual(largest);
  });

  it('refuses damage and other numbers of entries', () => {
    const bundle = printEntryBundle(entriesUpTo(3));
    for (let cut = 1; cut < bundle.length; cut += 1)
      expectCode(() => parseEntryBundle(bundle.slice(0, cut), 3), 'wire/malformed');
    expectCode(() => parseEntryBundle(Uint8Array.of(...bundle, 0), 3), 'wire/malformed');
    expectCode(() => parseEntryBundle(bundle, 2), 'wire/malformed');
    expectCode(() => parseEntryBundle(bundle, 4), 'wire/malformed');
    expectCode(() => parseEntryBundle(new Uint8Array(0), 1), 'wire/malformed');
    expectCode(() => printEntryBundle([]), 'input/invalid-argument');
    expectCode(() => printEntryBundle(entriesUpTo(257)), 'input/invalid-argument');
    expectCode(() => printEntryBundle([new Uint8Array(MAX_ENTRY_LENGTH + 1)]), 'input/invalid-argument');
  });
});

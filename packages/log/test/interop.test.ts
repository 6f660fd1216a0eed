import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fromBase64, toBase64, toHex } from '@keepset/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  leafHash,
  openCheckpoint,
  parseEntryBundle,
  parseTilePath,
  parseVerifierKey,
  printEntryBundle,
  printTilePath,
  printVerifierKey,
  proveConsistency,
  proveInclusion,
  readTile,
  rootAt,
  sealEntry,
  signCheckpoint,
  tileAt,
  tileReader,
  verifyConsistency,
  verifyInclusion,
  type Tile,
} from '@keepset/log';
import { storeOf, signerOf } from './support.ts';

const program = fileURLToPath(new URL('../../../tests/interop/log-go/main.go', import.meta.url));
const packages = 'golang-go and golang-golang-x-mod-dev';

/** The form both programs exchange; see tests/interop/log-go/main.go. */
interface LogFile {
  verifierKey: string;
  checkpoint: string;
  bundles: string[];
  tiles: Record<string, string>;
  inclusion: { index: number; proof: string[] }[];
  consistency: { oldSize: number; oldRoot: string; proof: string[] }[];
}

const runGo = (
  command: 'verify' | 'produce',
  input: unknown,
): { status: number | null; stdout: string; stderr: string } => {
  const { error, status, stdout, stderr } = spawnSync('go', ['run', program, command], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    // Debian's sources as they lie; no module proxy.
    env: { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '', GOPROXY: 'off' },
  });
  if (error !== undefined)
    throw new Error(`This test needs Go: install the Debian packages ${packages}.`, { cause: error });
  if (/cannot find package/u.test(stderr))
    throw new Error(
      `This test needs Go's x/mod sources: install the Debian packages ${packages}.\n${stderr}`,
    );
  return { status, stdout, stderr };
};

const SIZE = 70_000;
const OLDER = [1, 2, 255, 256, 257, 4096, 65_535, 65_536, 65_537, 69_999, SIZE];
const log = signerOf('keepset.example/log', 11);
const entries = Array.from({ length: SIZE }, (_, seq) =>
  seq % 1000 === 0
    ? sealEntry({ kind: 'freeze', seq, at: 0 }, { tenant: 't', key: seq }, new Uint8Array(32))
    : Uint8Array.of(seq >> 16, seq >> 8, seq),
);

const ours = (): LogFile => {
  const store = storeOf(entries);
  const tiles: Record<string, string> = {};
  const bundles: string[] = [];
  for (let level = 0; level < 4; level += 1)
    for (
      let index = 0, tile = tileAt(level, 0, SIZE);
      tile !== undefined;
      tile = tileAt(level, index, SIZE)
    ) {
      tiles[printTilePath(tile)] = toBase64(readTile(store, tile, SIZE));
      if (level === 0)
        bundles.push(toBase64(printEntryBundle(entries.slice(index * 256, index * 256 + tile.width))));
      index += 1;
    }
  return {
    verifierKey: printVerifierKey(log.key),
    checkpoint: signCheckpoint({ size: SIZE, root: rootAt(store, SIZE) }, log),
    bundles,
    tiles,
    inclusion: OLDER.map((size) => ({
      index: size - 1,
      proof: proveInclusion(store, size - 1, SIZE).map(toBase64),
    })),
    consistency: OLDER.map((oldSize) => ({
      oldSize,
      oldRoot: toBase64(rootAt(store, oldSize)),
      proof: proveConsistency(store, oldSize, SIZE).map(toBase64),
    })),
  };
};

describe("Go's verifier on our log", () => {
  let good: LogFile;
  beforeAll(() => {
    good = ours();
  });

  it('accepts every record, tile, root and proof', () => {
    const { status, stdout, stderr } = runGo('verify', good);
    expect(stderr).toBe('');
    expect(stdout).toContain(
      `verified ${SIZE} entries, ${Object.keys(good.tiles).length} tiles, ${OLDER.length} inclusion and ${OLDER.length} consistency proofs`,
    );
    expect(status).toBe(0);
    expect(Object.keys(good.tiles)).toContain('tile/0/273.p/112');
    expect(Object.keys(good.tiles)).toContain('tile/2/000.p/1');
  });

  // A check that never refuses would prove nothing.
  const flip = (base64: string): string => {
    const bytes = fromBase64(base64);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return toBase64(bytes);
  };
  it.each<[string, (file: LogFile) => LogFile, RegExp]>([
    ['a forged entry', (f) => ({ ...f, bundles: f.bundles.with(5, flip(f.bundles[5]!)) }), /do not hash to/u],
    [
      'a missing entry bundle',
      (f) => ({ ...f, bundles: f.bundles.slice(0, -1) }),
      /entries, checkpoint says/u,
    ],
    [
      'a forged tile',
      (f) => ({ ...f, tiles: { ...f.tiles, 'tile/0/005': flip(f.tiles['tile/0/005']!) } }),
      /forged tile/u,
    ],
    [
      'a forged inclusion proof',
      (f) => ({ ...f, inclusion: [{ ...f.inclusion[3]!, proof: f.inclusion[3]!.proof.map(flip) }] }),
      /invalid transparency proof/u,
    ],
    [
      'a forged consistency proof',
      (f) => ({ ...f, consistency: [{ ...f.consistency[2]!, proof: f.consistency[2]!.proof.map(flip) }] }),
      /invalid transparency proof/u,
    ],
    [
      'a changed checkpoint',
      (f) => ({ ...f, checkpoint: f.checkpoint.replace('70000', '70001') }),
      /invalid signature/u,
    ],
    [
      'another key',
      (f) => ({ ...f, verifierKey: printVerifierKey(signerOf(log.key.name, 0).key) }),
      /no verifiable signatures/u,
    ],
  ])('refuses %s', (_, change, reason) => {
    const { status, stderr } = runGo('verify', change(good));
    expect(stderr).toMatch(reason);
    expect(status).not.toBe(0);
  });
});

describe("our verifier on Go's log", () => {
  const produce = (size: number): LogFile => {
    const { status, stdout, stderr } = runGo('produce', {
      name: 'go.example/log',
      seed: toBase64(new Uint8Array(32).fill(12)),
      entries: entries.slice(0, size).map(toBase64),
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return JSON.parse(stdout) as LogFile;
  };

  it.each([1, 7, 300, 777])('accepts checkpoint, tiles and all proofs at %i entries', (size) => {
    const file = produce(size);
    const checkpoint = openCheckpoint(file.checkpoint, parseVerifierKey(file.verifierKey));
    const store = storeOf(entries.slice(0, size));
    expect(checkpoint.size).toBe(size);
    expect(toHex(checkpoint.root)).toBe(toHex(rootAt(store, size)));

    const tiles = Object.entries(file.tiles);
    expect(tiles.length).toBeGreaterThan(0);
    for (const [path, data] of tiles) expect(toBase64(readTile(store, parseTilePath(path), size))).toBe(data);
    const fetched = (tile: Tile): Uint8Array => fromBase64(file.tiles[printTilePath(tile)]!);
    expect(toHex(rootAt(tileReader(fetched, size), size))).toBe(toHex(checkpoint.root));

    expect(file.inclusion).toHaveLength(size);
    for (const { index, proof } of file.inclusion) {
      const hashes = proof.map(fromBase64);
      expect(verifyInclusion(hashes, index, leafHash(entries[index]!), size, checkpoint.root)).toBe(true);
      expect(proveInclusion(store, index, size)).toEqual(hashes);
    }
    expect(file.consistency).toHaveLength(size);
    for (const { oldSize, oldRoot, proof } of file.consistency) {
      const hashes = proof.map(fromBase64);
      expect(verifyConsistency(hashes, oldSize, fromBase64(oldRoot), size, checkpoint.root)).toBe(true);
      expect(proveConsistency(store, oldSize, size)).toEqual(hashes);
    }
  });

  it('round trips the entry bundles', () => {
    const bundle = printEntryBundle(entries.slice(0, 256));
    expect(parseEntryBundle(bundle, 256).map(toHex)).toEqual(entries.slice(0, 256).map(toHex));
  });
});

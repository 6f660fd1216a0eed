/**
 * Finding shares on a raw image of a medium, for instance after a quick format: files are looked for by the first line
 * of the age format, wherever they begin. Needs no file system; supposes that a file lies in one piece.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, bytesEqual, concatBytes, utf8ToBytes } from '@keepset/bytes';
import { maxShareFileBytes, openShareFile, type OpenedShare, type OpeningKey } from '@keepset/wire';
import { decodeSidecar } from './parity.ts';

/** A raw image or device, opened for reading only. */
export interface RawImage {
  readonly size: number;
  /** Up to `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Where something that begins as an age file lies. */
export interface Trace {
  readonly offset: number;
  /** Bytes from there, at most 1 MiB: the file and whatever follows it. */
  readonly bytes: Uint8Array;
}

const windowBytes = 1 << 20;
const sectorBytes = 512;
const intro = utf8ToBytes('age-encryption.org/v1\n-> ');
// The first bytes of a parity sidecar: a CBOR map of nine entries, the shortest key first.
const sidecarIntro = concatBytes(Uint8Array.of(0xa9, 0x61, 0x76, 0x01, 0x64), utf8ToBytes('size'));

/** Every offset at which `needle` begins, in order. Reads the image once, 1 MiB at a time. */
async function* offsetsOf(image: RawImage, needle: Uint8Array): AsyncGenerator<number> {
  const overlap = needle.length - 1;
  for (let start = 0; start < image.size; start += windowBytes) {
    const window = Buffer.from(await image.read(start, windowBytes + overlap));
    for (let at = window.indexOf(needle); at >= 0; at = window.indexOf(needle, at + 1))
      if (at < windowBytes) yield start + at;
  }
}

/** Everything on the image that begins as an age file, in order. */
export async function* findTraces(image: RawImage): AsyncGenerator<Trace> {
  for await (const offset of offsetsOf(image, intro))
    yield { offset, bytes: await image.read(offset, maxShareFileBytes) };
}

/** A share that was found and opened. The caller wipes `opened.share.secret`. */
export interface RescuedShare {
  readonly offset: number;
  /** The share file, cut to its length. */
  readonly file: Uint8Array;
  readonly opened: OpenedShare;
}

/**
 * Opens every share on the image that `keys` open.
 * @throws KeepsetError `input/malformed` for keys that are none; damage only means that a trace yields nothing.
 */
export async function* rescueShares(
  image: RawImage,
  keys: readonly OpeningKey[],
): AsyncGenerator<RescuedShare> {
  const known = await knownFiles(image);
  for await (const { offset, bytes } of findTraces(image)) {
    for (const length of lengthsToTry(bytes, known)) {
      const file = bytes.slice(0, length);
      const opened = await openOrNull(file, keys);
      if (opened === 'locked') break;
      if (opened === null) continue;
      yield { offset, file, opened };
      break;
    }
  }
}

const openOrNull = async (
  file: Uint8Array,
  keys: readonly OpeningKey[],
): Promise<OpenedShare | 'locked' | null> => {
  try {
    return await openShareFile(file, keys);
  } catch (error) {
    if (!(error instanceof KeepsetError) || error.code === 'input/malformed') throw error;
    // Another length does not help against a lock.
    return error.code === 'place/locked' || error.code === 'input/wrong-passphrase' ? 'locked' : null;
  }
};

interface KnownFile {
  readonly size: number;
  readonly sha256: Uint8Array;
}

/** Sizes and hashes that parity sidecars on the image remember. */
const knownFiles = async (image: RawImage): Promise<KnownFile[]> => {
  const known: KnownFile[] = [];
  for await (const offset of offsetsOf(image, sidecarIntro)) {
    const bytes = await image.read(offset, maxShareFileBytes);
    for (const end of endsOf(bytes)) {
      const sidecar = sidecarOrNull(bytes.subarray(0, end));
      if (sidecar === null) continue;
      known.push(sidecar);
      break;
    }
  }
  return known;
};

const sidecarOrNull = (bytes: Uint8Array): KnownFile | null => {
  try {
    return decodeSidecar(bytes);
  } catch {
    return null;
  }
};

/**
 * An age file does not say how long it is. Tried: what a sidecar remembers, then every sector in which it may end. The
 * rest of a file's last sector is zero on every system that wrote it, so the file ends at the last byte that is not
 * zero, or up to four zeros later.
 */
function* lengthsToTry(bytes: Uint8Array, known: readonly KnownFile[]): Generator<number> {
  for (const { size, sha256: expected } of known)
    if (size <= bytes.length && bytesEqual(sha256(bytes.subarray(0, size)), expected)) yield size;
  yield* endsOf(bytes);
}

function* endsOf(bytes: Uint8Array): Generator<number> {
  const zerosToTry = 4;
  for (let sector = 0; sector < bytes.length; sector += sectorBytes) {
    const limit = Math.min(sector + sectorBytes, bytes.length);
    let end = limit;
    while (end > sector && bytes[end - 1] === 0) end -= 1;
    for (let length = end; length <= Math.min(end + zerosToTry, limit); length++) yield length;
    // A sector of zeros only: random-looking data has none, so the file ended before it.
    if (end === sector) return;
  }
}

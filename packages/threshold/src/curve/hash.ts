/**
 * SHA-256 for the port. One-shot hashing is the library's. The oblivious-transfer layer hashes thousands of
 * messages shorter than one block, where setting a hash object up costs more than the hash: for these there is
 * a bare compression loop, tested against the library and against the platform's.
 * @spec FIPS 180-4 §6.2
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { invariant } from '@keepset/bytes';
import type { HashPort } from './port.ts';

/** First 32 bits of the fractional parts of the roots of the first primes. @spec FIPS 180-4 §4.2.2, §5.3.3 */
const fractionOfRoot = (prime: bigint, degree: 2n | 3n): number => {
  // Integer root of prime · 2^(32·degree): its low 32 bits are the fraction's first 32.
  const target = prime << (32n * degree);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= target) low = middle;
    else high = middle;
  }
  return Number(BigInt.asUintN(32, low));
};
const primes: bigint[] = [];
for (let n = 2n; primes.length < 64; n++) if (primes.every((p) => n % p !== 0n)) primes.push(n);
const roundConstants = Int32Array.from(primes, (prime) => fractionOfRoot(prime, 3n));
const initialState = Int32Array.from(primes.slice(0, 8), (prime) => fractionOfRoot(prime, 2n));

const schedule = new Int32Array(64);

/** Compresses the block whose first 16 words stand in `schedule` from the initial state into `out`. */
const compressBlock = (out: DataView, offset: number): void => {
  const w = schedule;
  const k = roundConstants;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number;
    const y = w[i - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0;
  }
  const h = initialState;
  let a = h[0] as number;
  let b = h[1] as number;
  let c = h[2] as number;
  let d = h[3] as number;
  let e = h[4] as number;
  let f = h[5] as number;
  let g = h[6] as number;
  let last = h[7] as number;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (last + s1 + ((e & f) ^ (~e & g)) + (k[i] as number) + (w[i] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    last = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  out.setInt32(offset, a + (h[0] as number));
  out.setInt32(offset + 4, b + (h[1] as number));
  out.setInt32(offset + 8, c + (h[2] as number));
  out.setInt32(offset + 12, d + (h[3] as number));
  out.setInt32(offset + 16, e + (h[4] as number));
  out.setInt32(offset + 20, f + (h[5] as number));
  out.setInt32(offset + 24, g + (h[6] as number));
  out.setInt32(offset + 28, last + (h[7] as number));
};

const sha256Each = (packed: Uint8Array, length: number, count: number): Uint8Array => {
  invariant(length >= 0 && length <= 55, 'sha256Each takes messages that fit one block');
  invariant(packed.length === length * count, 'packed messages must fill their buffer');
  const block = new Uint8Array(64);
  const words = new DataView(block.buffer);
  const digests = new Uint8Array(32 * count);
  const out = new DataView(digests.buffer);
  block[length] = 0x80;
  words.setUint32(60, 8 * length);
  for (let n = 0; n < count; n++) {
    const start = n * length;
    for (let i = 0; i < length; i++) block[i] = packed[start + i] as number;
    for (let i = 0; i < 16; i++) schedule[i] = words.getInt32(4 * i);
    compressBlock(out, 32 * n);
  }
  block.fill(0);
  schedule.fill(0);
  return digests;
};

/** The default hash. */
export const nobleHash: HashPort = { sha256: (message) => sha256(message), sha256Each };

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesEqual, fromHex, toHex, utf8ToBytes } from '@keepset/bytes';
import { encodeParity, invert, multiply, recoverData } from '../src/erasure.ts';
import { decodeSidecar, encodeSidecar, repairWith } from '../src/usb/parity.ts';
import { codeOf } from './contract.ts';

/** Product by shift and add, independent of the tables. */
const slowMultiply = (a: number, b: number): number => {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  return product;
};

describe('GF(256)', () => {
  it('multiplies like polynomials modulo 0x11d', () => {
    for (let a = 0; a < 256; a++)
      for (let b = 0; b < 256; b++) if (multiply(a, b) !== slowMultiply(a, b)) expect([a, b]).toBe('equal');
    expect(multiply(0x80, 2)).toBe(0x1d);
  });

  it('inverts every element but zero', () => {
    for (let a = 1; a < 256; a++) expect(multiply(a, invert(a))).toBe(1);
    expect(() => invert(0)).toThrow(/inverse/);
  });
});

const blocksArbitrary = (count: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array[]> =>
  count.chain((n) => fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { minLength: n, maxLength: n }));

describe('the erasure code', () => {
  // Computed by shift and add in another language: parity row j is the sum of data i over ((255 - j) xor i).
  it('keeps its vector: stored parity stays readable', () => {
    const data = ['keepset ', 'usb cont', 'ainer v1'].map((text) => utf8ToBytes(text));
    expect(encodeParity(data, 2).map(toHex)).toEqual(['3b060cf416e2482f', '684dbb9b71586223']);
  });

  it('gives everything back from any k of k + m blocks', () => {
    fc.assert(
      fc.property(
        blocksArbitrary(fc.integer({ min: 1, max: 24 })),
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(fc.nat()),
        (data, parity, chance) => {
          const all = [...data, ...encodeParity(data, parity)];
          const lost = new Set<number>();
          while (lost.size < Math.min(parity, all.length)) lost.add(Number(chance.next().value) % all.length);
          const left = all.map((block, i) => (lost.has(i) ? null : block));
          const back = recoverData(left.slice(0, data.length), left.slice(data.length));
          expect(back?.map(toHex)).toEqual(data.map(toHex));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('recovers at its limits and not beyond', () => {
    const data = Array.from({ length: 192 }, (_, i) => Uint8Array.of(i, 255 - i));
    const parity = encodeParity(data, 64);
    const holed = data.map((block, i) => (i >= 100 && i < 164 ? null : block));
    expect(recoverData(holed, parity)?.map(toHex)).toEqual(data.map(toHex));
    expect(recoverData(holed.with(0, null), parity)).toBeNull();
    expect(() => encodeParity(data, 65)).toThrow(/Too many/);
  });
});

const sample = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 131 + (i >> 8) * 7) & 0xff);

describe('the sidecar', () => {
  it.each([1, 63, 64, 65, 600, 1300, 4300, 12_288, 12_289, 100_000, 1_000_000])(
    'repairs a hole of 1,280 bytes anywhere in %i bytes',
    (length) => {
      const content = sample(length);
      const parity = decodeSidecar(encodeSidecar(content, 1));
      const step = Math.max(1, Math.floor(length / 7));
      for (let at = 0; at < length; at += step) {
        const damaged = Uint8Array.from(content);
        damaged.fill(0xee, at, at + 1280);
        expect(bytesEqual(repairWith(parity, damaged) ?? new Uint8Array(0), content), `at ${at}`).toBe(true);
      }
    },
  );

  it('repairs a slot of 15 KB, the size of an ECDSA share, with any hole of 1 KB and any byte wrong', () => {
    const content = sample(15_000);
    const parity = decodeSidecar(encodeSidecar(content, 1));
    // A hole hits 16 blocks of 64 bytes if it begins with a block, else 17: these are all sets of blocks it can hit.
    for (let at = 0; at < content.length; at += 64)
      for (const [from, length] of [
        [at, 1024],
        [at + 1, 1024],
        [at + 63, 1],
      ] as const) {
        const damaged = content.map((byte, i) => (i >= from && i < from + length ? byte ^ 0x5a : byte));
        const repaired = repairWith(parity, damaged);
        if (repaired === null || !bytesEqual(repaired, content)) expect([from, length]).toBe('repaired');
      }
  });

  it('brings a small slot back that is gone altogether, and not a large one', () => {
    const parity = decodeSidecar(encodeSidecar(sample(1200), 1));
    expect(repairWith(parity, new Uint8Array(0))).toEqual(sample(1200));
    expect(repairWith(decodeSidecar(encodeSidecar(sample(100_000), 1)), new Uint8Array(0))).toBeNull();
  });

  it('repairs truncated and overlong content', () => {
    const content = sample(4300);
    const parity = decodeSidecar(encodeSidecar(content, 1));
    expect(repairWith(parity, content.slice(0, 3100))).toEqual(content);
    expect(repairWith(parity, Uint8Array.from([...content, 1, 2, 3]))).toEqual(content);
  });

  it('is refused with any bit changed, cut or extended', async () => {
    const bytes = encodeSidecar(sample(300), 3);
    const codeFor = (changed: Uint8Array): Promise<string> => codeOf((async () => decodeSidecar(changed))());
    for (let i = 0; i < bytes.length; i++)
      expect(await codeFor(bytes.with(i, bytes[i]! ^ 4)), `byte ${i}`).toBe('place/damaged');
    expect(await codeFor(bytes.slice(0, -1))).toBe('place/damaged');
    expect(await codeFor(Uint8Array.from([...bytes, 0]))).toBe('place/damaged');
    expect(await codeFor(new Uint8Array(0))).toBe('place/damaged');
    expect(await codeFor(fromHex('a0'))).toBe('place/damaged');
  });
});

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { samples } from './samples.ts';

const folder = new URL('fixtures/', import.meta.url);
const frozen = (name: string): Uint8Array =>
  Uint8Array.from(readFileSync(new URL(`${name}.v1.cbor`, folder)));

describe('messages of version 1, frozen', () => {
  it.each(samples)('$name is still written so', ({ name, encode }) => {
    expect(Buffer.from(encode()).toString('hex')).toBe(Buffer.from(frozen(name)).toString('hex'));
  });

  it.each(samples)('$name is still read so', ({ name, value, decode }) => {
    expect(decode(frozen(name))).toEqual(value);
  });

  it('has a sample for each file', () => {
    const files = readdirSync(folder).filter((file) => file.endsWith('.cbor'));
    expect(files.toSorted()).toEqual(samples.map(({ name }) => `${name}.v1.cbor`).toSorted());
  });
});

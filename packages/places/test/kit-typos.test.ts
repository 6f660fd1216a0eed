import { describe, expect, it } from 'vitest';
import { generateIdentity } from 'age-encryption';
import { chanceFrom } from './fat/device.ts';
import { checkTypedCode } from '../src/index.ts';

const charset = 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L';
const identities = await Promise.all(Array.from({ length: 20 }, () => generateIdentity()));
const [identity] = identities as [string];
const start = 16;
const replaceAt = (text: string, at: number, by: string): string =>
  text.slice(0, at) + by + text.slice(at + 1);
const otherChar = (char: string): string => charset[(charset.indexOf(char) + 7) % 32]!;
const break_ = (text: string, ...positions: number[]): string =>
  positions.reduce((broken, position) => {
    const at = start + position - 1;
    return replaceAt(broken, at, otherChar(broken[at]!));
  }, text);

describe('a typed code', () => {
  it('is accepted in any case and grouping', () => {
    for (const code of identities) {
      expect(checkTypedCode(code)).toEqual({ status: 'ok', identity: code });
      const grouped = ` ${code.toLowerCase().replaceAll(/(.{4})/g, '$1 ')}\n`;
      expect(checkTypedCode(grouped)).toEqual({ status: 'ok', identity: code });
    }
  });

  it('with one wrong character is located, wherever it is', () => {
    for (let position = 1; position <= 58; position++)
      for (const code of identities.slice(0, 4))
        expect(checkTypedCode(break_(code, position))).toEqual({
          status: 'typo',
          reason: 'checksum',
          positions: [position],
        });
  });

  it('with two wrong characters is located, wherever they are', () => {
    for (let one = 1; one <= 58; one += 3)
      for (let two = one + 1; two <= 58; two += 5)
        expect(checkTypedCode(break_(identity, one, two))).toEqual({
          status: 'typo',
          reason: 'checksum',
          positions: [one, two],
        });
  });

  it('with two neighbours swapped is located', () => {
    for (let position = 1; position < 58; position++) {
      const at = start + position - 1;
      const [a, b] = [identity[at]!, identity[at + 1]!];
      if (a === b) continue;
      const swapped = replaceAt(replaceAt(identity, at, b), at + 1, a);
      expect(checkTypedCode(swapped)).toMatchObject({ status: 'typo', positions: [position, position + 1] });
    }
  });

  it('with one to four wrong characters is never accepted: 20,000 tries', () => {
    const chance = chanceFrom(7);
    const number = (below: number): number => {
      let value = 0;
      for (let bit = 0; bit < 12; bit++) value = value * 2 + Number(chance());
      return value % below;
    };
    for (let n = 0; n < 20_000; n++) {
      let code = identities[n % identities.length]!;
      for (let errors = 1 + (n % 4); errors > 0; errors--) {
        const at = start + number(58);
        code = replaceAt(code, at, charset[number(32)]!);
      }
      if (!identities.includes(code) && checkTypedCode(code).status === 'ok') expect(code).toBe('refused');
    }
  });

  it('with a character missing or too many is located', () => {
    for (let position = 1; position <= 58; position++) {
      const at = start + position - 1;
      const missing = checkTypedCode(identity.slice(0, at) + identity.slice(at + 1));
      expect(missing).toMatchObject({ status: 'typo', reason: 'missing' });
      if (missing.status === 'typo') expect(missing.positions).toContain(position);
      const extra = checkTypedCode(`${identity.slice(0, at)}Q${identity.slice(at)}`);
      expect(extra).toMatchObject({ status: 'typo', reason: 'superfluous' });
      if (extra.status === 'typo') expect(extra.positions).toContain(position);
    }
  });

  it('with characters that the code never has is located: B, I, O, 1 and others', () => {
    for (const char of ['B', 'I', 'O', '1', '-', 'Ä', '🐎'])
      expect(checkTypedCode(replaceAt(identity, start + 4, char))).toMatchObject({
        status: 'typo',
        reason: 'characters',
        positions: [5],
      });
  });

  it('of quite another form is refused', () => {
    expect(checkTypedCode('')).toMatchObject({ reason: 'prefix' });
    expect(checkTypedCode('age1qqqq')).toMatchObject({ reason: 'prefix' });
    expect(checkTypedCode('AGE-SECRET-KEY-1')).toMatchObject({ reason: 'length' });
    expect(checkTypedCode(identity.repeat(3).replaceAll('-', ''))).toMatchObject({ reason: 'prefix' });
    expect(checkTypedCode(break_(identity, 1, 9, 20, 33, 50))).toMatchObject({ status: 'typo' });
  });
});

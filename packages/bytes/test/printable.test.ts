import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../src/index.ts';

/** Reads the escapes back. */
const unescape = (text: string): string =>
  text.replaceAll(/\\u\{([0-9a-f]+)\}/g, (_found, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  );

describe('printable', () => {
  it.each(['', 'Signed.', 'Grüße, мир, 世界, e\u0301', 'a\\b \\u', '100 % <b> "x" \u{1f511}'])(
    'leaves %j as it is',
    (text) => {
      expect(printable(text)).toBe(text);
    },
  );

  it.each([
    ['a line break', 'a\nb', 'a\\u{a}b'],
    ['a carriage return, which overwrites the line', 'bad\rgood', 'bad\\u{d}good'],
    ['a terminal escape', '\u001b[2J', '\\u{1b}[2J'],
    ['an eight-bit escape', '\u009b2J', '\\u{9b}2J'],
    ['a bell', '\u0007', '\\u{7}'],
    ['a delete', '\u007f', '\\u{7f}'],
    ['a null', '\u0000', '\\u{0}'],
    ['text turned around', 'a\u202eb', 'a\\u{202e}b'],
    ['an isolate', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
    ['a zero-width space', 'a\u200bb', 'a\\u{200b}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['a no-break space', 'a\u00a0b', 'a\\u{a0}b'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['a blank that is no space', '\u3164\u2800', '\\u{3164}\\u{2800}'],
    ['a tag character', '\u{e0041}', '\\u{e0041}'],
    ['a private character', '\ue000', '\\u{e000}'],
    ['half a character', 'a\ud800', 'a\\u{d800}'],
    ['a mark without a letter', '\u0301a', '\\u{301}a'],
    ['a heap of marks', `a${'\u0301'.repeat(5)}`, `a${'\u0301'.repeat(3)}\\u{301}\\u{301}`],
    ['an escape that somebody wrote', '\\u{41}', '\\u{5c}u{41}'],
  ])('shows %s', (_name, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('shows every text on one line, without a control, and no two texts alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(unescape(shown)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});

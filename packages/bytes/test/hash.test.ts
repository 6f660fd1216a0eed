import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeCbor, hashValue } from '../src/index.ts';
import { canonicalText, cborValue, codeOf, hex } from './support.ts';

it('is SHA-256 over one length byte, the label and the canonical encoding', () => {
  // {"a": 1} is a1 61 61 01.
  const expected = createHash('sha256')
    .update(Buffer.from('01 78 a1 61 61 01'.replaceAll(' ', ''), 'hex'))
    .digest('hex');
  expect(hex(hashValue('x', { a: 1 }))).toBe(expected);
});

it('differs whenever label or value differ', () => {
  const shortText = canonicalText.filter((label) => Buffer.byteLength(label) <= 255);
  fc.assert(
    fc.property(shortText, cborValue, shortText, cborValue, (labelA, a, labelB, b) => {
      const same = labelA === labelB && hex(encodeCbor(a)) === hex(encodeCbor(b));
      expect(hex(hashValue(labelA, a)) === hex(hashValue(labelB, b))).toBe(same);
    }),
  );
});

it('keeps label and value apart', () => {
  // Without the length byte both would hash 61 62 …: the label "ab" and the label "a" before the text "b…".
  expect(hex(hashValue('ab', 'c'))).not.toBe(hex(hashValue('a', 'bc')));
  expect(hex(hashValue('', 'a'))).not.toBe(hex(hashValue('a', '')));
});

it('does not depend on the order in which properties were set, nor on undefined ones', () => {
  expect(hex(hashValue('x', { a: 1, bb: 2, c: undefined }))).toBe(hex(hashValue('x', { bb: 2, a: 1 })));
});

it('refuses what has no unique encoding, and a label too long for its length byte', () => {
  expect(codeOf(() => hashValue('x', '\ud800'))).toBe('bug/invariant');
  expect(codeOf(() => hashValue('x'.repeat(255), 1))).toBe('ok');
  expect(codeOf(() => hashValue('x'.repeat(256), 1))).toBe('bug/invariant');
});

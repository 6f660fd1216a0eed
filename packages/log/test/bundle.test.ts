import { readFileSync } from 'node:fs';
import { toBase64 } from '@keepset/bytes';
import { describe, expect, it } from 'vitest';
import {
  MAX_EXTRA_LENGTH,
  isEntryOf,
  parseProofBundle,
  parseVerifierKey,
  printProofBundle,
  proveInclusion,
  readEntry,
  rootAt,
  signCheckpoint,
  verifyProofBundle,
  type ProofBundle,
} from '@keepset/log';
import { entriesUpTo, expectCode, flipBit, storeOf, signerOf } from './support.ts';

const SIZE = 21;
const entries = entriesUpTo(SIZE);
const store = storeOf(entries);
const log = signerOf('keepset.example/log', 3);
const checkpoint = signCheckpoint({ size: SIZE, root: rootAt(store, SIZE) }, log);
const bundleOf = (index: number): ProofBundle => ({
  index,
  proof: proveInclusion(store, index, SIZE),
  checkpoint,
});

describe('the example of spec/log.md', () => {
  const page = readFileSync(new URL('../../../spec/log.md', import.meta.url), 'utf8');

  it('verifies, and is the entry it says', () => {
    const text = /```\n(c2sp\.org\/tlog-proof@v1\n.*?)```/su.exec(page)?.[1] ?? '';
    const key = parseVerifierKey(/`(keepset\.example\/log\+\S+)`/u.exec(page)?.[1] ?? '');
    const bundle = parseProofBundle(text);
    const proven = verifyProofBundle(bundle, bundle.extra!, key);
    expect(proven.checkpoint.size).toBe(3);
    const entry = readEntry(bundle.extra!);
    expect(entry.seq).toBe(proven.index);
    expect(isEntryOf(entry, { tenant: 'acme', key: 'k7q2' }, new Uint8Array(32).fill(2))).toBe(true);
    expect(printProofBundle(bundle)).toBe(text);
  });
});

describe('proof files', () => {
  it('has the form of the specification', () => {
    const { proof } = bundleOf(20);
    expect(printProofBundle({ ...bundleOf(20), extra: entries[20]! })).toBe(
      `c2sp.org/tlog-proof@v1\nextra ${toBase64(entries[20]!)}\nindex 20\n${proof
        .map((hash) => `${toBase64(hash)}\n`)
        .join('')}\n${checkpoint}`,
    );
  });

  it('proves every entry, with the entry in the file or beside it', () => {
    entries.forEach((entry, index) => {
      const read = parseProofBundle(printProofBundle({ ...bundleOf(index), extra: entry }));
      expect(read).toEqual({ ...bundleOf(index), extra: entry });
      const proven = verifyProofBundle(read, read.extra!, log.key);
      expect(proven.index).toBe(index);
      expect(proven.checkpoint.size).toBe(SIZE);
      expect(parseProofBundle(printProofBundle(bundleOf(index)))).toEqual(bundleOf(index));
    });
  });

  it('proves the only entry of a log, without hashes', () => {
    const single = signCheckpoint({ size: 1, root: rootAt(store, 1) }, log);
    const text = printProofBundle({ index: 0, proof: [], checkpoint: single });
    expect(text.startsWith('c2sp.org/tlog-proof@v1\nindex 0\n\nkeepset.example/log\n1\n')).toBe(true);
    expect(verifyProofBundle(parseProofBundle(text), entries[0]!, log.key).index).toBe(0);
  });

  it('refuses another entry, index, hash, checkpoint or log', () => {
    const good = bundleOf(13);
    const bad = (bundle: ProofBundle, entry = entries[13]!): void => {
      const error = expectCode(() => verifyProofBundle(bundle, entry, log.key), 'abort/bad-proof');
      expect(error.retry).toBe('never');
    };
    bad(good, entries[12]);
    bad(good, new Uint8Array(0));
    for (let index = 0; index < SIZE + 3; index += 1) if (index !== 13) bad({ ...good, index });
    good.proof.forEach((hash, at) => {
      bad({ ...good, proof: good.proof.with(at, flipBit(hash, 77)) });
      bad({ ...good, proof: good.proof.toSpliced(at, 1) });
    });
    const older = signCheckpoint({ size: SIZE - 1, root: rootAt(store, SIZE - 1) }, log);
    bad({ ...good, checkpoint: older });
    const other = signerOf('keepset.example/log', 5);
    expectCode(() => verifyProofBundle(good, entries[13]!, other.key), 'abort/bad-signature');
  });

  const good = printProofBundle(bundleOf(13));
  const hash = toBase64(bundleOf(13).proof[0]!);
  it.each([
    ['nothing', ''],
    ['no header', good.slice(good.indexOf('\n') + 1)],
    ['another version', good.replace('@v1', '@v2')],
    ['no checkpoint', good.slice(0, good.indexOf('\n\n') + 1)],
    ['no index', good.replace('index 13\n', '')],
    ['a leading zero', good.replace('index 13', 'index 013')],
    ['a negative index', good.replace('index 13', 'index -1')],
    ['an index over 2^53 − 1', good.replace('index 13', 'index 9007199254740992')],
    ['two indexes', good.replace('index 13', 'index 13\nindex 13')],
    ['extra after index', good.replace('index 13', 'index 13\nextra AAAA')],
    ['extra twice', good.replace('index', 'extra AAAA\nextra AAAA\nindex')],
    ['empty extra', good.replace('index', 'extra \nindex')],
    ['extra that is not base64', good.replace('index', 'extra A\nindex')],
    ['a short hash', good.replace(hash, toBase64(new Uint8Array(31)))],
    ['a hash that is not base64', good.replace(hash, hash.replace('=', '!'))],
    ['a hash with a space', good.replace(hash, `${hash} `)],
    ['more hashes than any tree has', good.replace(hash, `${hash}\n`.repeat(64) + hash)],
    ['line breaks of Windows', good.replaceAll('\n', '\r\n')],
  ])('refuses %s', (_, text) => {
    expectCode(() => parseProofBundle(text), 'wire/malformed');
  });

  it('refuses what is too large', () => {
    const extra = (length: number): string =>
      good.replace('index', `extra ${toBase64(new Uint8Array(length))}\nindex`);
    expect(parseProofBundle(extra(MAX_EXTRA_LENGTH)).extra).toHaveLength(MAX_EXTRA_LENGTH);
    expectCode(() => parseProofBundle(extra(MAX_EXTRA_LENGTH + 1)), 'wire/too-large');
    expectCode(() => parseProofBundle(good + 'x'.repeat(1_000_000)), 'wire/too-large');
  });

  it('leaves a damaged checkpoint to the verification', () => {
    const cut = parseProofBundle(good.slice(0, -10));
    expectCode(() => verifyProofBundle(cut, entries[13]!, log.key), 'wire/malformed');
    expectCode(() => verifyProofBundle({ ...cut, checkpoint: '' }, entries[13]!, log.key), 'wire/malformed');
  });

  it('refuses to print what no reader would take', () => {
    const parts = bundleOf(13);
    const proof = Array.from({ length: 65 }, () => parts.proof[0]!);
    for (const wrong of [
      { ...parts, index: -1 },
      { ...parts, proof },
      { ...parts, proof: [new Uint8Array(31)] },
      { ...parts, extra: new Uint8Array(0) },
      { ...parts, extra: new Uint8Array(MAX_EXTRA_LENGTH + 1) },
      { ...parts, checkpoint: 'x'.repeat(300_000) },
    ])
      expectCode(() => printProofBundle(wrong), 'input/invalid-argument');
  });
});

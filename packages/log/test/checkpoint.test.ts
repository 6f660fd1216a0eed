import { toBase64 } from '@keepset/bytes';
import { describe, expect, it } from 'vitest';
import {
  emptyRoot,
  openCheckpoint,
  parseCheckpoint,
  proveConsistency,
  rootAt,
  signCheckpoint,
  signNote,
  verifyGrowth,
  type Pin,
} from '@keepset/log';
import { entriesUpTo, expectCode, flipBit, storeOf, signerOf } from './support.ts';

const log = signerOf('keepset.example/log', 3);
const witness = signerOf('witness.example', 4);
const root = rootAt(storeOf(entriesUpTo(9)), 9);

describe('checkpoints', () => {
  it('reads the example of the specification', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
    const checkpoint = parseCheckpoint(text);
    expect(checkpoint.origin).toBe('example.com/behind-the-sofa');
    expect(checkpoint.size).toBe(20_852_163);
    expect(toBase64(checkpoint.root)).toBe('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=');
    expect(checkpoint.extensions).toEqual([]);
  });

  it('signs and opens, with and without a witness', () => {
    const alone = openCheckpoint(signCheckpoint({ size: 9, root }, log), log.key);
    expect(alone).toEqual({ origin: log.key.name, size: 9, root, extensions: [], cosigners: [] });
    const both = signCheckpoint({ size: 9, root }, log, [witness]);
    expect(openCheckpoint(both, log.key).cosigners).toEqual([]);
    expect(openCheckpoint(both, log.key, [witness.key]).cosigners).toEqual([witness.key]);
    expect(openCheckpoint(signCheckpoint({ size: 0, root: emptyRoot() }, log), log.key).size).toBe(0);
  });

  it('needs the signature of the log itself, under its own name', () => {
    const text = `${log.key.name}\n9\n${toBase64(root)}\n`;
    expectCode(
      () => openCheckpoint(signNote(text, [witness]), log.key, [witness.key]),
      'abort/bad-signature',
    );
    expectCode(() => openCheckpoint(signNote(text, [witness]), log.key), 'abort/bad-signature');
    const foreign = `other.example/log\n9\n${toBase64(root)}\n`;
    expectCode(() => openCheckpoint(signNote(foreign, [log]), log.key), 'abort/bad-signature');
  });

  it('keeps extension lines', () => {
    const text = `${log.key.name}\n9\n${toBase64(root)}\none\ntwo\n`;
    expect(openCheckpoint(signNote(text, [log]), log.key).extensions).toEqual(['one', 'two']);
  });

  const hash = toBase64(root);
  it.each([
    ['nothing', ''],
    ['only an origin', 'o\n'],
    ['no root', 'o\n9\n'],
    ['an empty origin', `\n9\n${hash}\n`],
    ['no final line break', `o\n9\n${hash}`],
    ['an empty line', `o\n9\n${hash}\n\n`],
    ['an empty line among extensions', `o\n9\n${hash}\none\n\ntwo\n`],
    ['a leading zero', `o\n09\n${hash}\n`],
    ['a sign', `o\n+9\n${hash}\n`],
    ['a negative size', `o\n-9\n${hash}\n`],
    ['a fraction', `o\n9.0\n${hash}\n`],
    ['an exponent', `o\n9e1\n${hash}\n`],
    ['hex', `o\n0x9\n${hash}\n`],
    ['a space after the size', `o\n9 \n${hash}\n`],
    ['Arabic digits', `o\n٩\n${hash}\n`],
    ['a size over 2^53 − 1', `o\n9007199254740992\n${hash}\n`],
    ['a root without padding', `o\n9\n${hash.replace('=', '')}\n`],
    ['a root of 31 bytes', `o\n9\n${toBase64(root.slice(1))}\n`],
    ['a root of 33 bytes', `o\n9\n${toBase64(Uint8Array.of(...root, 0))}\n`],
    ['a root with stray bits', `o\n9\n${hash.slice(0, 42)}${hash[42] === 'B' ? 'C' : 'B'}=\n`],
    ['a root in hex', `o\n9\n${'ab'.repeat(32)}\n`],
    ['an empty log with a root', `o\n0\n${hash}\n`],
  ])('refuses %s', (_, text) => {
    expectCode(() => parseCheckpoint(text), 'wire/malformed');
  });

  it('refuses a malformed checkpoint that the log did sign', () => {
    expectCode(() => openCheckpoint(signNote(`${log.key.name}\n`, [log]), log.key), 'wire/malformed');
  });

  it('refuses to sign what is no tree head', () => {
    expectCode(() => signCheckpoint({ size: -1, root }, log), 'input/invalid-argument');
    expectCode(() => signCheckpoint({ size: 9, root: root.slice(1) }, log), 'input/invalid-argument');
    expectCode(() => signCheckpoint({ size: 0, root }, log), 'input/invalid-argument');
  });
});

describe("the device's rule", () => {
  const SIZE = 40;
  const store = storeOf(entriesUpTo(SIZE));
  const forked = storeOf(entriesUpTo(SIZE).with(5, Uint8Array.of(1)));
  const head = (size: number, of = store): Pin => ({ size, root: rootAt(of, size) });

  it('follows every honest growth', () => {
    for (let size = 0; size <= SIZE; size += 1) {
      expect(verifyGrowth(undefined, head(size), [])).toEqual(head(size));
      for (let old = 0; old <= size; old += 1)
        expect(verifyGrowth(head(old), head(size), proveConsistency(store, old, size))).toEqual(head(size));
    }
  });

  it('refuses every smaller size as a rollback', () => {
    for (let old = 1; old <= SIZE; old += 1)
      for (let size = 0; size < old; size += 1) {
        const error = expectCode(() => verifyGrowth(head(old), head(size), []), 'store/rollback');
        expect(error.retry).toBe('never');
      }
  });

  it('refuses another root at the same size', () => {
    for (const size of [6, 17, SIZE]) {
      const error = expectCode(
        () => verifyGrowth(head(size), head(size, forked), []),
        'abort/transcript-mismatch',
      );
      expect(error.retry).toBe('never');
    }
  });

  it("refuses a fork that has grown, with its own proof and with the honest log's", () => {
    for (let old = 6; old < SIZE; old += 1)
      for (const prover of [store, forked])
        expectCode(
          () => verifyGrowth(head(old), head(SIZE, forked), proveConsistency(prover, old, SIZE)),
          'abort/transcript-mismatch',
        );
  });

  it('refuses missing, surplus and changed hashes', () => {
    const proof = proveConsistency(store, 13, SIZE);
    for (const wrong of [
      [],
      proof.slice(1),
      proof.slice(0, -1),
      [...proof, root],
      proof.with(0, flipBit(proof[0]!, 0)),
      proof.with(0, new Uint8Array(0)),
    ])
      expectCode(() => verifyGrowth(head(13), head(SIZE), wrong), 'abort/transcript-mismatch');
    expectCode(() => verifyGrowth(undefined, head(SIZE), [root]), 'abort/transcript-mismatch');
    expectCode(() => verifyGrowth(head(0), head(SIZE), [root]), 'abort/transcript-mismatch');
    expectCode(() => verifyGrowth(head(SIZE), head(SIZE), [root]), 'abort/transcript-mismatch');
  });
});

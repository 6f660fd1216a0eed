import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { nobleHash } from '../../src/curve/hash.ts';
import { bitAt, selectBytes, transposeToRows, wordsOf, bytesOfWords } from '../../src/ecdsa/bits.ts';
import { hashBits, hashColumns, hashWeights } from '../../src/ecdsa/galois.ts';
import { answerBaseOts, finishBaseOts, requestBaseOts } from '../../src/ecdsa/ot-base.ts';
import {
  extendAsReceiver,
  extendAsSender,
  hashRows,
  type ExtensionMessage,
  type ExtensionReceiver,
  type ExtensionSender,
} from '../../src/ecdsa/ot-extension.ts';
import { buildTrees, evaluateTrees } from '../../src/ecdsa/puncture.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';
import { seededRng } from './network.ts';
import { transparentSuite } from './transparent.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

describe('bits', () => {
  it('transposes 128 columns to rows of 128 bits', () => {
    const random = seededRng('transpose');
    for (const rows of [32, 256, 544]) {
      const columns = random((128 * rows) / 8);
      const out = bytesOfWords(transposeToRows(wordsOf(columns), rows));
      for (let row = 0; row < rows; row += 7)
        for (let column = 0; column < 128; column++)
          expect(bitAt(out, 128 * row + column)).toBe(bitAt(columns, rows * column + row));
    }
  });

  it('selects by a bit and turns bytes to words and back', () => {
    fc.assert(
      fc.property(bytes(16), bytes(16), (a, b) => {
        expect(selectBytes(0, a, b)).toEqual(a);
        expect(selectBytes(1, a, b)).toEqual(b);
        expect(bytesOfWords(wordsOf(a))).toEqual(a);
      }),
    );
  });
});

/** Schoolbook GF(2^128). */
const multiply = (a: bigint, b: bigint): bigint => {
  let product = 0n;
  for (let i = 0n; i < 128n; i++) if ((b >> i) & 1n) product ^= a << i;
  for (let i = 254n; i >= 128n; i--) if ((product >> i) & 1n) product ^= ((1n << 128n) | 0x87n) << (i - 128n);
  return product;
};
const element = (value: Uint8Array): bigint =>
  value.toReversed().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

describe('the universal hash', () => {
  it('sums blocks times challenges in GF(2^128), the last block cut short', () => {
    fc.assert(
      fc.property(bytes(64), bytes(52), (challenges, bits) => {
        const expected = [0, 1, 2, 3].reduce(
          (sum, i) =>
            sum ^
            multiply(
              element(challenges.slice(16 * i, 16 * i + 16)),
              element(bits.slice(16 * i, Math.min(16 * i + 16, 52))),
            ),
          0n,
        );
        const weights = hashWeights(wordsOf(challenges), 416);
        expect(element(bytesOfWords(hashBits(weights, bits)))).toBe(expected);
      }),
      { numRuns: 20 },
    );
  });

  it('hashes all columns of a matrix as it hashes each', () => {
    const random = seededRng('columns');
    const columns = random((128 * 416) / 8);
    const weights = hashWeights(wordsOf(random(64)), 416);
    const rows = transposeToRows(wordsOf(columns), 416);
    const hashed = bytesOfWords(hashColumns(weights, rows));
    for (let column = 0; column < 128; column += 5) {
      const single = bytesOfWords(hashBits(weights, columns.slice(52 * column, 52 * column + 52)));
      for (let p = 0; p < 128; p++) expect(bitAt(hashed, 128 * p + column)).toBe(bitAt(single, p));
    }
  });
});

describe.each([
  { suite: ecdsaSecp256k1Suite, name: 'secp256k1', count: 8 },
  { suite: ecdsaP256Suite, name: 'P-256', count: 8 },
  { suite: transparentSuite, name: 'the transparent group', count: 300 },
])('base OT on $name', ({ suite, count }) => {
  const random = seededRng('base ot');
  const setting = { ...suite, count };
  const tag = random(32);
  const keyTag = random(32);
  const choices = random(Math.ceil(count / 8));
  const request = requestBaseOts(setting, tag, choices, random);
  const answer = answerBaseOts(setting, tag, keyTag, request.message, random)!;
  const chosen = (seeds: Uint8Array, i: number): Uint8Array => seeds.slice(16 * i, 16 * i + 16);

  it('gives the receiver the seed it chose and not the other', () => {
    const seeds = finishBaseOts(setting, keyTag, request, answer.message)!;
    const all = new Set<string>();
    for (let i = 0; i < count; i++) {
      expect(chosen(seeds, i)).toEqual(chosen(answer.pairs, 2 * i + bitAt(choices, i)));
      expect(chosen(seeds, i)).not.toEqual(chosen(answer.pairs, 2 * i + 1 - bitAt(choices, i)));
      all.add(String(chosen(answer.pairs, 2 * i)));
      all.add(String(chosen(answer.pairs, 2 * i + 1)));
    }
    expect(all.size).toBe(2 * count);
  });

  it('gives other seeds under another tag', () => {
    const seeds = finishBaseOts(setting, random(32), request, answer.message)!;
    expect(chosen(seeds, 0)).not.toEqual(chosen(answer.pairs, bitAt(choices, 0)));
    const other = answerBaseOts(setting, random(32), keyTag, request.message, seededRng('same'))!;
    const same = answerBaseOts(setting, tag, keyTag, request.message, seededRng('same'))!;
    expect(other.pairs).not.toEqual(same.pairs);
  });

  it('refuses points that are none, in either place of either message', () => {
    const size = suite.curve.pointBytes;
    for (let place = 0; place < 4; place++) {
      const spoil = (message: Uint8Array): Uint8Array => {
        const copy = message.slice();
        copy.fill(0, place * size, (place + 1) * size);
        return copy;
      };
      expect(answerBaseOts(setting, tag, keyTag, spoil(request.message), random)).toBeUndefined();
      expect(finishBaseOts(setting, keyTag, request, spoil(answer.message))).toBeUndefined();
    }
  });
});

describe('base OT against a receiver that knows too much', () => {
  it('refuses a request whose masked point is the identity', () => {
    const { curve } = transparentSuite;
    const setting = { ...transparentSuite, count: 1 };
    const tag = new Uint8Array(32);
    const random = seededRng('identity');
    const honest = requestBaseOts(setting, tag, Uint8Array.of(0), random);
    // r_0 = a·G − H(r_1): take a·G away again.
    const own = curve.decodePoint(honest.message.subarray(0, 33))!;
    const spoiled = curve.subtract(own, curve.multiplyGenerator(honest.exponents[0]!));
    const message = Uint8Array.of(...curve.encodePoint(spoiled), ...honest.message.subarray(33));
    expect(answerBaseOts(setting, tag, tag, message, random)).toBeUndefined();
  });

  it('gives other seeds in each OT, even if all of them are asked for with the same points', () => {
    const setting = { ...transparentSuite, count: 16 };
    const tag = new Uint8Array(32);
    const { message } = requestBaseOts({ ...setting, count: 1 }, tag, Uint8Array.of(0), seededRng('one'));
    const request = Uint8Array.of(...Array.from({ length: 16 }, () => [...message]).flat());
    // A sender so unlucky that its own randomness repeats as well: the number of the OT alone must do.
    const stuck = (length: number): Uint8Array => new Uint8Array(length).fill(5);
    for (const random of [seededRng('sender'), stuck]) {
      const { pairs } = answerBaseOts(setting, tag, tag, request, random)!;
      const seeds = Array.from({ length: 32 }, (_, i) => String(pairs.subarray(16 * i, 16 * i + 16)));
      expect(new Set(seeds).size).toBe(32);
    }
  });
});

/** Base OTs as an ideal dealer would deal them. */
const dealt = (seed: string): { pairs: Uint8Array; choices: Uint8Array; seeds: Uint8Array } => {
  const random = seededRng(seed);
  const pairs = random(128 * 32);
  const choices = random(16);
  const seeds = new Uint8Array(128 * 16);
  for (let i = 0; i < 128; i++) {
    const start = 32 * i + 16 * bitAt(choices, i);
    seeds.set(pairs.subarray(start, start + 16), 16 * i);
  }
  return { pairs, choices, seeds };
};

describe('all-but-one OT', () => {
  const tag = new Uint8Array(32).fill(7);
  const leafAt = (leaves: Uint8Array, index: number): Uint8Array => leaves.slice(16 * index, 16 * index + 16);

  it('gives all leaves but the one at Δ', () => {
    for (let n = 0; n < 5; n++) {
      const { pairs, choices, seeds } = dealt(`trees ${n}`);
      const built = buildTrees(nobleHash, tag, pairs);
      const known = evaluateTrees(nobleHash, tag, choices, seeds, built.message)!;
      for (let tree = 0; tree < 64; tree++) {
        const missing = (1 - bitAt(choices, 2 * tree)) | ((1 - bitAt(choices, 2 * tree + 1)) << 1);
        for (let distance = 1; distance < 4; distance++)
          expect(leafAt(known, 3 * tree + distance - 1)).toEqual(
            leafAt(built.leaves, 4 * tree + (missing ^ distance)),
          );
        for (let i = 0; i < 3; i++)
          expect(leafAt(known, 3 * tree + i)).not.toEqual(leafAt(built.leaves, 4 * tree + missing));
      }
    }
  });

  it('finds every wrong correction, sum and digest that touches what the evaluator uses', () => {
    const { pairs, choices, seeds } = dealt('wrong trees');
    const { message } = buildTrees(nobleHash, tag, pairs);
    let caught = 0;
    for (let tree = 0; tree < 64; tree++) {
      const corrections = message.corrections.slice();
      corrections[32 * tree]! ^= 1;
      if (evaluateTrees(nobleHash, tag, choices, seeds, { ...message, corrections }) === undefined)
        caught += 1;
      const sums = message.sums.slice();
      sums[32 * tree + 5]! ^= 128;
      expect(evaluateTrees(nobleHash, tag, choices, seeds, { ...message, sums })).toBeUndefined();
      const digests = message.digests.slice();
      digests[32 * tree + 31]! ^= 2;
      expect(evaluateTrees(nobleHash, tag, choices, seeds, { ...message, digests })).toBeUndefined();
    }
    // A wrong t_0 is met only by an evaluator that chose side 0: that is one guessed bit, and it passes half the time.
    expect(caught).toBeGreaterThan(15);
    expect(caught).toBeLessThan(49);
    expect(evaluateTrees(nobleHash, new Uint8Array(32), choices, seeds, message)).toBeUndefined();
  });
});

describe('OT extension', () => {
  const count = 416;
  let receiver: ExtensionReceiver;
  let sender: ExtensionSender;
  const random = seededRng('extension');
  beforeAll(() => {
    const { pairs, choices, seeds } = dealt('extension');
    const tag = random(32);
    const built = buildTrees(nobleHash, tag, pairs);
    receiver = { leaves: built.leaves };
    sender = {
      delta: choices.map((byte) => ~byte),
      leaves: evaluateTrees(nobleHash, tag, choices, seeds, built.message)!,
    };
  });
  const extend = (choices: Uint8Array, nonce: Uint8Array): ReturnType<typeof extendAsReceiver> =>
    extendAsReceiver(nobleHash, receiver, nonce, choices, random(16));

  it.each([128, 416])('gives %i rows that differ by Δ exactly where the choice is 1', (size) => {
    const choices = random(size / 8);
    const nonce = random(32);
    const { message, rows } = extend(choices, nonce);
    const theirs = extendAsSender(nobleHash, sender, nonce, size, message)!;
    const delta = wordsOf(sender.delta);
    for (let j = 0; j < size; j++)
      for (let i = 0; i < 4; i++)
        expect(theirs[4 * j + i]).toBe(rows[4 * j + i]! ^ (bitAt(choices, j) === 1 ? delta[i]! : 0));
  });

  it('gives both the message the receiver chose', () => {
    const choices = random(count / 8);
    const nonce = random(32);
    const batch = random(32);
    const { message, rows } = extend(choices, nonce);
    const theirs = extendAsSender(nobleHash, sender, nonce, count, message)!;
    const chosen = hashRows(nobleHash, batch, rows, new Int32Array(4), 3);
    const messages = [new Int32Array(4), wordsOf(sender.delta)].map((offset) =>
      hashRows(nobleHash, batch, theirs, offset, 3),
    );
    for (let j = 0; j < count; j++) {
      const row = (all: Uint8Array): Uint8Array => all.slice(96 * j, 96 * j + 96);
      expect(row(chosen)).toEqual(row(messages[bitAt(choices, j)]!));
      expect(row(chosen)).not.toEqual(row(messages[1 - bitAt(choices, j)]!));
    }
    const elsewhere = hashRows(nobleHash, random(32), rows, new Int32Array(4), 3);
    expect(elsewhere.subarray(0, 32)).not.toEqual(chosen.subarray(0, 32));
    // Equal rows at different numbers hash apart.
    const equal = hashRows(nobleHash, batch, new Int32Array(8), new Int32Array(4), 2);
    const blocks = [0, 1, 2, 3].map((i) => String(equal.subarray(32 * i, 32 * i + 32)));
    expect(new Set(blocks).size).toBe(4);
  });

  it('fails the check under another nonce', () => {
    const { message } = extend(random(count / 8), random(32));
    expect(extendAsSender(nobleHash, sender, random(32), count, message)).toBeUndefined();
  });

  it('fails the check for a wrong x̃ or t̃, whatever the bit', () => {
    const nonce = random(32);
    const { message } = extend(random(count / 8), nonce);
    const check = (change: Partial<ExtensionMessage>): unknown =>
      extendAsSender(nobleHash, sender, nonce, count, { ...message, ...change });
    expect(check({})).toBeDefined();
    for (let bit = 0; bit < 128; bit += 3) {
      const choiceCheck = message.choiceCheck.slice();
      choiceCheck[bit >> 3]! ^= 1 << (bit & 7);
      expect(check({ choiceCheck })).toBeUndefined();
    }
    for (let place = 0; place < 2048; place += 61) {
      const rowCheck = message.rowCheck.slice();
      rowCheck[place]! ^= 16;
      expect(check({ rowCheck })).toBeUndefined();
    }
  });

  /**
   * A receiver that uses other choice bits in one tree. It passes exactly if Δ is 0 in that tree's bits, which is what
   * it learns; an honest sender bans it otherwise.
   */
  const cheat = (tree: number, place: number): boolean => {
    const nonce = random(32);
    const choices = random(count / 8);
    const padding = random(16);
    const honest = extendAsReceiver(nobleHash, receiver, nonce, choices, padding);
    const vectors = honest.message.vectors.slice();
    vectors[(tree * (count + 128)) / 8 + place]! ^= 1;
    // x̃ and t̃ for the challenge that the changed message has.
    const spoiled = forge(nonce, choices, padding, vectors);
    return extendAsSender(nobleHash, sender, nonce, count, spoiled) !== undefined;
  };
  const forge = (
    nonce: Uint8Array,
    choices: Uint8Array,
    padding: Uint8Array,
    vectors: Uint8Array,
  ): ExtensionMessage => {
    // The real receiver computes its checks from the hash of u; make it hash the changed u instead.
    const hash = {
      ...nobleHash,
      sha256: (message: Uint8Array): Uint8Array => {
        const prefix = message.length - vectors.length;
        return nobleHash.sha256(Uint8Array.of(...message.subarray(0, prefix), ...vectors));
      },
    };
    return { ...extendAsReceiver(hash, receiver, nonce, choices, padding).message, vectors };
  };

  it('lets a selective failure through only where Δ is guessed right', () => {
    let passed = 0;
    for (let tree = 0; tree < 64; tree++) {
      const isZero = bitAt(sender.delta, 2 * tree) === 0 && bitAt(sender.delta, 2 * tree + 1) === 0;
      const result = cheat(tree, tree % 68);
      expect(result).toBe(isZero);
      if (result) passed += 1;
    }
    expect(passed).toBeLessThan(32);
  });
});

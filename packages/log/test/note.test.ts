import { Secret, concatBytes, toBase64, toHex, utf8ToBytes } from '@keepset/bytes';
import { ed25519 } from '@noble/curves/ed25519.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_NOTE_LENGTH,
  MAX_NOTE_SIGNATURES,
  noteKey,
  openNote,
  parseNote,
  parseVerifierKey,
  printVerifierKey,
  seedSigner,
  signNote,
} from '@keepset/log';
import { expectCode, flipBit, signerOf } from './support.ts';

/** The example of C2SP signed-note.md, and the one of golang.org/x/mod/sumdb/note. */
const published = [
  {
    key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    note: 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
  },
  {
    key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    note: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
  },
];

const alice = signerOf('alice.example/log', 1);
const bob = signerOf('bob.example', 2);

describe('published notes', () => {
  it.each(published)('verifies the note of $key', ({ key, note }) => {
    const parsed = parseVerifierKey(key);
    expect(printVerifierKey(parsed)).toBe(key);
    expect(openNote(note, [parsed]).signers).toEqual([parsed]);
    expectCode(
      () => openNote(note.replace('problem is', 'problem was').replace('an example', 'another'), [parsed]),
      'abort/bad-signature',
    );
  });

  it('takes the two apart', () => {
    const keys = published.map(({ key }) => parseVerifierKey(key));
    for (const [at, { note }] of published.entries()) {
      expect(openNote(note, keys).signers).toEqual([keys[at]]);
      expectCode(() => openNote(note, [keys[1 - at]!]), 'abort/bad-signature');
    }
  });
});

describe('signing and opening', () => {
  it('round trips any lines of text with several signatures', () => {
    const line = fc.string({ unit: 'binary' }).filter((s) => s.isWellFormed() && !/\p{Cc}/u.test(s));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
        const text = lines.map((l) => `${l}\n`).join('');
        const note = signNote(text, [alice, bob]);
        expect(openNote(note, [bob.key, alice.key])).toEqual({ text, signers: [alice.key, bob.key] });
        expect(parseNote(note).signatures.map(({ name }) => name)).toEqual([alice.key.name, bob.key.name]);
      }),
      { numRuns: 40 },
    );
  });

  it('splits at the last empty line', () => {
    const text = 'one\n\n— not a signature, but text\n\ntwo\n';
    expect(openNote(signNote(text, [alice]), [alice.key]).text).toBe(text);
  });

  it('ignores unknown signers, also those that share a name or an id with a known key', () => {
    const note = signNote('hello\n', [alice]);
    const sameName = `— ${alice.key.name} ${toBase64(new Uint8Array(68).fill(9))}\n`;
    const sameId = `— other.example ${toBase64(concatBytes(alice.key.id, new Uint8Array(64)))}\n`;
    const longer = `— pq.example ${toBase64(new Uint8Array(5000))}\n`;
    expect(openNote(note + sameName + sameId + longer, [alice.key]).signers).toEqual([alice.key]);
    expect(
      openNote(`hello\n\n${sameName}${sameId}${longer}${note.slice('hello\n\n'.length)}`, [alice.key])
        .signers,
    ).toEqual([alice.key]);
  });

  it('accepts 16 signatures of post-quantum size and refuses a note over its limits', () => {
    const note = signNote('hello\n', [alice]);
    const large = Array.from(
      { length: 15 },
      (_, at) => `— pq${at}.example ${toBase64(new Uint8Array(5000))}\n`,
    );
    expect(openNote(note + large.join(''), [alice.key]).signers).toEqual([alice.key]);
    const small = `— x ${toBase64(new Uint8Array(5))}\n`;
    expect(openNote(note + small.repeat(MAX_NOTE_SIGNATURES - 1), [alice.key]).signers).toHaveLength(1);
    expectCode(() => openNote(note + small.repeat(MAX_NOTE_SIGNATURES), [alice.key]), 'wire/too-large');
    expectCode(() => openNote(note.padStart(MAX_NOTE_LENGTH + 1, 'x'), [alice.key]), 'wire/too-large');
  });

  it('refuses the whole note for one wrong signature under a known name and id', () => {
    const note = signNote('hello\n', [alice, bob]);
    const [, first, second] = note.split('— ');
    const forged = `— ${bob.key.name} ${toBase64(concatBytes(bob.key.id, new Uint8Array(64)))}\n`;
    expectCode(() => openNote(`hello\n\n— ${first}${forged}`, [alice.key, bob.key]), 'abort/bad-signature');
    expectCode(
      () => openNote(`hello\n\n— ${first}— ${second}${forged}`, [alice.key, bob.key]),
      'abort/bad-signature',
    );
    // Who does not know bob does not care.
    expect(openNote(`hello\n\n— ${first}${forged}`, [alice.key]).signers).toEqual([alice.key]);
    const short = `— ${bob.key.name} ${toBase64(concatBytes(bob.key.id, new Uint8Array(63)))}\n`;
    expectCode(() => openNote(`hello\n\n— ${first}${short}`, [alice.key, bob.key]), 'abort/bad-signature');
  });

  it('lists a key that signed twice once', () => {
    const note = signNote('hello\n', [alice]);
    expect(openNote(note + note.slice('hello\n\n'.length), [alice.key]).signers).toEqual([alice.key]);
  });

  it('refuses each turned bit of a signature and every changed letter', () => {
    const parsed = parseNote(signNote('hello\n', [alice])).signatures[0]!;
    for (let bit = 0; bit < 512; bit += 1) {
      const forged = toBase64(concatBytes(parsed.id, flipBit(parsed.signature, bit)));
      expectCode(() => openNote(`hello\n\n— ${parsed.name} ${forged}\n`, [alice.key]), 'abort/bad-signature');
    }
    const note = signNote('hello\n', [alice]);
    for (let at = 0; at < note.length - 1; at += 1) {
      const changed =
        note.slice(0, at) + String.fromCodePoint(note.codePointAt(at)! ^ 1) + note.slice(at + 1);
      expect(() => openNote(changed, [alice.key])).toThrow();
    }
  });

  it('does not accept a small-order key or a second form of a scalar', () => {
    // The identity as public key verifies anything under cofactored rules.
    const identity = noteKey('weak.example', Uint8Array.of(1, ...new Uint8Array(31)));
    const universal = toBase64(concatBytes(identity.id, identity.publicKey, new Uint8Array(32)));
    expectCode(() => openNote(`hello\n\n— weak.example ${universal}\n`, [identity]), 'abort/bad-signature');

    const { signature } = parseNote(signNote('hello\n', [alice])).signatures[0]!;
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + order;
    const wide = Uint8Array.from({ length: 32 }, (_, at) => Number((s >> BigInt(8 * at)) & 255n));
    const malleated = toBase64(concatBytes(alice.key.id, signature.slice(0, 32), wide));
    expectCode(
      () => openNote(`hello\n\n— ${alice.key.name} ${malleated}\n`, [alice.key]),
      'abort/bad-signature',
    );
  });
});

describe('malformed notes', () => {
  const note = signNote('hello\n', [alice]);
  const line = note.slice('hello\n\n'.length);
  it.each([
    ['nothing', ''],
    ['no signature block', 'hello\n'],
    ['an empty signature block', 'hello\n\n'],
    ['no final line break', note.slice(0, -1)],
    ['a line that is no signature', `${note}hello\n`],
    ['a hyphen for the dash', note.replace('—', '-')],
    ['two spaces', note.replace('— ', '—  ')],
    ['a trailing space', note.replace(/\n$/u, ' \n')],
    ['a line break of Windows', note.replaceAll('\n', '\r\n')],
    ['a tab', note.replace('hello', 'hel\tlo')],
    ['a zero', note.replace('hello', 'hel\0lo')],
    ['a lone surrogate', note.replace('hello', 'hel\ud800lo')],
    ['a plus in the name', note.replace('alice.example', 'alice+example')],
    ['a no-break space in the name', note.replace('alice.example', 'alice\u00a0example')],
    ['no name', note.replace(`— ${alice.key.name} `, '—  ')],
    ['not base64', note.replace(/[A-Za-z0-9]{4}=*\n$/u, '!!!!\n')],
    ['no padding', note.replace('=', '')],
    ['only a key id', `hello\n\n— ${alice.key.name} ${toBase64(alice.key.id)}\n`],
    ['a missing text', line],
  ])('refuses %s', (_, text) => {
    expectCode(() => openNote(text, [alice.key]), 'wire/malformed');
  });

  it('never throws anything but a typed error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(note.length - 1), (junk, at) => {
        const changed = note.slice(0, at) + junk + note.slice(at + 1);
        fc.pre(changed !== note);
        expect(() => openNote(changed, [alice.key])).toThrow(
          expect.objectContaining({ name: 'KeepsetError', code: expect.stringMatching(/^(wire|abort)\//u) }),
        );
      }),
    );
  });
});

describe('keys', () => {
  it('hashes the id as the specification says', () => {
    expect(printVerifierKey(alice.key)).toMatch(/^alice\.example\/log\+[0-9a-f]{8}\+AY/u);
    expect(parseVerifierKey(printVerifierKey(alice.key))).toEqual(alice.key);
    expect(toHex(alice.key.publicKey)).toBe(toHex(ed25519.getPublicKey(new Uint8Array(32).fill(1))));
  });

  it('refuses malformed verifier keys', () => {
    const good = published[0]!.key;
    for (const bad of [
      '',
      '+',
      '++',
      'a+b+c',
      good.slice(0, -4),
      good.replace('530d903a', '530d903b'),
      good.replace('530d', '530D'),
      `${good}\n`,
      ` ${good}`,
      good.replace('example.com', 'example\u3000com'),
      good.padStart(2000, 'x'),
    ])
      expectCode(() => parseVerifierKey(bad), 'input/malformed');
    const type4 = good.replace('AeKy', 'BeKy').replace('+Aek', '+Bek');
    expectCode(() => parseVerifierKey(type4), 'input/unsupported');
  });

  it('refuses malformed names, keys, seeds and texts', () => {
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\nb', '\ud800', 'x'.repeat(256)])
      expectCode(() => noteKey(name, alice.key.publicKey), 'input/invalid-argument');
    expectCode(() => noteKey('a', new Uint8Array(31)), 'input/invalid-argument');
    expectCode(() => seedSigner('a', new Secret(new Uint8Array(64))), 'input/invalid-argument');
    for (const text of ['', 'no line break', 'tab\t\n', 'cr\r\n', '\ud800\n'])
      expectCode(() => signNote(text, [alice]), 'input/invalid-argument');
    expectCode(() => signNote('hello\n', []), 'input/invalid-argument');
    expectCode(() => signNote('hello\n', [alice, alice]), 'input/invalid-argument');
    expectCode(() => signNote('x'.repeat(MAX_NOTE_LENGTH - 1) + '\n', [alice]), 'input/invalid-argument');
    const alias = { ...alice.key, publicKey: bob.key.publicKey };
    expectCode(() => openNote(signNote('hello\n', [alice]), [alice.key, alias]), 'input/invalid-argument');
  });

  it('signs no more once its seed is wiped', () => {
    const seed = new Secret(new Uint8Array(32).fill(1));
    const signer = seedSigner('alice.example/log', seed);
    expect(signNote('hello\n', [signer])).toBe(signNote('hello\n', [alice]));
    seed.wipe();
    expectCode(() => signNote('hello\n', [signer]), 'abort/state-consumed');
  });

  it('signs the note text itself, which is Ed25519 of RFC 8032', () => {
    const { signature } = parseNote(signNote('hello\n', [alice])).signatures[0]!;
    expect(ed25519.verify(signature, utf8ToBytes('hello\n'), alice.key.publicKey)).toBe(true);
  });
});

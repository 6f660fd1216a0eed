import * as fc from 'fast-check';
import { importSPKI, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { createIntent, spkiPem } from '../src/index.ts';
import { caught, plainKey, schemes, shown, signAll, utf8, valuesOf } from './simulate.ts';

const payload =
  '{"iss":"https://a.example","sub":"me","aud":"you","iat":1700000000,"exp":4102444800,"admin":true}';

describe.each([
  ['ed25519', 'EdDSA'],
  ['ecdsa-p256', 'ES256'],
] as const)('tokens with %s', (scheme, alg) => {
  const signer = plainKey(scheme, 4);
  const signed = (text: string, options = {}) => {
    const intent = createIntent('jwt', utf8(text), signer.key, options);
    return intent.finish(signAll(signer, intent)).text ?? '';
  };

  it('is accepted by jose, payload unchanged', async () => {
    const key = await importSPKI(spkiPem(signer.key), alg);
    const token = signed(payload, { kid: 'key-1' });
    const { payload: claims, protectedHeader } = await jwtVerify(token, key, { audience: 'you' });
    expect(claims).toEqual(JSON.parse(payload));
    expect(protectedHeader).toEqual({ alg, typ: 'JWT', kid: 'key-1' });
    expect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).toBe(payload);
  });

  it('is refused by jose under another key', async () => {
    const other = await importSPKI(spkiPem(plainKey(scheme, 5).key), alg);
    await expect(jwtVerify(signed(payload), other)).rejects.toThrow('signature verification failed');
  });

  it('refuses a wrong signature', () => {
    const intent = createIntent('jwt', utf8(payload), signer.key);
    const other = createIntent('jwt', utf8('{"sub":"you"}'), signer.key);
    expect(caught(() => intent.finish(signAll(signer, other))).code).toBe('abort/bad-signature');
  });
});

describe('tokens', () => {
  const { key } = plainKey('ed25519', 4);
  const code = (text: string | Uint8Array) =>
    caught(() => createIntent('jwt', typeof text === 'string' ? utf8(text) : text, key)).code;

  it('shows every claim, dates in words', () => {
    const intent = createIntent('jwt', utf8(payload), key, { typ: 'at+jwt' });
    expect(intent.description.map(({ label, value }) => `${label}: ${value}`)).toEqual([
      'Format: JSON web token',
      'Header alg: EdDSA',
      'Header typ: at+jwt',
      'Claim "iss" (issuer): "https://a.example"',
      'Claim "sub" (subject): "me"',
      'Claim "aud" (audience): "you"',
      'Claim "iat" (issued at): 1700000000 = 2023-11-14T22:13:20.000Z',
      'Claim "exp" (expires): 4102444800 = 2100-01-01T00:00:00.000Z',
      'Claim "admin": true',
    ]);
    expect(intent.warnings).toEqual([]);
  });

  it('shows every claim of any payload, in printable form', () => {
    const text = fc.string({ unit: 'binary' });
    const value = fc.oneof(text, fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.array(text));
    fc.assert(
      fc.property(fc.dictionary(text, value), (claims) => {
        const intent = createIntent('jwt', utf8(JSON.stringify(claims)), key);
        expect(intent.description).toHaveLength(3 + Object.keys(claims).length);
        for (const part of shown(intent)) expect(part).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it('shows the meaning of escapes, not their spelling', () => {
    const intent = createIntent('jwt', utf8('{"sub":"\\u0061dmin","n\\u0061me":"\\u001b[2J\\u202e"}'), key);
    expect(valuesOf(intent, 'Claim "sub" (subject)')).toEqual(['"admin"']);
    expect(valuesOf(intent, 'Claim "name"')).toEqual(['"\\u001b[2J\\u{202e}"']);
  });

  it('warns of tokens without end, without audience, and with dates that are none', () => {
    expect(createIntent('jwt', utf8('{}'), key).warnings).toHaveLength(2);
    expect(
      createIntent('jwt', utf8('{"aud":"a","exp":"soon","nbf":1e300,"iat":null}'), key).warnings,
    ).toHaveLength(3);
  });

  it.each([
    ['empty', ''],
    ['garbage', '\u0000\u0001'],
    ['cut short', payload.slice(0, -1)],
    ['an array', '[]'],
    ['null', 'null'],
    ['text', '"a"'],
    ['a name twice', '{"sub":"me","sub":"you"}'],
    ['a name twice in two spellings', '{"sub":"me","s\\u0075b":"you"}'],
    ['a name twice further in', '{"a":[{"b":{"c":1,"c":2}}]}'],
    ['a number that loses digits', '{"id":12345678901234567890}'],
    ['a number beyond range', '{"id":1e999}'],
    ['a byte-order mark', '\ufeff{}'],
    ['nested too deep', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
  ])('refuses a payload that is %s', (_, text) => {
    expect(code(text)).toBe('input/malformed');
  });

  it('refuses bytes that are not UTF-8, and too many', () => {
    expect(code(Uint8Array.of(0x7b, 0xff, 0x7d))).toBe('input/malformed');
    expect(code(`{"a":"${'x'.repeat(16 * 1024)}"}`)).toBe('wire/too-large');
  });

  it('accepts equal names in different objects, and text that looks like structure', () => {
    const text = '{"a":{"x":1},"b":{"x":1},"c":"{\\"a\\":1,\\"a\\":2}","d":[{"x":1},{"x":2}]}';
    expect(createIntent('jwt', utf8(text), key).description).toHaveLength(7);
  });

  it.each(['', 'a\nb', 'ü', 'x'.repeat(257)])('refuses the key id %j', (kid) => {
    expect(caught(() => createIntent('jwt', utf8('{}'), key, { kid })).code).toBe('input/invalid-argument');
  });

  it('names the schemes that fit', () => {
    for (const scheme of schemes.filter((s) => s.endsWith('secp256k1'))) {
      const error = caught(() => createIntent('jwt', utf8(payload), plainKey(scheme, 4).key));
      expect(error.code).toBe('input/unsupported');
      expect(error.message).toContain('ed25519 or ecdsa-p256');
    }
  });
});

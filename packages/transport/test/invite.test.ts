import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { parseInvite, printInvite } from '../src/index.ts';

const code = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567'.split('')),
  minLength: 8,
  maxLength: 64,
});
const server = fc.oneof(
  fc.tuple(fc.domain(), fc.integer({ min: 1, max: 65535 })).map(([host, port]) => `https://${host}:${port}`),
  fc.domain().map((host) => `https://${host}`),
  fc.constantFrom('https://127.0.0.1:7443', 'https://[::1]:7443'),
);

const codeOf = (text: string): string => {
  try {
    parseInvite(text);
    return 'accepted';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

describe('invitations', () => {
  it('property: what is printed is read back, with and without a pin', () => {
    const pin = fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined });
    fc.assert(
      fc.property(server, code, pin, (host, secret, key) => {
        const url = new URL(host).origin;
        const invite = { server: url, code: secret, ...(key === undefined ? {} : { pin: key }) };
        expect(parseInvite(`  ${printInvite(invite)}\n`)).toEqual(invite);
      }),
    );
  });

  it('carry the code where no browser sends it to a server', () => {
    const printed = printInvite({ server: 'https://keys.example.org', code: 'abcdefgh2345' });
    expect(new URL(printed).hash).toBe('#abcdefgh2345');
    expect(new URL(printed).pathname).toBe('/');
    expect(new URL(printed).search).toBe('');
  });

  it.each([
    ['nothing', ''],
    ['no URL', 'hello'],
    ['no TLS', 'http://keys.example.org/#abcdefgh2345'],
    ['no code', 'https://keys.example.org/'],
    ['a short code', 'https://keys.example.org/#abc'],
    ['a long code', `https://keys.example.org/#${'a'.repeat(65)}`],
    ['capitals in the code', 'https://keys.example.org/#ABCDEFGH2345'],
    ['a pin of 31 bytes', `https://keys.example.org/#abcdefgh2345.${Buffer.alloc(31).toString('base64url')}`],
    ['a pin that is no base64url', 'https://keys.example.org/#abcdefgh2345.!!!'],
    [
      'something after the pin',
      `https://keys.example.org/#abcdefgh2345.${Buffer.alloc(32).toString('base64url')}.x`,
    ],
  ])('%s is refused', (_, text) => {
    expect(codeOf(text)).toBe('input/malformed');
  });

  it('property: any text is an invitation or input/malformed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl({ withFragments: true })), (text) => {
        expect(['accepted', 'input/malformed']).toContain(codeOf(text));
      }),
    );
  });
});

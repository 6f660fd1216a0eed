import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { KeepsetError, Secret, encodeCbor, toKeepsetError, type CborValue } from '../src/index.ts';
import { codeOf } from './support.ts';

/** Forms in which these bytes could leak: hex, lists of numbers, base64, text. */
const text = 'correct-horse-battery';
const bytes = (): Uint8Array => Uint8Array.from(Buffer.from(text));
const traces = [
  text,
  Buffer.from(text).toString('hex'),
  Buffer.from(text).toString('base64').slice(0, 12),
  [...Buffer.from(text)].slice(0, 6).join(','),
  [...Buffer.from(text)].slice(0, 6).join(', '),
  Buffer.from(text)
    .toString('hex', 0, 6)
    .replaceAll(/(..)(?!$)/g, '$1 '),
];

const printed = (print: (to: Console) => void): string => {
  let out = '';
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      out += String(chunk);
      done();
    },
  });
  print(new Console({ stdout: sink, stderr: sink }));
  return out;
};

const nested = (secret: Secret): object => ({
  a: [{ share: { secret } }],
  map: new Map([['k', secret]]),
  set: new Set([secret]),
});
const failure = (secret: Secret): KeepsetError =>
  new KeepsetError('abort/bad-share', 'text', {
    cause: Object.assign(new Error('inner', { cause: { secret } }), { secret }),
  });

const ways: readonly (readonly [string, (secret: Secret) => string])[] = [
  ['String', (secret) => String(secret)],
  // oxlint-disable-next-line typescript/restrict-template-expressions
  ['a template', (secret) => `<${secret as unknown as string}>`],
  ['concatenation', (secret) => '<' + (secret as unknown as string)],
  ['join', (secret) => [secret, secret].join()],
  ['JSON', (secret) => JSON.stringify(nested(secret))],
  ['JSON with indentation', (secret) => JSON.stringify({ secret }, null, 2)],
  ['inspect', (secret) => inspect(secret)],
  ['deep inspect', (secret) => inspect(nested(secret), { depth: Infinity, showHidden: true, getters: true })],
  [
    'inspect without custom printing',
    (secret) => inspect(nested(secret), { depth: Infinity, showHidden: true, customInspect: false }),
  ],
  ['%s %o %O %j', (secret) => format('%s %o %O %j', secret, secret, secret, secret)],
  ['console.log', (secret) => printed((to) => to.log(secret, nested(secret)))],
  ['console.error', (secret) => printed((to) => to.error('%o', secret))],
  ['console.dir', (secret) => printed((to) => to.dir(nested(secret), { depth: null, showHidden: true }))],
  ['console.table', (secret) => printed((to) => to.table([{ secret }]))],
  ['the cause of an error', (secret) => inspect(failure(secret), { depth: Infinity, showHidden: true })],
  ['the stack of an error', (secret) => failure(secret).stack ?? 'no stack'],
  ['a wrapped throw', (secret) => inspect(toKeepsetError(secret), { depth: Infinity })],
  ['property names', (secret) => JSON.stringify([Reflect.ownKeys(secret), Object.entries(secret)])],
  ['a copy', (secret) => inspect(Object.assign({}, secret), { depth: Infinity, showHidden: true })],
  ['a structured clone', (secret) => inspect(structuredClone(secret), { depth: Infinity, showHidden: true })],
];

describe('Secret', () => {
  it.each(ways)('does not print through %s', (_name, print) => {
    const out = print(new Secret(bytes()));
    expect(out.length).toBeGreaterThan(0);
    for (const trace of traces) expect(out).not.toContain(trace);
  });

  it('prints its placeholder where something is printed', () => {
    const secret = new Secret(bytes());
    expect([String(secret), inspect(secret), JSON.stringify(secret)]).toEqual([
      '[secret]',
      '[secret]',
      '"[secret]"',
    ]);
  });

  it('cannot be encoded by accident', () => {
    const secret = new Secret(bytes()) as unknown as CborValue;
    expect(codeOf(() => encodeCbor(secret))).toBe('bug/invariant');
    expect(codeOf(() => encodeCbor({ deep: [secret] }))).toBe('bug/invariant');
  });

  it('reveals the very bytes it was given', () => {
    const own = bytes();
    expect(new Secret(own).reveal()).toBe(own);
  });

  it('is zero and gone once wiped', () => {
    const own = bytes();
    const secret = new Secret(own);
    secret.wipe();
    expect([...own]).toEqual(Array.from({ length: own.length }, () => 0));
    expect(codeOf(() => secret.reveal())).toBe('abort/state-consumed');
    expect(String(secret)).toBe('[secret]');
    secret.wipe();
    expect(codeOf(() => secret.reveal())).toBe('abort/state-consumed');
  });
});

/** What parties must agree on is hashed into the context of every message: a difference anywhere keeps them apart. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashValue } from '@keepset/bytes';
import { checkTranscripts, sessionIdOf } from '../../src/ceremony.ts';
import { keygenContext, signContext, systemRng, type SignParams } from '../../src/index.ts';
import { hex, keyOf, theOne } from '../frost/network.ts';
import { codeOf } from './support.ts';

const session = new Uint8Array(32).fill(1);
const distinct = (contexts: readonly Uint8Array[]): void => {
  expect(new Set(contexts.map(hex)).size).toBe(contexts.length);
  for (const context of contexts) expect(context).toHaveLength(32);
};

it('a keygen context depends on every field', () => {
  const base = { scheme: 'ed25519', session, policy: 'and(a,b)', parties: ['a', 'b'], threshold: 2 } as const;
  distinct([
    keygenContext(base),
    keygenContext({ ...base, scheme: 'schnorr-secp256k1' }),
    keygenContext({ ...base, session: session.with(31, 0) }),
    keygenContext({ ...base, policy: 'and(b,a)' }),
    keygenContext({ ...base, parties: ['b', 'a'] }),
    keygenContext({ ...base, parties: ['a', 'b', 'c'] }),
    keygenContext({ ...base, threshold: 3 }),
  ]);
});

it('a signing context depends on every field', () => {
  const { group } = theOne(keyOf('schnorr-secp256k1', 2, 3).get('phone'));
  const other = theOne(keyOf('schnorr-secp256k1', 2, 2).get('phone')).group;
  const request = { message: Uint8Array.of(1), digest: 'none' } as const;
  const base: Pick<SignParams, 'session' | 'quorum' | 'request'> = {
    session,
    quorum: ['phone', 'server'],
    request,
  };
  const of = (change: Partial<typeof base>): Uint8Array => signContext(group, { ...base, ...change });
  distinct([
    of({}),
    of({ session: session.with(0, 0) }),
    of({ quorum: ['phone', 'usb'] }),
    of({ quorum: ['phone', 'server', 'usb'] }),
    of({ request: { ...request, message: new Uint8Array(0) } }),
    of({ request: { ...request, message: Uint8Array.of(1, 0) } }),
    of({ request: { ...request, digest: 'sha256' } }),
    of({ request: { ...request, taproot: { merkleRoot: new Uint8Array(0) } } }),
    of({ request: { ...request, taproot: { merkleRoot: new Uint8Array(32) } } }),
    of({ request: { ...request, path: [0] } }),
    of({ request: { ...request, path: [0, 0] } }),
    of({ request: { ...request, path: [1] } }),
    signContext({ ...group, epoch: 1 }, base),
    signContext({ ...group, epoch: 2 }, base),
    signContext({ ...group, scheme: 'ed25519' }, base),
    signContext(other, base),
    // Two sharings of one key at one epoch.
    signContext({ ...group, epoch: 1, commitments: other.commitments }, base),
  ]);
  // No path and the empty path are the same key.
  expect(hex(of({ request: { ...request, path: [] } }))).toBe(hex(of({})));
});

it('the session id depends on context, parties and each contribution', () => {
  const contributions = [new Uint8Array(32).fill(2), new Uint8Array(32).fill(3)];
  distinct([
    sessionIdOf(session, ['a', 'b'], contributions),
    sessionIdOf(session.with(0, 9), ['a', 'b'], contributions),
    sessionIdOf(session, ['b', 'a'], contributions),
    sessionIdOf(session, ['a', 'b'], contributions.toReversed()),
    sessionIdOf(session, ['a', 'b'], contributions.with(0, new Uint8Array(32))),
    sessionIdOf(session, ['a', 'b'], contributions.with(1, new Uint8Array(32))),
  ]);
});

describe('checkTranscripts', () => {
  const own = hashValue('x', 1);
  it('is content with equal ones only, and names no culprit', () => {
    expect(codeOf(() => checkTranscripts(own, new Map()))).toBe('ok');
    expect(codeOf(() => checkTranscripts(own, new Map([['a', Uint8Array.from(own)]])))).toBe('ok');
    for (const theirs of [
      hashValue('x', 2),
      own.slice(1),
      new Uint8Array(0),
      own.with(31, theOne(own[31]) ^ 1),
    ]) {
      const check = (): void =>
        checkTranscripts(
          own,
          new Map([
            ['a', own],
            ['b', theirs],
          ]),
        );
      expect(codeOf(check)).toBe('abort/transcript-mismatch');
      expect(check).toThrow(expect.objectContaining({ culprits: [] }));
    }
  });
});

it('the system’s randomness has the length asked for and does not repeat', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 200 }), (length) => {
      const [a, b] = [systemRng(length), systemRng(length)];
      expect(a).toHaveLength(length);
      expect(hex(a)).not.toBe(hex(b));
    }),
  );
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, Secret, utf8ToBytes } from '@keepset/bytes';
import { protocolFor, type KeyShare, type SignRequest } from '../../src/index.ts';
import { decodeSecret, encodeSecret, type EcdsaSecret } from '../../src/ecdsa/secret.ts';
import { startEcdsaSign } from '../../src/ecdsa/sign.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite, type EcdsaSuite } from '../../src/ecdsa/suites.ts';
import { makeKey, resultsOf, runNetwork, seededRng, sessionOf, signStarts } from './network.ts';
import { transparentSuite } from './transparent.ts';

const curveOf = (suite: EcdsaSuite): typeof secp256k1 => (suite.scheme === 'ecdsa-p256' ? p256 : secp256k1);

/** SubjectPublicKeyInfo of RFC 5480. */
const spki = (suite: EcdsaSuite, publicKey: Uint8Array): Uint8Array => {
  const tagged = (tag: number, ...content: number[]): number[] => [tag, content.length, ...content];
  const ecPublicKey = tagged(6, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1);
  const curve =
    suite.scheme === 'ecdsa-p256'
      ? tagged(6, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7)
      : tagged(6, 0x2b, 0x81, 4, 0, 10);
  const point = curveOf(suite).Point.fromBytes(publicKey).toBytes(false);
  return Uint8Array.from(tagged(0x30, ...tagged(0x30, ...ecPublicKey, ...curve), ...tagged(3, 0, ...point)));
};

const pem = (der: Uint8Array): string =>
  `-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PUBLIC KEY-----\n`;

describe.each([ecdsaSecp256k1Suite, ecdsaP256Suite])('2-of-2 $scheme', (suite) => {
  const quorum = ['phone', 'server'];
  let shares: Map<string, KeyShare>;
  let key: KeyShare;
  let folder: string;
  const sign = (request: SignRequest, seed: string): Uint8Array => {
    const results = resultsOf(runNetwork(signStarts(suite, shares, quorum, request, seed)));
    expect(results.get('phone')).toEqual(results.get('server'));
    return results.get('phone')!;
  };
  beforeAll(() => {
    shares = makeKey(suite, 2, quorum, `sign ${suite.scheme}`);
    key = shares.get('phone')!;
    folder = mkdtempSync(join(tmpdir(), 'keepset-ecdsa-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('makes signatures that noble verifies, low-s, with the right recovery id', () => {
    const ids = new Set<number>();
    for (let i = 0; i < 6; i++) {
      const message = utf8ToBytes(`message ${i}`);
      const signature = sign({ message, digest: 'sha256' }, `noble ${i}`);
      const { verify, Signature } = curveOf(suite);
      expect(signature).toHaveLength(65);
      expect(
        verify(signature.subarray(0, 64), sha256(message), key.group.publicKey, { prehash: false }),
      ).toBe(true);
      const parsed = Signature.fromBytes(signature.subarray(0, 64), 'compact');
      expect(parsed.hasHighS()).toBe(false);
      const recovered = parsed.addRecoveryBit(signature[64]!).recoverPublicKey(sha256(message));
      expect(recovered.toBytes()).toEqual(key.group.publicKey);
      expect(protocolFor(suite.scheme).verify(key.group, { message, digest: 'sha256' }, signature)).toBe(
        true,
      );
      ids.add(signature[64]!);
    }
    expect(ids).toEqual(new Set([0, 1]));
  });

  it('makes signatures that openssl verifies', () => {
    const message = utf8ToBytes('a message for openssl');
    const signature = sign({ message, digest: 'sha256' }, 'openssl');
    const files = {
      key: join(folder, 'key.pem'),
      sig: join(folder, 'sig.der'),
      message: join(folder, 'message'),
    };
    writeFileSync(files.key, pem(spki(suite, key.group.publicKey)));
    const der = curveOf(suite).Signature.fromBytes(signature.subarray(0, 64), 'compact').toBytes('der');
    writeFileSync(files.sig, der);
    writeFileSync(files.message, message);
    const verify = (): string =>
      execFileSync(
        'openssl',
        ['dgst', '-sha256', '-verify', files.key, '-signature', files.sig, files.message],
        {
          encoding: 'utf8',
          stdio: 'pipe',
        },
      );
    expect(verify().trim()).toBe('Verified OK');
    writeFileSync(files.message, utf8ToBytes('another message'));
    expect(verify).toThrow();
  });

  it('stays within 95 KB on the wire and 150 KB at rest', () => {
    const { sent } = runNetwork(
      signStarts(suite, shares, quorum, { message: new Uint8Array(), digest: 'sha256' }, 'size'),
    );
    const bytes = sent.reduce((sum, message) => sum + message.body.length, 0);
    expect(bytes).toBeLessThanOrEqual(95_000);
    expect(key.secret.reveal().length).toBeLessThan(10_000);
  });

  it('needs one request and one response once the responder has begun', () => {
    const request: SignRequest = { message: utf8ToBytes('two messages'), digest: 'sha256' };
    const session = sessionOf('two messages');
    const begin = (party: string): ReturnType<typeof startEcdsaSign> =>
      startEcdsaSign(suite, {
        share: shares.get(party)!,
        session,
        quorum,
        request,
        rng: seededRng(`two messages ${party}`),
      });
    const server = begin('server');
    const phone = begin('phone');
    if (phone.status !== 'running' || server.status !== 'running') throw new Error('unreachable');
    const asked = phone.advance(server.outgoing);
    const answered = server.advance([...phone.outgoing, ...asked.outgoing]);
    expect(answered.status).toBe('running');
    if (asked.status !== 'running') throw new Error('unreachable');
    const done = asked.advance(answered.outgoing);
    expect(done.status).toBe('done');
  });

  it('refuses digests the scheme does not sign under', () => {
    const digests = (['none', 'sha256d', 'keccak256'] as const).filter(
      (digest) => !suite.digests.includes(digest),
    );
    expect(digests).toContain('none');
    for (const digest of digests)
      expect(() => sign({ message: new Uint8Array(32), digest }, 'digest')).toThrow(
        expect.objectContaining({ code: 'input/invalid-argument' }),
      );
  });

  it('refuses a share of the other curve, a quorum too small, a stranger, a session of the wrong length', () => {
    const request: SignRequest = { message: new Uint8Array(), digest: 'sha256' };
    const start = (change: object): (() => unknown) => {
      const params = { share: key, session: new Uint8Array(32), quorum, request, ...change };
      return () => startEcdsaSign(suite, params);
    };
    const other = suite.scheme === 'ecdsa-p256' ? ecdsaSecp256k1Suite : ecdsaP256Suite;
    const code = (value: string): unknown => expect.objectContaining({ code: value });
    expect(() => startEcdsaSign(other, { share: key, session: new Uint8Array(32), quorum, request })).toThrow(
      code('input/invalid-argument'),
    );
    expect(start({ quorum: ['phone'] })).toThrow(code('policy/unsatisfied'));
    expect(start({ quorum: ['phone', 'thief'] })).toThrow(code('abort/unknown-party'));
    expect(start({ quorum: ['server', 'phone'] })).toThrow(code('input/invalid-argument'));
    expect(start({ session: new Uint8Array(31) })).toThrow(code('input/invalid-argument'));
    expect(start({ request: { ...request, path: [0x80000000] } })).toThrow(code('input/invalid-argument'));
    expect(start({ request: { ...request, path: [1.5] } })).toThrow(KeepsetError);
  });
});

describe('digests', () => {
  it('signs sha256d and keccak256 as Bitcoin and Ethereum hash', () => {
    const quorum = ['phone', 'server'];
    const shares = makeKey(ecdsaSecp256k1Suite, 2, quorum, 'digests');
    const message = utf8ToBytes('digest me');
    const { publicKey } = shares.get('phone')!.group;
    const hashes = { sha256d: sha256(sha256(message)), keccak256: keccak_256(message) };
    for (const digest of ['sha256d', 'keccak256'] as const) {
      const starts = signStarts(ecdsaSecp256k1Suite, shares, quorum, { message, digest }, digest);
      const signature = resultsOf(runNetwork(starts)).get('phone')!;
      expect(secp256k1.verify(signature.subarray(0, 64), hashes[digest], publicKey, { prehash: false })).toBe(
        true,
      );
    }
  });
});

describe('shares that do not belong together', () => {
  const quorum = ['phone', 'server'];
  const request: SignRequest = { message: utf8ToBytes('mixed'), digest: 'sha256' };
  const suite = transparentSuite;
  const { curve } = suite;
  const key = makeKey(suite, 2, quorum, 'mixed');
  const other = makeKey(suite, 2, quorum, 'mixed with');
  /** The phone's share with the states of another setup, or of none. */
  const withPairs = (pairs: EcdsaSecret['pairs']): Map<string, KeyShare> => {
    const phone = key.get('phone')!;
    const secret = encodeSecret(curve, { ...decodeSecret(curve, phone), pairs });
    return new Map([...key, ['phone', { ...phone, secret }]]);
  };

  it('say so, and ban no one, when one has the setup of another time', () => {
    const stale = withPairs(decodeSecret(curve, other.get('phone')!).pairs);
    const run = runNetwork(signStarts(suite, stale, quorum, request, 'stale'));
    for (const outcome of run.outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-epoch', culprits: [] } });
  });

  it('do not start signing with a party they have no setup with', () => {
    const start = signStarts(suite, withPairs(new Map()), quorum, request, 'none').get('phone')!;
    expect(start).toThrow(expect.objectContaining({ code: 'input/invalid-argument' }));
  });

  it('are refused as damaged when the secret is not what was written', () => {
    const phone = key.get('phone')!;
    const bytes = phone.secret.reveal();
    for (const bad of [new Uint8Array(0), bytes.slice(1), bytes.slice(0, 4000), Uint8Array.of(...bytes, 0)]) {
      const shares = new Map([...key, ['phone', { ...phone, secret: new Secret(bad) }]]);
      expect(signStarts(suite, shares, quorum, request, 'damaged').get('phone')!).toThrow(
        expect.objectContaining({ code: 'place/damaged' }),
      );
    }
  });

  it('sign nothing when they are of two keys', () => {
    const mixed = new Map([...key, ['server', other.get('server')!]]);
    const run = runNetwork(signStarts(suite, mixed, quorum, request, 'two keys'));
    for (const outcome of run.outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
  });
});

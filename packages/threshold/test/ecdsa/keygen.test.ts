import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { Secret, utf8ToBytes, type ErrorCode } from '@keepset/bytes';
import { decodeKeyShare, encodeKeyShare, keyIdOf, protocolFor, type KeyShare } from '../../src/index.ts';
import { lagrangeAtZero } from '../shamir.ts';
import { secp256k1Curve } from '../../src/curve/noble.ts';
import { startEcdsaKeygen } from '../../src/ecdsa/keygen.ts';
import { additiveShare } from '../../src/sharing.ts';
import { decodeSecret } from '../../src/ecdsa/secret.ts';
import { verifyEcdsa } from '../../src/ecdsa/signature.ts';
import { ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';
import {
  keygenStarts,
  makeKey,
  partyNames,
  resultsOf,
  runNetwork,
  seededRng,
  signStarts,
} from './network.ts';
import { transparentSuite } from './transparent.ts';

describe('keygen 2-of-3 on secp256k1', () => {
  const parties = ['phone', 'server', 'usb'];
  const curve = secp256k1Curve;
  let shares: KeyShare[];
  beforeAll(() => {
    shares = [...makeKey(ecdsaSecp256k1Suite, 2, parties, 'keygen test').values()];
  });

  it('gives everyone the same public data', () => {
    const { group } = shares[0]!;
    for (const share of shares) expect(share.group).toEqual(group);
    expect(group).toMatchObject({ epoch: 0, threshold: 2, parties, scheme: 'ecdsa-secp256k1' });
    expect(group.keyId).toBe(keyIdOf('ecdsa-secp256k1', group.publicKey));
    expect(group.commitments).toHaveLength(2);
    expect(group.commitments[0]).toEqual(group.publicKey);
    expect(group.verifyingShares).toHaveLength(3);
    expect(group.chainCode).toHaveLength(32);
  });

  it('deals shares of the private key of that public key', () => {
    const scalars = shares.map((share) => decodeSecret(curve, share).shares[0]!);
    const { publicKey, verifyingShares } = shares[0]!.group;
    scalars.forEach((scalar, i) => {
      expect(secp256k1.getPublicKey(curve.encodeScalar(scalar))).toEqual(verifyingShares[i]);
    });
    for (const places of [
      [1, 2],
      [1, 3],
      [2, 3],
      [1, 2, 3],
    ]) {
      const key = places.reduce((sum, x) => sum + scalars[x - 1]! * lagrangeAtZero(curve, places, x), 0n);
      expect(secp256k1.getPublicKey(curve.encodeScalar(curve.reduce(key)))).toEqual(publicKey);
      const quorum = places.map((x) => parties[x - 1]!);
      const sum = quorum.reduce(
        (total, party, i) =>
          total + additiveShare(curve, shares[0]!.group, quorum, party, [scalars[places[i]! - 1]!]),
        0n,
      );
      expect(curve.reduce(sum)).toBe(curve.reduce(key));
    }
  });

  it('leaves each pair with matching states, and different ones for different pairs', () => {
    const secrets = new Map(shares.map((share) => [share.party, decodeSecret(curve, share)]));
    const seen = new Set<string>();
    for (const [me, secret] of secrets)
      for (const [peer, pair] of secret.pairs) {
        const theirs = secrets.get(peer)!.pairs.get(me)!;
        expect(pair.zeroSeed).toEqual(theirs.zeroSeed);
        expect(pair.sender.delta).toHaveLength(16);
        seen.add(String(pair.sender.delta));
        for (let tree = 0; tree < 64; tree++) {
          const delta = (pair.sender.delta[tree >> 2]! >> (2 * (tree & 3))) & 3;
          for (let distance = 1; distance < 4; distance++) {
            const known = 16 * (3 * tree + distance - 1);
            const leaf = 16 * (4 * tree + (delta ^ distance));
            expect(pair.sender.leaves.subarray(known, known + 16)).toEqual(
              theirs.receiver.leaves.subarray(leaf, leaf + 16),
            );
          }
        }
      }
    expect(seen.size).toBe(6);
  });

  it('passes its own check, and no changed share does', () => {
    const checkShare = (share: KeyShare): boolean => protocolFor('ecdsa-secp256k1').checkShare(share);
    const [first, second] = shares as [KeyShare, KeyShare, KeyShare];
    for (const share of shares) expect(checkShare(share)).toBe(true);
    for (const share of shares) expect(checkShare(decodeKeyShare(encodeKeyShare(share)))).toBe(true);
    const copy = (bytes: Uint8Array): Secret => new Secret(Uint8Array.from(bytes));
    expect(checkShare({ ...first, secret: copy(second.secret.reveal()) })).toBe(false);
    expect(checkShare({ ...first, party: 'server' })).toBe(false);
    expect(checkShare({ ...first, party: 'thief' })).toBe(false);
    const change = (group: Partial<KeyShare['group']>): KeyShare => ({
      ...first,
      group: { ...first.group, ...group },
    });
    const { publicKey, commitments, verifyingShares } = first.group;
    for (const group of [
      { threshold: 3 },
      { keyId: keyIdOf('ecdsa-p256', publicKey) },
      { scheme: 'ecdsa-p256' as const },
      { commitments: commitments.toReversed() },
      { verifyingShares: verifyingShares.toReversed() },
      { commitments: [publicKey, new Uint8Array(33)] },
      { parties: ['phone', 'phone', 'usb'] },
    ])
      expect(checkShare(change(group))).toBe(false);
    for (const cut of [0, 1, 100]) {
      const bytes = first.secret.reveal();
      expect(checkShare({ ...first, secret: copy(bytes.subarray(0, bytes.length - 1 - cut)) })).toBe(false);
    }
  });

  it.each([
    ['phone', 'server'],
    ['phone', 'usb'],
    ['server', 'usb'],
    ['phone', 'server', 'usb'],
  ])('signs with %s, %s %s', (...names) => {
    const quorum = names.filter((name) => typeof name === 'string');
    const request = { message: utf8ToBytes(quorum.join()), digest: 'sha256' } as const;
    const byParty = new Map(shares.map((share) => [share.party, share]));
    const results = resultsOf(
      runNetwork(signStarts(ecdsaSecp256k1Suite, byParty, quorum, request, quorum.join())),
    );
    for (const signature of results.values())
      expect(protocolFor('ecdsa-secp256k1').verify(shares[0]!.group, request, signature)).toBe(true);
  });
});

describe('keygen parameters', () => {
  it('takes 2 to 32 parties', () => {
    const start = (parties: readonly string[], threshold: number): (() => unknown) => {
      const params = {
        scheme: 'ecdsa-secp256k1',
        session: new Uint8Array(32),
        policy: `thresh(${threshold},${parties.join(',')})`,
        parties,
        threshold,
      } as const;
      return () => startEcdsaKeygen(transparentSuite, { ...params, me: 'party1' });
    };
    const refused = (code: ErrorCode): Error => expect.objectContaining({ code }) as Error;
    expect(start(partyNames, 32)).not.toThrow();
    expect(start([...partyNames, 'party33'], 2)).toThrow(refused('policy/syntax'));
    expect(start(['party1'], 1)).toThrow(refused('policy/unsupported'));
    expect(start(['party1', 'party2'], 1)).toThrow(refused('policy/unsupported'));
    expect(start(['party1', 'party2'], 3)).toThrow(refused('policy/syntax'));
    expect(start(['party1', 'party1'], 2)).toThrow(refused('policy/unsupported'));
  });

  it('shows the share as pending before anyone accepts it', () => {
    let accepted = 0;
    const starts = keygenStarts(transparentSuite, 2, ['phone', 'server'], 'pending');
    const run = runNetwork(starts, (message) => {
      if (message.round < 4) return message;
      accepted += 1;
      return undefined;
    });
    expect(accepted).toBe(2);
    const pending = [...run.outcomes.values()].map((outcome) =>
      outcome.status === 'waiting' ? outcome.pending : undefined,
    );
    const finished = [...makeKey(transparentSuite, 2, ['phone', 'server'], 'pending').values()];
    pending.forEach((share, i) => {
      expect(share?.group).toEqual(finished[i]!.group);
      expect(share?.secret.reveal()).toEqual(finished[i]!.secret.reveal());
    });
  });
});

describe('random keys and quorums, over the transparent group', () => {
  it('signs with every quorum of at least the threshold, in any order of delivery', () => {
    const shape = fc
      .integer({ min: 2, max: 6 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 2, max: n })))
      .chain(([n, t]) =>
        fc.tuple(fc.constant(n), fc.constant(t), fc.subarray(partyNames.slice(0, n), { minLength: t })),
      );
    fc.assert(
      fc.property(shape, fc.integer(), fc.uint8Array({ maxLength: 200 }), ([n, t, quorum], seed, message) => {
        const suite = transparentSuite;
        const shares = makeKey(suite, t, partyNames.slice(0, n), String(seed));
        const request = { message, digest: 'keccak256' } as const;
        // A shuffled wire: hold each message back by chance until something else comes.
        const coin = seededRng(`coin ${seed}`);
        let held: Parameters<Parameters<typeof runNetwork>[1] & object>[0][] = [];
        const run = runNetwork(signStarts(suite, shares, quorum, request, String(seed)), (sent) => {
          if (coin(1)[0]! < 100 && held.length === 0) {
            held = [sent];
            return undefined;
          }
          const out = [sent, ...held];
          held = [];
          return out;
        });
        for (const outcome of run.outcomes.values())
          if (outcome.status === 'done')
            expect(verifyEcdsa(suite, shares.get('party1')!.group.publicKey, request, outcome.result)).toBe(
              true,
            );
        const stuck = [...run.outcomes.values()].filter(({ status }) => status !== 'done');
        expect(stuck.length === 0 || held.length > 0).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  it('makes a 16-party key and signs with all of them', () => {
    const suite = transparentSuite;
    const parties = partyNames.slice(0, 16);
    const shares = makeKey(suite, 16, parties, 'sixteen');
    const first = shares.get('party1')!;
    expect(encodeKeyShare(first).length).toBeLessThanOrEqual(150_000);
    const request = { message: new Uint8Array(), digest: 'sha256' } as const;
    const results = resultsOf(runNetwork(signStarts(suite, shares, parties, request, 'sixteen')));
    expect(new Set([...results.values()].map(String)).size).toBe(1);
    expect(verifyEcdsa(suite, first.group.publicKey, request, results.get('party16')!)).toBe(true);
  });
});

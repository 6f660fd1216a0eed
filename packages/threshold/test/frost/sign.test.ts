import { p2tr } from '@scure/btc-signer';
import * as fc from 'fast-check';
import { schnorr } from '@noble/curves/secp256k1.js';
import { describe, expect, it } from 'vitest';
import { Secret } from '@keepset/bytes';
import { toFrostPublic } from '../../src/frost/sign.ts';
import {
  protocolFor,
  taprootOutputKey,
  type KeyShare,
  type PartyId,
  type SignParams,
  type SignRequest,
} from '../../src/index.ts';
import { codeOf } from '../machine/support.ts';
import { scalarBytes } from './mutations.ts';
import {
  frostSchemes,
  groupOf,
  hex,
  keyOf,
  partyNames,
  plain,
  resultsOf,
  run,
  seededRng,
  sha256,
  signStarts,
  suiteOf,
  theOne,
  unhex,
  type FrostScheme,
} from './network.ts';
import { bip340Verifies, nodeVerifies, opensslVerifies, publicKeyOf } from './reference.ts';

const sizes = [
  [2, 2],
  [2, 3],
  [3, 5],
  [5, 5],
] as const;

const choices = fc.array(fc.nat(), { minLength: 30, maxLength: 60, size: 'max' });
const messages = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constant(new Uint8Array(0)),
  fc.constant(new Uint8Array(5000)),
);
/** A quorum of at least `threshold` of the first n parties. */
const quorums = (threshold: number, n: number): fc.Arbitrary<PartyId[]> =>
  fc.subarray(partyNames.slice(0, n), { minLength: threshold });

/** Verifiers that share no code with the one the signer uses. */
const verifiesElsewhere = (
  scheme: FrostScheme,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean => {
  if (scheme === 'ed25519') return nodeVerifies(publicKey, message, signature);
  const x = publicKey.slice(1);
  const [ours, nobles] = [bip340Verifies(x, message, signature), schnorr.verify(signature, message, x)];
  if (ours !== nobles) throw new Error('two readings of BIP 340');
  return ours;
};

describe.each(frostSchemes)('signing with %s', (scheme) => {
  it.each(sizes)('%i of %i: any quorum signs any message, however the messages travel', (threshold, n) => {
    const shares = keyOf(scheme, threshold, n);
    const { publicKey } = groupOf(shares);
    let count = 0;
    fc.assert(
      fc.property(quorums(threshold, n), messages, choices, (quorum, message, numbers) => {
        let at = 0;
        const starts = signStarts(shares, quorum, plain(message), `${scheme} sign ${count++}`);
        const results = resultsOf(starts, (below) => (numbers[at++] ?? 0) % below);
        const signatures = [...results.values()].map(hex);
        // Every party has the same signature.
        expect(new Set(signatures).size).toBe(1);
        const signature = unhex(theOne(signatures[0]));
        expect(signature).toHaveLength(64);
        expect(verifiesElsewhere(scheme, publicKey, message, signature)).toBe(true);
        expect(verifiesElsewhere(scheme, publicKey, Uint8Array.from([...message, 0]), signature)).toBe(false);
        expect(protocolFor(scheme).verify(groupOf(shares), plain(message), signature)).toBe(true);
      }),
      { numRuns: n > 3 ? 1 : 5 },
    );
  });

  it('makes another signature of the same message each time', () => {
    const shares = keyOf(scheme, 2, 2);
    const request = plain(sha256('twice'));
    const starts = new Map(
      [...shares.values()].map((share) => {
        const params = { share, session: new Uint8Array(32), quorum: ['phone', 'server'], request };
        return [share.party, () => protocolFor(scheme).startSign(params)];
      }),
    );
    const once = (): string => hex(theOne(resultsOf(starts).get('phone')));
    expect(once()).not.toBe(once());
  });

  it('agrees with the library’s own aggregation, on a key that our key generation made', () => {
    // RFC 9591 itself is covered by the library's tests, which run its vectors; here only our use of it.
    const { signing } = suiteOf(scheme);
    const shares = keyOf(scheme, 2, 3);
    const pub = toFrostPublic(suiteOf(scheme), groupOf(shares), ['phone', 'usb']);
    const message = sha256('by the library');
    const signers = [1, 3].map((number) => {
      const share = theOne([...shares.values()][number - 1]);
      const secret = {
        identifier: signing.Identifier.fromNumber(number),
        signingShare: Uint8Array.from(share.secret.reveal()),
      };
      expect(() => signing.validateSecret(secret, pub)).not.toThrow();
      return { secret, ...signing.commit(secret) };
    });
    const commitments = signers.map((signer) => signer.commitments);
    const parts = Object.fromEntries(
      signers.map(({ secret, nonces }) => [
        secret.identifier,
        signing.signShare(secret, pub, nonces, commitments, message),
      ]),
    );
    const signature = signing.aggregate(pub, commitments, message, parts);
    expect(verifiesElsewhere(scheme, groupOf(shares).publicKey, message, signature)).toBe(true);
  });

  const base = (): SignParams => ({
    share: theOne(keyOf(scheme, 2, 3).get('phone')),
    session: new Uint8Array(32),
    quorum: ['phone', 'server'],
    request: plain(sha256('m')),
  });
  const share = (change: Partial<KeyShare>): Partial<SignParams> => ({
    share: { ...base().share, ...change },
  });
  const withSecret = (bytes: Uint8Array): Partial<SignParams> => share({ secret: new Secret(bytes) });
  const group = (change: Partial<KeyShare['group']>): Partial<SignParams> =>
    share({ group: { ...base().share.group, ...change } });
  const wiped = (): Secret => {
    const secret = new Secret(new Uint8Array(32));
    secret.wipe();
    return secret;
  };
  it.each<readonly [string, () => Partial<SignParams>, string | RegExp]>([
    ['a session of 31 bytes', () => ({ session: new Uint8Array(31) }), 'input/invalid-argument'],
    ['a session of 64 bytes', () => ({ session: new Uint8Array(64) }), 'input/invalid-argument'],
    ['nobody', () => ({ quorum: [] }), /^(policy\/unsatisfied|abort\/unknown-party)$/],
    ['one party of two', () => ({ quorum: ['phone'] }), 'policy/unsatisfied'],
    ['a quorum without the signer', () => ({ quorum: ['server', 'usb'] }), 'abort/unknown-party'],
    ['a stranger in the quorum', () => ({ quorum: ['phone', 'mallory'] }), 'abort/unknown-party'],
    ['a party twice', () => ({ quorum: ['phone', 'phone'] }), 'input/invalid-argument'],
    ['a quorum out of order', () => ({ quorum: ['server', 'phone'] }), 'input/invalid-argument'],
    ['a digest', () => ({ request: { message: sha256('m'), digest: 'sha256' } }), 'input/invalid-argument'],
    ['a share of an ECDSA key', () => group({ scheme: 'ecdsa-p256' }), 'input/invalid-argument'],
    ['the zero scalar', () => withSecret(new Uint8Array(32)), 'place/damaged'],
    ['a scalar over the order', () => withSecret(new Uint8Array(32).fill(255)), 'place/damaged'],
    ['31 bytes of secret', () => withSecret(new Uint8Array(31).fill(1)), 'place/damaged'],
    ['no secret', () => withSecret(new Uint8Array(0)), 'place/damaged'],
    ['a wiped secret', () => share({ secret: wiped() }), 'abort/state-consumed'],
  ])('refuses %s', (_name, change, code) => {
    expect(codeOf(() => protocolFor(scheme).startSign({ ...base(), ...change() }))).toMatch(code);
  });

  it('refuses the share of the other Schnorr scheme', () => {
    const other = scheme === 'ed25519' ? 'schnorr-secp256k1' : 'ed25519';
    expect(codeOf(() => protocolFor(other).startSign(base()))).toBe('input/invalid-argument');
  });

  it('lets no fewer than the threshold sign, whatever they claim', () => {
    fc.assert(
      fc.property(fc.subarray(partyNames.slice(0, 5), { minLength: 2, maxLength: 2 }), (few) => {
        const shares = keyOf(scheme, 3, 5);
        const start = (shrunk: boolean) => (): unknown => {
          const lie = new Map(
            few.map((party) => {
              const honest = theOne(shares.get(party));
              const { group } = honest;
              const policy = `thresh(2,${group.parties.join(',')})`;
              const smaller = { ...group, policy, threshold: 2, commitments: group.commitments.slice(0, 2) };
              return [party, shrunk ? { ...honest, group: smaller } : honest];
            }),
          );
          const ended = run(signStarts(lie, few, plain(sha256('too few')), 'too few'));
          expect([...ended.results]).toEqual([]);
          // Each share is right by itself: there is no one to blame.
          for (const error of ended.failures.values())
            expect(error).toMatchObject({ code: 'abort/bad-share', culprits: [] });
          expect(ended.failures.size).toBe(2);
          return ended;
        };
        expect(codeOf(start(false))).toBe('policy/unsatisfied');
        expect(codeOf(start(true))).toBe('ok');
      }),
      { numRuns: 1 },
    );
  });

  it('blames a party whose share is wrong, and that party sees it too', () => {
    const shares = keyOf(scheme, 2, 3);
    const wrong = { ...theOne(shares.get('server')), secret: new Secret(scalarBytes(scheme, 5n)) };
    const ended = run(
      signStarts(
        new Map([...shares, ['server', wrong]]),
        ['phone', 'server', 'usb'],
        plain(sha256('m')),
        'wrong share',
      ),
    );
    expect([...ended.results]).toEqual([]);
    expect([...ended.failures.keys()].toSorted()).toEqual(['phone', 'server', 'usb']);
    for (const error of ended.failures.values())
      expect(error).toMatchObject({
        code: 'abort/bad-share',
        culprits: ['server'],
        round: 2,
        retry: 'fresh',
      });
  });

  it('verify says false, never throws, for what is malformed', () => {
    const shares = keyOf(scheme, 2, 2);
    const { publicKey } = groupOf(shares);
    const request = plain(sha256('m'));
    const signature = theOne(
      resultsOf(signStarts(shares, ['phone', 'server'], request, 'verify')).get('phone'),
    );
    const verify = (change: Partial<KeyShare['group']>, about: SignRequest, bytes: Uint8Array): boolean =>
      protocolFor(scheme).verify({ ...groupOf(shares), ...change }, about, bytes);
    expect(verify({}, request, signature)).toBe(true);
    for (let at = 0; at < 64; at += 7)
      expect(verify({}, request, signature.with(at, (signature[at] ?? 0) ^ 1))).toBe(false);
    for (const length of [0, 1, 63, 65, 1000])
      expect(verify({}, request, new Uint8Array(length))).toBe(false);
    expect(verify({}, plain(sha256('n')), signature)).toBe(false);
    for (const key of [
      new Uint8Array(0),
      new Uint8Array(32),
      new Uint8Array(33),
      publicKey.slice(1),
      new Uint8Array(publicKey.length).fill(255),
    ])
      expect(verify({ publicKey: key }, request, signature)).toBe(false);
  });
});

it('is accepted by the openssl command, and only for its own message and key', () => {
  const [shares, others] = [keyOf('ed25519', 2, 3), keyOf('ed25519', 2, 2)];
  const { publicKey } = groupOf(shares);
  const message = sha256('for openssl');
  const results = resultsOf(signStarts(shares, ['server', 'usb'], plain(message), 'openssl'));
  const signature = theOne(results.get('usb'));
  expect(opensslVerifies(publicKey, message, signature)).toBe(true);
  expect(opensslVerifies(publicKey, sha256('another'), signature)).toBe(false);
  expect(opensslVerifies(groupOf(others).publicKey, message, signature)).toBe(false);
});

it('reproduces the FROST(Ed25519, SHA-512) signature of RFC 9591 Appendix E.1 from its shares and randomness', () => {
  const publicKey = unhex('15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673');
  const { group } = theOne(keyOf('ed25519', 2, 3).get('phone'));
  const secrets = {
    phone: '929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509',
    server: 'a91e66e012e4364ac9aaa405fcafd370402d9859f7b6685c07eed76bf409e80d',
    usb: 'd3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02',
  };
  const randomness = {
    phone: [
      '0fd2e39e111cdc266f6c0f4d0fd45c947761f1f5d3cb583dfcb9bbaf8d4c9fec',
      '69cd85f631d5f7f2721ed5e40519b1366f340a87c2f6856363dbdcda348a7501',
    ],
    usb: [
      '86d64a260059e495d0fb4fcc17ea3da7452391baa494d4b00321098ed2a0062f',
      '13e6b25afb2eba51716a9a7d44130c0dbae0004a9ef8d7b5550c8a0e07c61775',
    ],
  };
  const vector = {
    ...group,
    publicKey,
    commitments: [publicKey, theOne(group.commitments[1])],
    verifyingShares: Object.values(secrets).map((secret) => publicKeyOf('ed25519', unhex(secret))),
  };
  const starts = new Map(
    (['phone', 'usb'] as const).map((party) => {
      // First its part of the session id, which the RFC does not have, then its two nonces' randomness.
      const draws = [seededRng(party)(32), ...randomness[party].map(unhex)];
      const params = {
        share: { group: vector, party, secret: new Secret(unhex(secrets[party])) },
        session: new Uint8Array(32),
        quorum: ['phone', 'usb'],
        request: plain(unhex('74657374')),
        rng: () => theOne(draws.shift()),
      };
      return [party, () => protocolFor('ed25519').startSign(params)];
    }),
  );
  expect(hex(theOne(resultsOf(starts).get('phone')))).toBe(
    '36282629c383bb820a88b71cae937d41f2f2adfcc3d02e55507e2fb9e2dd3cbe' +
      'bd9d2b0844e49ae0f3fa935161e1419aab7b47d21a37ebeae1f17d4987b3160b',
  );
});

describe('Taproot', () => {
  const script = { script: Uint8Array.of(0x51) };
  const roots = (x: Uint8Array): readonly (readonly [string, Uint8Array | undefined, Uint8Array])[] => {
    const tree = p2tr(x, script, undefined, true);
    return [
      ['no tweak', undefined, x],
      ['no script path (BIP 86)', new Uint8Array(0), p2tr(x).tweakedPubkey],
      ['a script tree', theOne(tree.tapMerkleRoot), tree.tweakedPubkey],
    ];
  };
  /** Keys whose public key has even y and keys whose has odd y: both parities of everything. */
  const keysOfBothParities = [2, 3, 4, 5].map((n) => keyOf('schnorr-secp256k1', 2, n));

  it('signs for the output key that @scure/btc-signer computes, for keys of either parity', () => {
    const prefixes = new Set<number>();
    for (const [i, shares] of keysOfBothParities.entries()) {
      const { publicKey } = groupOf(shares);
      prefixes.add(theOne(publicKey[0]));
      for (const [name, merkleRoot, outputKey] of roots(publicKey.slice(1))) {
        const request = {
          ...plain(sha256(`sighash ${i}`)),
          ...(merkleRoot === undefined ? {} : { taproot: { merkleRoot } }),
        };
        const signature = theOne(
          resultsOf(signStarts(shares, ['phone', 'server'], request, `${name} ${i}`)).get('server'),
        );
        expect(bip340Verifies(outputKey, request.message, signature), name).toBe(true);
        expect(schnorr.verify(signature, request.message, outputKey), name).toBe(true);
        expect(protocolFor('schnorr-secp256k1').verify(groupOf(shares), request, signature)).toBe(true);
        if (merkleRoot === undefined) continue;
        expect(hex(taprootOutputKey(publicKey, { merkleRoot }).slice(1))).toBe(hex(outputKey));
        // The tweak is part of what was signed: without it the signature is worth nothing.
        expect(
          protocolFor('schnorr-secp256k1').verify(groupOf(shares), plain(request.message), signature),
        ).toBe(false);
      }
    }
    expect([...prefixes].toSorted((a, b) => a - b)).toEqual([2, 3]);
  });

  it('does not let parties meet that understand the tweak differently', () => {
    const shares = keyOf('schnorr-secp256k1', 2, 2);
    const message = sha256('m');
    const [tweaked, untweaked] = [
      signStarts(
        shares,
        ['phone', 'server'],
        { ...plain(message), taproot: { merkleRoot: new Uint8Array(0) } },
        'tweak',
      ),
      signStarts(shares, ['phone', 'server'], plain(message), 'tweak'),
    ];
    const ended = run(new Map([...untweaked, ['phone', theOne(tweaked.get('phone'))]]));
    expect(ended.results.size).toBe(0);
    expect(ended.refusals.map(([, error]) => error.code)).toEqual([
      'abort/wrong-session',
      'abort/wrong-session',
    ]);
  });

  it.each([
    ['ed25519', 0],
    ['ed25519', 32],
    ['schnorr-secp256k1', 1],
    ['schnorr-secp256k1', 31],
    ['schnorr-secp256k1', 33],
    ['schnorr-secp256k1', 64],
  ] as const)('%s refuses a Merkle root of %i bytes', (scheme, length) => {
    const start = (): unknown =>
      protocolFor(scheme).startSign({
        share: theOne(keyOf(scheme, 2, 2).get('phone')),
        session: new Uint8Array(32),
        quorum: ['phone', 'server'],
        request: { ...plain(sha256('m')), taproot: { merkleRoot: new Uint8Array(length) } },
      });
    expect(codeOf(start)).toBe('input/invalid-argument');
  });
});

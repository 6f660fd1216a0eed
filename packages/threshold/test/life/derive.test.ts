import { HDKey } from '@scure/bip32';
import { schnorr } from '@noble/curves/secp256k1.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepsetError, fromHex, toHex } from '@keepset/bytes';
import {
  deriveGroup,
  keyIdOf,
  protocolFor,
  signContext,
  taprootOutputKey,
  xpub,
  type GroupKey,
  type PartyId,
  type Scheme,
} from '../../src/index.ts';
import {
  curveOf,
  dealKey,
  groupOf,
  interpolate,
  names,
  refresh,
  sessionOf,
  shareOf,
  sign,
  signRun,
  subsets,
} from './setup.ts';

const parties: readonly PartyId[] = names.slice(0, 3);
const { shares, privateKey } = dealKey('schnorr-secp256k1', parties, 2, 'derive');
const group = groupOf(shares);
const protocol = protocolFor('schnorr-secp256k1');
const message = new Uint8Array([1, 1, 2, 3, 5]);

const pathArbitrary = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 0x7fffffff })),
  { maxLength: 5 },
);

const master = (of: Pick<GroupKey, 'publicKey' | 'chainCode'>): HDKey =>
  new HDKey({ publicKey: of.publicKey, chainCode: of.chainCode });

const at = (key: HDKey, path: readonly number[]): HDKey =>
  path.reduce((parent, index) => parent.deriveChild(index), key);

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  throw new Error('not refused');
};

describe('deriveGroup and xpub', () => {
  it('agree with @scure/bip32 on every random path', () => {
    fc.assert(
      fc.property(pathArbitrary, (path) => {
        const theirs = at(master(group), path);
        const ours = deriveGroup(group, path);
        expect(ours.publicKey).toEqual(Uint8Array.from(theirs.publicKey!));
        expect(ours.chainCode).toEqual(Uint8Array.from(theirs.chainCode!));
        expect(ours.commitments[0]).toEqual(ours.publicKey);
        expect(ours.keyId).toBe(keyIdOf('schnorr-secp256k1', ours.publicKey));
        expect(xpub(group, 'mainnet', path)).toBe(theirs.publicExtendedKey);
      }),
      { numRuns: 25 },
    );
  });

  it('continue where a wallet goes on from the xpub', () => {
    const read = HDKey.fromExtendedKey(xpub(group, 'mainnet', [84, 0]));
    expect(read).toMatchObject({ depth: 2, index: 0 });
    expect(at(read, [1, 7]).publicExtendedKey).toBe(xpub(group, 'mainnet', [84, 0, 1, 7]));
    expect(HDKey.fromExtendedKey(xpub(group, 'mainnet'))).toMatchObject({
      depth: 0,
      index: 0,
      parentFingerprint: 0,
    });
  });

  it('write testnet keys with the testnet version', () => {
    const versions = { private: 0x04358394, public: 0x043587cf };
    const text = xpub(group, 'testnet', [3]);
    expect(text.startsWith('tpub')).toBe(true);
    expect(HDKey.fromExtendedKey(text, versions).publicKey).toEqual(master(group).deriveChild(3).publicKey);
  });

  it('compose', () => {
    expect(deriveGroup(deriveGroup(group, [1, 2]), [3])).toEqual(deriveGroup(group, [1, 2, 3]));
    expect(deriveGroup(group, [])).toEqual(group);
  });

  it('are the same before and after a refresh', () => {
    const { publicKey, chainCode, keyId } = deriveGroup(groupOf(refresh(shares, 'derive')), [4, 5]);
    expect(deriveGroup(group, [4, 5])).toMatchObject({ publicKey, chainCode, keyId });
  });

  it('follow SLIP-0010 on P-256, where it hashes on', () => {
    // SLIP-0010, test derivation retry for nist256p1: chain m/28578H, then /33941.
    const parent = {
      publicKey: fromHex('02519b5554a4872e8c9c1c847115363051ec43e93400e030ba3c36b52a3e70a5b7'),
      chainCode: fromHex('e94c8ebe30c2250a14713212f6449b20f3329105ea15b652ca5bdfc68f6c65c2'),
    };
    const p256Group: GroupKey = {
      ...group,
      ...parent,
      scheme: 'ecdsa-p256',
      verifyingShares: [],
      commitments: [],
    };
    const child = deriveGroup(p256Group, [33941]);
    expect(toHex(child.publicKey)).toBe('0235bfee614c0d5b2cae260000bb1d0d84b270099ad790022c1ae0b2e782efe120');
    expect(toHex(child.chainCode)).toBe('9e87fe95031f14736774cd82f25fd885065cb7c358c1edf813c72af535e83071');
    expect(codeOf(() => xpub(p256Group, 'mainnet'))).toBe('input/unsupported');
  });

  it.each([[[-1]], [[0x80000000]], [[0.5]], [[Number.NaN]], [Array<number>(256).fill(0)]])(
    'refuse path %#',
    (path) => {
      expect(codeOf(() => deriveGroup(group, path))).toBe('input/invalid-argument');
      expect(codeOf(() => xpub(group, 'mainnet', path))).toBe('input/invalid-argument');
      expect(codeOf(() => protocol.deriveShare(shareOf(shares, 'phone'), path))).toBe(
        'input/invalid-argument',
      );
      const request = { message, digest: 'none', path } as const;
      expect(codeOf(() => signRun(shares, ['phone', 'usb'], request, 'path'))).toBe('input/invalid-argument');
      expect(protocol.verify(group, request, new Uint8Array(64))).toBe(false);
    },
  );

  it('refuse ed25519, and say why', () => {
    const ed25519 = dealKey('ed25519', parties, 2, 'derive').shares;
    const request = { message, digest: 'none', path: [0] } as const;
    const refusals = [
      () => deriveGroup(groupOf(ed25519), [0]),
      () => protocolFor('ed25519').deriveShare(shareOf(ed25519, 'phone'), [0]),
      () => xpub(groupOf(ed25519), 'mainnet'),
      () => signRun(ed25519, ['phone', 'usb'], request, 'ed25519'),
    ];
    for (const refused of refusals) {
      expect(codeOf(refused)).toBe('input/unsupported');
      expect(refused).toThrow(expect.objectContaining({ hint: expect.stringContaining('SLIP-0010') }));
    }
    const plain = { message, digest: 'none' } as const;
    const signature = sign(ed25519, ['phone', 'usb'], plain, 'plain');
    expect(protocolFor('ed25519').verify(groupOf(ed25519), plain, signature)).toBe(true);
    expect(protocolFor('ed25519').verify(groupOf(ed25519), request, signature)).toBe(false);
    expect(sign(ed25519, ['phone', 'usb'], { ...plain, path: [] }, 'plain')).toEqual(signature);
  });
});

describe('deriveShare', () => {
  it('gives shares of the child’s private key that stand every check', () => {
    const path = [0, 5];
    const children = new Map(
      parties.map((party) => [party, protocol.deriveShare(shareOf(shares, party), path)] as const),
    );
    // BIP 32 CKDpriv, done by a wallet that has the private key.
    const wallet = new HDKey({
      privateKey: curveOf('schnorr-secp256k1').encodeScalar(privateKey),
      chainCode: group.chainCode,
    });
    const childKey = BigInt(`0x${toHex(Uint8Array.from(at(wallet, path).privateKey!))}`);
    for (const quorum of subsets(parties, 2)) expect(interpolate(children, quorum)).toBe(childKey);
    for (const share of children.values()) expect(protocol.checkShare(share)).toBe(true);
    expect(groupOf(children)).toEqual(deriveGroup(group, path));
  });
});

describe('signing at a path', () => {
  it('signs under the derived key, and only under it', () => {
    fc.assert(
      fc.property(pathArbitrary, fc.shuffledSubarray([...parties], { minLength: 2 }), (path, some) => {
        const quorum = parties.filter((party) => some.includes(party));
        const request = { message, digest: 'none', path } as const;
        const signature = sign(shares, quorum, request, 'sign');
        const key = at(master(group), path).publicKey!.subarray(1);
        expect(schnorr.verify(signature, message, key)).toBe(true);
        expect(protocol.verify(group, request, signature)).toBe(true);
        expect(protocol.verify(group, { ...request, path: [...path, 0] }, signature)).toBe(false);
        expect(protocol.verify(group, { message, digest: 'none' }, signature)).toBe(path.length === 0);
      }),
      { numRuns: 8 },
    );
  });

  it.each([new Uint8Array(), new Uint8Array(32).fill(7)])(
    'tweaks for Taproot after deriving',
    (merkleRoot) => {
      const request = { message, digest: 'none', path: [86, 1], taproot: { merkleRoot } } as const;
      const signature = sign(shares, ['server', 'usb'], request, 'taproot');
      const output = taprootOutputKey(deriveGroup(group, [86, 1]).publicKey, { merkleRoot });
      expect(schnorr.verify(signature, message, output.subarray(1))).toBe(true);
      expect(protocol.verify(group, request, signature)).toBe(true);
      const before = deriveGroup(
        { ...group, publicKey: taprootOutputKey(group.publicKey, { merkleRoot }) },
        [86, 1],
      );
      expect(schnorr.verify(signature, message, before.publicKey.subarray(1))).toBe(false);
    },
  );

  it('refuses to sign with someone who means another path', () => {
    const starts = (['phone', 'usb'] as const).map((party, i) => {
      const request = { message, digest: 'none', path: [i] } as const;
      const params = {
        share: shareOf(shares, party),
        session: sessionOf('paths'),
        quorum: ['phone', 'usb'],
        request,
      };
      return protocol.startSign(params);
    });
    const [phone, usb] = starts;
    if (phone?.status !== 'running' || usb === undefined) throw new Error('no round');
    expect(codeOf(() => phone.advance(usb.outgoing))).toBe('abort/wrong-session');
  });
});

describe('the context of a signature', () => {
  const session = sessionOf('context');
  const context = (scheme: Scheme, epoch: number, path?: readonly number[]): string => {
    const request = { message, digest: 'none', ...(path === undefined ? {} : { path }) } as const;
    return toHex(signContext({ ...group, scheme, epoch }, { session, quorum: ['phone', 'usb'], request }));
  };

  it('is the same for an absent and an empty path, and another for every path and epoch', () => {
    const plain = context('schnorr-secp256k1', 0);
    expect(context('schnorr-secp256k1', 0, [])).toBe(plain);
    const others = [
      context('schnorr-secp256k1', 0, [0]),
      context('schnorr-secp256k1', 0, [0, 0]),
      context('schnorr-secp256k1', 1),
      context('ecdsa-secp256k1', 0),
    ];
    expect(new Set([plain, ...others]).size).toBe(5);
  });

  it('has not changed since signatures without a path were first made', () => {
    const fixed = { keyId: 'a'.repeat(26), epoch: 0, scheme: 'ed25519', commitments: [] } as const;
    const request = { message: new Uint8Array([1]), digest: 'none' } as const;
    const params = { session: new Uint8Array(32), quorum: ['a', 'b'], request };
    expect(toHex(signContext(fixed, params))).toBe(
      '7590ee0c2dbf30742bc1acafb80137043f407d1f9cd914802398caef52936735',
    );
  });
});

/** Bitcoin addresses of keys. */
import { describe, expect, it } from 'vitest';
import { NETWORK, Address, OutScript } from '@scure/btc-signer';
import { fromHex } from '@keepset/bytes';
import { address, type IntentKey } from '../src/index.ts';
import { segwit, wpkhScript } from './psbt-maker.ts';
import { caught, plainKey } from './simulate.ts';

describe('addresses', () => {
  const key = (scheme: IntentKey['scheme'], publicKey: string): IntentKey => ({
    scheme,
    publicKey: fromHex(publicKey),
  });

  it('are those of the test vectors of BIP 86 and BIP 84', () => {
    const internal = 'cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115';
    for (const prefix of ['02', '03'])
      expect(address(key('schnorr-secp256k1', prefix + internal))).toBe(
        'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr',
      );
    expect(
      address(key('ecdsa-secp256k1', '0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c')),
    ).toBe('bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu');
  });

  it('differ by network', () => {
    const of = (network: 'mainnet' | 'testnet' | 'signet' | 'regtest') => address(segwit.key, network);
    expect([
      of('mainnet').slice(0, 4),
      of('testnet').slice(0, 4),
      of('signet').slice(0, 4),
      of('regtest').slice(0, 6),
    ]).toEqual(['bc1q', 'tb1q', 'tb1q', 'bcrt1q']);
    expect(of('mainnet')).toBe(Address(NETWORK).encode(OutScript.decode(wpkhScript)));
    expect(caught(() => address(segwit.key, 'moon' as 'mainnet')).code).toBe('input/unsupported');
  });

  it('are only for keys on secp256k1', () => {
    expect(caught(() => address(plainKey('ed25519', 1).key)).code).toBe('input/unsupported');
  });
});

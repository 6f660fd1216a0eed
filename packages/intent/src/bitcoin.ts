import { ripemd160 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Address, NETWORK, OutScript, TEST_NETWORK, utils } from '@scure/btc-signer';
import { KeepsetError, concatBytes } from '@keepset/bytes';
import type { BitcoinNetwork, IntentKey } from './intent.ts';
import { checkedKey, requireScheme } from './key.ts';

/**
 * The key's address: Taproot without a script path (BIP 86) for BIP 340 keys, native SegWit (P2WPKH) for ECDSA ones.
 * @throws KeepsetError `input/unsupported` for other schemes and unknown networks, `input/invalid-argument`.
 */
export const address = (key: IntentKey, network: BitcoinNetwork = 'mainnet'): string => {
  requireScheme(key, ['schnorr-secp256k1', 'ecdsa-secp256k1'], 'A Bitcoin address');
  const text = addressOfScript(ownScript(checkedKey(key), new Uint8Array()), network);
  if (text === undefined) throw new KeepsetError('bug/invariant', 'Own script without an address.');
  return text;
};

/** The address that pays to `script`, or undefined if there is none. @throws KeepsetError `input/unsupported` */
export const addressOfScript = (script: Uint8Array, network: BitcoinNetwork): string | undefined => {
  const parameters = networks.get(network);
  if (parameters === undefined)
    throw new KeepsetError('input/unsupported', 'Unknown Bitcoin network.', {
      hint: `Use one of ${[...networks.keys()].join(', ')}.`,
    });
  try {
    return Address(parameters).encode(OutScript.decode(script));
  } catch {
    return undefined;
  }
};

const networks: ReadonlyMap<string, typeof NETWORK> = new Map<BitcoinNetwork, typeof NETWORK>([
  ['mainnet', NETWORK],
  ['testnet', TEST_NETWORK],
  ['signet', TEST_NETWORK],
  ['regtest', { ...TEST_NETWORK, bech32: 'bcrt' }],
]);

/**
 * The output script that the key spends from.
 * @param merkleRoot Taproot only: 0 or 32 bytes.
 */
export const ownScript = (key: IntentKey, merkleRoot: Uint8Array): Uint8Array =>
  key.scheme === 'schnorr-secp256k1'
    ? concatBytes(Uint8Array.of(0x51, 0x20), taprootOutputKey(key.publicKey, merkleRoot))
    : concatBytes(Uint8Array.of(0x00, 0x14), hash160(key.publicKey));

/**
 * The x-only Taproot output key, 32 bytes.
 * @param publicKey internal key, 33 bytes; only its x counts.
 * @param merkleRoot 0 bytes (BIP 86) or 32.
 * @spec BIP 341 taproot_tweak_pubkey
 */
export const taprootOutputKey = (publicKey: Uint8Array, merkleRoot: Uint8Array): Uint8Array =>
  utils.taprootTweakPubkey(publicKey.subarray(1), merkleRoot)[0];

/** RIPEMD-160 of SHA-256, 20 bytes. */
export const hash160 = (bytes: Uint8Array): Uint8Array => ripemd160(sha256(bytes));

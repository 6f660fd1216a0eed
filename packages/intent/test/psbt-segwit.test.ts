/** PSBTs that spend P2WPKH outputs, and those that others sign too. */
import { describe, expect, it } from 'vitest';
import { schnorr } from '@noble/curves/secp256k1.js';
import { Transaction, p2tr } from '@scure/btc-signer';
import { fromHex, toBase64, toHex } from '@keepset/bytes';
import { detectIntent } from '../src/index.ts';
import { hash160 } from '../src/bitcoin.ts';
import { bip143Preimage, sha256d } from '../src/bip143.ts';
import { bip341Sighash, type PlainTransaction } from './bip341.ts';
import {
  input,
  proven,
  psbtOf,
  segwit,
  segwitExtra,
  segwitSpend,
  stranger,
  tapScript,
  taproot,
  taprootExtra,
  taprootSpend,
  xOnly,
  type Extra,
} from './psbt-maker.ts';
import { caught, plainKey, signAll, valuesOf } from './simulate.ts';

describe('P2WPKH PSBTs', () => {
  it('gives the transaction that btc-signer makes with the whole key', () => {
    const psbt = psbtOf(segwitSpend, segwitExtra);
    const intent = detectIntent(psbt, segwit.key);
    expect(intent.inputs.map(({ digest, taproot }) => [digest, taproot])).toEqual([
      ['sha256d', undefined],
      ['sha256d', undefined],
    ]);
    const whole = Transaction.fromPSBT(psbt);
    whole.sign(segwit.secret);
    whole.finalize();
    expect(intent.finish(signAll(segwit, intent)).text).toBe(whole.hex);
  });

  it('hashes as the example in BIP 143', () => {
    const output = (amount: bigint, hash: string) => ({
      amount,
      script: fromHex(`76a914${hash}88ac`),
    });
    const txid = (wire: string) => fromHex(wire).reverse();
    const preimage = bip143Preimage(
      {
        version: 1,
        lockTime: 17,
        inputs: [
          {
            txid: txid('fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f'),
            index: 0,
            sequence: 0xffffffee,
          },
          {
            txid: txid('ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a'),
            index: 1,
            sequence: 0xffffffff,
          },
        ],
        outputs: [
          output(112_340_000n, '8280b37df378db99f66f85c95a783a76ac7a6d59'),
          output(223_450_000n, '3bde42dbee7e4dbe6a21b2d50ce2f0167faa8159'),
        ],
      },
      1,
      hash160(fromHex('025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357')),
      600_000_000n,
    );
    expect(toHex(sha256d(preimage))).toBe('c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670');
  });

  it('signs a single input without its previous transaction, since the signature covers its amount', () => {
    const plain = {
      ...segwitSpend,
      inputs: segwitSpend.inputs.slice(0, 1),
      outputs: [{ script: stranger, amount: 69_000n }],
    };
    const intent = detectIntent(psbtOf(plain), segwit.key);
    expect(intent.finish(signAll(segwit, intent)).suffix).toBe('.tx');
  });

  it('insists on proven amounts with several inputs', () => {
    const error = caught(() => detectIntent(psbtOf(segwitSpend, [{ previous: true }, {}]), segwit.key));
    expect(error.code).toBe('input/invalid-argument');
    expect(error.message).toBe('The amount of input 2 is not proven.');
  });

  it('refuses a wrong signature', () => {
    const intent = detectIntent(psbtOf(segwitSpend, segwitExtra), segwit.key);
    const [a, b] = signAll(segwit, intent);
    expect(caught(() => intent.finish([b!, a!])).code).toBe('abort/bad-signature');
  });
});

describe('PSBTs that others sign too', () => {
  const mixed: PlainTransaction = proven({
    ...taprootSpend,
    inputs: [input(tapScript, 70_000n, 0), input(stranger, 60_000n, 0)],
    outputs: [{ script: stranger, amount: 129_000n }],
  });
  const mixedExtra: Extra[] = [{ previous: true }, { previous: true }];
  const other = plainKey('ecdsa-secp256k1', 7);

  it('come out as a PSBT, with a warning, and the others complete them', () => {
    const intent = detectIntent(psbtOf(mixed, mixedExtra), taproot.key);
    expect(intent.inputs).toHaveLength(1);
    expect(intent.warnings).toEqual([
      '1 input of 2 worth 0.00060000 BTC (60,000 sat) not of this key: others must sign as well.',
    ]);
    expect(valuesOf(intent, 'Fee')).toEqual(['0.00001000 BTC (1,000 sat), 0.76 % of the inputs']);
    const made = intent.finish(signAll(taproot, intent));
    expect(made.suffix).toBe('.psbt');
    expect(made.text).toBe(toBase64(made.bytes));
    expect(made.summary).toContain('1 input still to be signed by others.');

    const rest = detectIntent(made.bytes, other.key);
    expect(valuesOf(rest, 'Input 1 of 2')[0]).toContain('(not of this key, signed by its owner)');
    const whole = rest.finish(signAll(other, rest));
    expect(whole.suffix).toBe('.tx');
    expect(whole.summary).toContain('1 input signed by others: their signatures were not checked.');
    const [witness] = Transaction.fromRaw(whole.bytes).getInput(0).finalScriptWitness ?? [];
    expect(schnorr.verify(witness!, bip341Sighash(mixed, 0, 0), tapScript.subarray(2))).toBe(true);
  });

  it('refuses a PSBT without an input of this key', () => {
    const foreign = {
      ...mixed,
      inputs: mixed.inputs.slice(1),
      outputs: [{ script: stranger, amount: 1000n }],
    };
    expect(caught(() => detectIntent(psbtOf(foreign), taproot.key)).code).toBe('input/invalid-argument');
    expect(caught(() => detectIntent(psbtOf(taprootSpend, taprootExtra), segwit.key)).code).toBe(
      'input/invalid-argument',
    );
  });

  it('refuses an input that only claims to be of this key', () => {
    const claims = {
      ...mixed,
      inputs: [input(p2tr(plainKey('schnorr-secp256k1', 8).key.publicKey.subarray(1)).script, 200_000n, 1)],
    };
    expect(caught(() => detectIntent(psbtOf(claims, [{ tapInternalKey: xOnly }]), taproot.key)).code).toBe(
      'input/malformed',
    );
  });
});

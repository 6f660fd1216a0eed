/** PSBTs as btc-signer writes them: the keys, scripts and transactions that the tests of PSBTs share. */
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { Transaction, p2tr, p2wpkh } from '@scure/btc-signer';
import { concatBytes, toHex } from '@keepset/bytes';
import { sha256d } from '../src/bip143.ts';
import type { PlainTransaction } from './bip341.ts';
import { plainKey, utf8 } from './simulate.ts';

export const taproot = plainKey('schnorr-secp256k1', 6);
export const segwit = plainKey('ecdsa-secp256k1', 6);
export const xOnly = taproot.key.publicKey.subarray(1);
export const stranger = p2wpkh(plainKey('ecdsa-secp256k1', 7).key.publicKey).script;
export const tapScript = p2tr(xOnly).script;
export const wpkhScript = p2wpkh(segwit.key.publicKey).script;
export const merkleRoot = new Uint8Array(32).fill(0x5a);
export const opReturn = concatBytes(Uint8Array.of(0x6a, 0x05), utf8('hello'));

/** The script of the key with `merkleRoot`, by the BIP's formula. */
const rootedScript = ((): Uint8Array => {
  const { Point } = secp256k1;
  const t = schnorr.utils.taggedHash('TapTweak', concatBytes(xOnly, merkleRoot));
  const output = Point.fromBytes(concatBytes(Uint8Array.of(2), xOnly)).add(
    Point.BASE.multiply(BigInt(`0x${toHex(t)}`)),
  );
  return concatBytes(Uint8Array.of(0x51, 0x20), output.toBytes().subarray(1));
})();

/** What a PSBT says of an input beside what it spends. */
export interface Extra {
  readonly tapInternalKey?: Uint8Array;
  readonly tapMerkleRoot?: Uint8Array;
  readonly sighashType?: number;
  readonly previous?: boolean;
  readonly noUtxo?: boolean;
}

export const input = (script: Uint8Array, amount: bigint, n: number, sequence = 0xfffffffd) => ({
  txid: toHex(sha256d(Uint8Array.of(n))),
  index: n,
  sequence,
  amount,
  script,
});

/** A previous transaction that pays `amount` to `script` as its output 0. */
const previous = (script: Uint8Array, amount: bigint, n: number): Transaction => {
  const tx = new Transaction({ allowUnknownOutputs: true, allowUnknownInputs: true });
  tx.addInput({ txid: toHex(sha256d(Uint8Array.of(n))), index: 0 });
  tx.addOutput({ script, amount });
  return tx;
};

export const psbtOf = (
  plain: PlainTransaction,
  extra: readonly Extra[] = [],
  version: 0 | 2 = 0,
): Uint8Array => {
  const tx = new Transaction({
    version: plain.version,
    lockTime: plain.lockTime,
    allowUnknownOutputs: true,
    allowUnknownInputs: true,
    disableScriptCheck: true,
    PSBTVersion: version,
  });
  plain.inputs.forEach(({ txid, index, sequence, amount, script }, i) => {
    const { previous: full, noUtxo, ...fields } = extra[i] ?? {};
    tx.addInput({
      txid,
      index,
      sequence,
      ...(noUtxo === true || full === true ? {} : { witnessUtxo: { amount, script } }),
      ...(full === true ? { nonWitnessUtxo: previous(script, amount, i).unsignedTx } : {}),
      ...fields,
    });
  });
  for (const output of plain.outputs) tx.addOutput(output);
  return tx.toPSBT();
};

/** Inputs that spend output 0 of their previous transactions. */
export const proven = (plain: PlainTransaction): PlainTransaction => ({
  ...plain,
  inputs: plain.inputs.map((i, n) => ({ ...i, index: 0, txid: previous(i.script, i.amount, n).id })),
});

export const taprootSpend: PlainTransaction = {
  version: 2,
  lockTime: 850_000,
  inputs: [input(tapScript, 70_000n, 1), input(rootedScript, 50_000n, 2), input(tapScript, 30_000n, 3)],
  outputs: [
    { script: stranger, amount: 100_000n },
    { script: opReturn, amount: 0n },
    { script: tapScript, amount: 49_000n },
  ],
};
export const taprootExtra: Extra[] = [
  { tapInternalKey: xOnly },
  { tapInternalKey: xOnly, tapMerkleRoot: merkleRoot },
  { sighashType: 1 },
];

export const segwitSpend = proven({
  version: 2,
  lockTime: 0,
  inputs: [input(wpkhScript, 70_000n, 0, 0xffffffff), input(wpkhScript, 50_000n, 0, 0xffffffff)],
  outputs: [{ script: stranger, amount: 119_000n }],
});
export const segwitExtra: Extra[] = [{ previous: true }, { previous: true }];

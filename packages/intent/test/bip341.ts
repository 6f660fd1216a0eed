import { createHash } from 'node:crypto';

/** A transaction as the tests state it, before any library sees it. */
export interface PlainTransaction {
  readonly version: number;
  readonly lockTime: number;
  readonly inputs: readonly {
    /** As explorers show it. */
    readonly txid: string;
    readonly index: number;
    readonly sequence: number;
    readonly amount: bigint;
    readonly script: Uint8Array;
  }[];
  readonly outputs: readonly { readonly amount: bigint; readonly script: Uint8Array }[];
}

/**
 * The signature hash of a key path spend, from the BIP's text and with other tools than the package's:
 * node:crypto and Buffer.
 * @param hashType 0 (DEFAULT) or 1 (ALL).
 */
export const bip341Sighash = (tx: PlainTransaction, at: number, hashType: 0 | 1): Uint8Array => {
  const message = Buffer.concat([
    Buffer.from([0]), // epoch
    Buffer.from([hashType]),
    le(tx.version, 4),
    le(tx.lockTime, 4),
    hash(tx.inputs.map((i) => Buffer.concat([Buffer.from(i.txid, 'hex').reverse(), le(i.index, 4)]))),
    hash(tx.inputs.map((i) => le(i.amount, 8))),
    hash(tx.inputs.map((i) => withLength(i.script))),
    hash(tx.inputs.map((i) => le(i.sequence, 4))),
    hash(tx.outputs.map((o) => Buffer.concat([le(o.amount, 8), withLength(o.script)]))),
    Buffer.from([0]), // spend type: key path, no annex
    le(at, 4),
  ]);
  const tag = hash([Buffer.from('TapSighash')]);
  return Uint8Array.from(hash([tag, tag, message]));
};

const hash = (parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

const le = (value: number | bigint, size: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out.subarray(0, size);
};

const withLength = (script: Uint8Array): Buffer => {
  if (script.length > 0xfc) throw new RangeError('the tests use short scripts');
  return Buffer.concat([Buffer.from([script.length]), script]);
};

import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@keepset/bytes';

/** The parts of a transaction that a version 0 witness signature covers. Integers as in the transaction. */
export interface SpendingTransaction {
  readonly version: number;
  readonly lockTime: number;
  readonly inputs: readonly {
    /** As shown to people: the reverse of the order on the wire. */
    readonly txid: Uint8Array;
    readonly index: number;
    readonly sequence: number;
  }[];
  readonly outputs: readonly { readonly amount: bigint; readonly script: Uint8Array }[];
}

/**
 * The preimage of the signature hash of a P2WPKH input under SIGHASH_ALL; its double SHA-256 is signed.
 * @param keyHash HASH160 of the public key.
 * @param amount satoshi that the input spends.
 * @spec BIP 143
 */
export const bip143Preimage = (
  tx: SpendingTransaction,
  at: number,
  keyHash: Uint8Array,
  amount: bigint,
): Uint8Array => {
  const input = tx.inputs[at];
  if (input === undefined) throw new RangeError('no such input');
  const outpoints = tx.inputs.map(outpoint);
  return concatBytes(
    uint32(tx.version),
    sha256d(concatBytes(...outpoints)),
    sha256d(concatBytes(...tx.inputs.map(({ sequence }) => uint32(sequence)))),
    outpoint(input),
    // scriptCode: the P2PKH script of the same key hash, with its length.
    Uint8Array.of(0x19, 0x76, 0xa9, 0x14),
    keyHash,
    Uint8Array.of(0x88, 0xac),
    uint64(amount),
    uint32(input.sequence),
    sha256d(
      concatBytes(
        ...tx.outputs.map((o) => concatBytes(uint64(o.amount), compactSize(o.script.length), o.script)),
      ),
    ),
    uint32(tx.lockTime),
    uint32(1),
  );
};

/** SHA-256 twice. */
export const sha256d = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes));

const outpoint = ({ txid, index }: { txid: Uint8Array; index: number }): Uint8Array =>
  concatBytes(Uint8Array.from(txid).reverse(), uint32(index));

const uint32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
};

const uint64 = (value: bigint): Uint8Array => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value, true);
  return out;
};

const compactSize = (value: number): Uint8Array => {
  if (value < 0xfd) return Uint8Array.of(value);
  if (value <= 0xffff) return Uint8Array.of(0xfd, value & 0xff, value >> 8);
  return concatBytes(Uint8Array.of(0xfe), uint32(value));
};

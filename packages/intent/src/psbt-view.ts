import { SigHash, Transaction } from '@scure/btc-signer';
import { KeepsetError, bytesEqual, invariant, toHex } from '@keepset/bytes';
import { bip143Preimage, sha256d } from './bip143.ts';
import { hash160, ownScript } from './bitcoin.ts';
import type { IntentKey, SignInput } from './intent.ts';
import { maxSignatures } from './limits.ts';
import { countMaps } from './psbt-maps.ts';

/** A PSBT understood: everything that is described and signed comes from here. */
export interface PsbtView {
  readonly inputs: readonly PsbtInput[];
  readonly outputs: readonly PsbtOutput[];
  /** Satoshi. */
  readonly fee: bigint;
  readonly version: number;
  readonly lockTime: number;
  /** The transaction without signatures, serialised. */
  readonly unsigned: Uint8Array;
}

export interface PsbtInput {
  /** Transaction id and output number, as explorers show them. */
  readonly outpoint: string;
  readonly amount: bigint;
  readonly script: Uint8Array;
  readonly sequence: number;
  /** What to sign, if the input belongs to the key. */
  readonly own: OwnInput | undefined;
  readonly finalized: boolean;
}

interface OwnInput {
  readonly sighash: 0 | 1;
  readonly request: SignInput;
}

export interface PsbtOutput {
  readonly amount: bigint;
  readonly script: Uint8Array;
  /** Pays to a script that this key spends from. */
  readonly own: boolean;
}

/**
 * Parses a PSBT of version 0 or 2.
 * @throws KeepsetError `input/malformed`
 */
export const parsePsbt = (bytes: Uint8Array): Transaction => {
  const maps = countMaps(bytes);
  let tx: Transaction;
  try {
    // Unknown fields and scripts are kept: what is not understood must be shown, not dropped.
    tx = Transaction.fromPSBT(bytes, {
      allowUnknownInputs: true,
      allowUnknownOutputs: true,
      unknown: 'ignore',
    });
  } catch (cause) {
    throw new KeepsetError('input/malformed', 'Not a valid PSBT, or one whose parts contradict each other.', {
      cause,
    });
  }
  // The parser overlooks maps that belong to no input or output.
  if (maps !== 1 + tx.inputsLength + tx.outputsLength)
    throw malformed('The PSBT has parts that belong to nothing.');
  return tx;
};

/**
 * Reads what a transaction does and what of it the key has to sign.
 *
 * An input belongs to the key only if the script it spends is the one made from the key: by BIP 341 with the
 * Merkle root in the PSBT (none: BIP 86), or P2WPKH. Claims in the PSBT's other fields do not count.
 * @throws KeepsetError `input/malformed`, `input/invalid-argument`, `input/unsupported`, `wire/too-large`
 */
export const viewPsbt = (tx: Transaction, key: IntentKey): PsbtView => {
  const spent = Array.from({ length: tx.inputsLength }, (_, i) => spentBy(tx, i));
  if (spent.length === 0 || tx.outputsLength === 0) throw malformed('The PSBT has no inputs or no outputs.');
  if (new Set(spent.map(({ outpoint }) => outpoint)).size !== spent.length)
    throw malformed('The PSBT spends the same output twice.');
  const outputs = Array.from({ length: tx.outputsLength }, (_, i) => outputAt(tx, i));
  const fee = total(spent) - total(outputs);
  if (fee < 0n) throw malformed('The outputs are worth more than the inputs.');
  const owned = spent.map((input) => isOwn(input, key));
  const count = owned.filter(Boolean).length;
  if (count === 0)
    throw new KeepsetError('input/invalid-argument', 'No input of this PSBT belongs to this key.', {
      hint: 'Is it the right key, and is the Merkle root of a script path in the PSBT?',
    });
  if (count > maxSignatures)
    throw new KeepsetError(
      'wire/too-large',
      `${count} inputs belong to this key; the limit is ${maxSignatures}.`,
    );
  if (key.scheme === 'ecdsa-secp256k1') requireProvenAmounts(spent);
  const ownScripts = new Set([
    toHex(ownScript(key, new Uint8Array())),
    ...spent.filter((_, i) => owned[i]).map(({ script }) => toHex(script)),
  ]);
  return {
    inputs: spent.map((input, i) => ({
      outpoint: input.outpoint,
      amount: input.amount,
      script: input.script,
      sequence: input.sequence,
      finalized: input.finalized,
      own: owned[i] === true ? ownInput(tx, spent, outputs, i, key) : undefined,
    })),
    outputs: outputs.map((output) => ({ ...output, own: ownScripts.has(toHex(output.script)) })),
    fee,
    version: tx.version,
    lockTime: tx.lockTime,
    unsigned: tx.unsignedTx,
  };
};

type RawInput = ReturnType<Transaction['getInput']>;

/** An input with the output it spends. */
interface Spent {
  readonly at: number;
  readonly raw: RawInput;
  readonly txid: Uint8Array;
  readonly index: number;
  readonly outpoint: string;
  readonly sequence: number;
  readonly amount: bigint;
  readonly script: Uint8Array;
  readonly finalized: boolean;
}

const spentBy = (tx: Transaction, at: number): Spent => {
  const raw = tx.getInput(at);
  const { txid, index, sequence = 0xffffffff, nonWitnessUtxo, witnessUtxo } = raw;
  if (txid === undefined || index === undefined)
    throw malformed(`Input ${at + 1} does not say what it spends.`);
  // The parser has checked the previous transaction against the txid, and the two forms against each other.
  const output = nonWitnessUtxo === undefined ? witnessUtxo : nonWitnessUtxo.outputs[index];
  if (output === undefined)
    throw new KeepsetError('input/invalid-argument', `The PSBT does not say what input ${at + 1} is worth.`, {
      hint: 'Have the wallet add the spent outputs (witness UTXO or previous transaction) of every input.',
    });
  return {
    at,
    raw,
    txid,
    index,
    outpoint: `${toHex(txid)}:${index}`,
    sequence,
    amount: checkedAmount(output.amount, `Input ${at + 1}`),
    script: output.script,
    finalized: (raw.finalScriptWitness?.length ?? 0) > 0 || (raw.finalScriptSig?.length ?? 0) > 0,
  };
};

const outputAt = (tx: Transaction, at: number): { amount: bigint; script: Uint8Array } => {
  const { amount, script } = tx.getOutput(at);
  if (amount === undefined || script === undefined)
    throw malformed(`Output ${at + 1} lacks amount or script.`);
  return { amount: checkedAmount(amount, `Output ${at + 1}`), script };
};

/** All the bitcoin there will be, in satoshi. */
const maxMoney = 2_100_000_000_000_000n;

const checkedAmount = (amount: bigint, what: string): bigint => {
  if (amount < 0n || amount > maxMoney) throw malformed(`${what} has an impossible amount.`);
  return amount;
};

const total = (items: readonly { readonly amount: bigint }[]): bigint =>
  items.reduce((sum, { amount }) => sum + amount, 0n);

/** @throws KeepsetError `input/malformed` if the PSBT names the key for an input whose script is not the key's. */
const isOwn = ({ raw, script, at }: Spent, key: IntentKey): boolean => {
  if (key.scheme === 'ecdsa-secp256k1') return bytesEqual(script, ownScript(key, new Uint8Array()));
  if (bytesEqual(script, ownScript(key, merkleRootOf(raw)))) return true;
  if (raw.tapInternalKey !== undefined && bytesEqual(raw.tapInternalKey, key.publicKey.subarray(1)))
    throw malformed(`Input ${at + 1} names this key, but what it spends belongs to another.`);
  return false;
};

const merkleRootOf = (raw: RawInput): Uint8Array => raw.tapMerkleRoot ?? new Uint8Array();

/**
 * A version 0 witness signature covers the amount of its own input only. Someone who lies about the others could
 * combine two signings into one transaction with a far higher fee, so with several inputs each amount must come
 * with the transaction that proves it.
 * @spec BIP 174, Signer
 */
const requireProvenAmounts = (spent: readonly Spent[]): void => {
  if (spent.length === 1) return;
  const unproven = spent.find(({ raw }) => raw.nonWitnessUtxo === undefined);
  if (unproven !== undefined)
    throw new KeepsetError(
      'input/invalid-argument',
      `The amount of input ${unproven.at + 1} is not proven.`,
      {
        hint: 'Have the wallet add the previous transaction (non-witness UTXO) of every input.',
      },
    );
};

const ownInput = (
  tx: Transaction,
  spent: readonly Spent[],
  outputs: readonly { amount: bigint; script: Uint8Array }[],
  at: number,
  key: IntentKey,
): OwnInput => {
  const input = spent[at];
  invariant(input !== undefined, 'own input exists');
  const { raw, finalized } = input;
  if (finalized || raw.tapKeySig !== undefined || (raw.partialSig?.length ?? 0) > 0)
    throw new KeepsetError('input/invalid-argument', `Input ${at + 1} is already signed.`, {
      hint: 'Give the PSBT as it was before this key signed.',
    });
  if (key.scheme === 'ecdsa-secp256k1') {
    requireSighash(raw.sighashType ?? SigHash.ALL, [SigHash.ALL], at);
    const keyHash = hash160(key.publicKey);
    const message = bip143Preimage(
      { version: tx.version, lockTime: tx.lockTime, inputs: spent, outputs },
      at,
      keyHash,
      input.amount,
    );
    const scriptCode = message.subarray(105, 130);
    invariant(
      bytesEqual(sha256d(message), tx.preimageWitnessV0(at, scriptCode, SigHash.ALL, input.amount)),
      'two computations of the BIP 143 hash agree',
    );
    return { sighash: 1, request: { message, digest: 'sha256d' } };
  }
  const sighash = raw.sighashType ?? SigHash.DEFAULT;
  requireSighash(sighash, [SigHash.DEFAULT, SigHash.ALL], at);
  const message = tx.preimageWitnessV1(
    at,
    spent.map(({ script }) => script),
    sighash,
    spent.map(({ amount }) => amount),
  );
  return {
    sighash: sighash === SigHash.ALL ? 1 : 0,
    request: { message, digest: 'none', taproot: { merkleRoot: merkleRootOf(raw) } },
  };
};

const requireSighash = (found: number, allowed: readonly number[], at: number): void => {
  if (!allowed.includes(found))
    throw new KeepsetError('policy/forbidden', `Input ${at + 1} asks for signature hash type ${found}.`, {
      hint: 'Only types that fix every input and output are signed: DEFAULT and ALL.',
    });
};

const malformed = (message: string): KeepsetError => new KeepsetError('input/malformed', message);

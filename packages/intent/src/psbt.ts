import { Transaction } from '@scure/btc-signer';
import { KeepsetError, bytesEqual, concatBytes, fromBase64, invariant, toBase64 } from '@keepset/bytes';
import type { Artefact, Format, IntentKey } from './intent.ts';
import { maxPsbtBytes, requireAtMost } from './limits.ts';
import { describePsbt, psbtWarnings } from './psbt-describe.ts';
import { parsePsbt, viewPsbt, type PsbtView } from './psbt-view.ts';
import { checkedSignatures, derSignature } from './signature.ts';
import { counted, startsWith, trimmedAscii } from './text.ts';

/**
 * Bitcoin transactions as PSBT, binary or base64: Taproot key path for BIP 340 keys, P2WPKH for ECDSA keys.
 * @spec BIP 174, BIP 370, BIP 371, BIP 341, BIP 86, BIP 143
 */
export const psbtFormat: Format = {
  kind: 'psbt',
  title: 'Bitcoin transaction (PSBT)',
  schemes: ['schnorr-secp256k1', 'ecdsa-secp256k1'],
  create(bytes, key, { network = 'mainnet' }) {
    requireAtMost(bytes, maxPsbtBytes, 'The PSBT');
    const psbt = binaryPsbt(bytes);
    const view = viewPsbt(parsePsbt(psbt), key);
    const inputs = view.inputs.flatMap(({ own }) => (own === undefined ? [] : [own.request]));
    return {
      kind: 'psbt',
      description: describePsbt(view, network),
      warnings: psbtWarnings(view, network),
      inputs,
      finish: (signatures) => finishPsbt(psbt, view, key, checkedSignatures(key, inputs, signatures)),
    };
  },
};

const magic = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff);

/** Whether the bytes are marked as a PSBT, binary or base64. */
export const looksLikePsbt = (bytes: Uint8Array): boolean =>
  startsWith(bytes, magic) || (trimmedAscii(bytes.subarray(0, 64)) ?? '').startsWith('cHNidP');

/** @throws KeepsetError `input/malformed` */
const binaryPsbt = (bytes: Uint8Array): Uint8Array => {
  if (startsWith(bytes, magic)) return bytes;
  const text = trimmedAscii(bytes)?.replaceAll(/\s+/g, '');
  const binary = text === undefined || text === '' ? undefined : fromBase64(text);
  if (binary === undefined || !startsWith(binary, magic))
    throw new KeepsetError('input/malformed', 'Not a PSBT: neither its binary form nor base64 of it.');
  return binary;
};

/**
 * Puts the signatures in and finalises the key's inputs. If that completes the transaction, it comes out
 * extracted, else as a PSBT for the others.
 * @param signatures checked, one per own input.
 */
const finishPsbt = (
  psbt: Uint8Array,
  view: PsbtView,
  key: IntentKey,
  signatures: readonly Uint8Array[],
): Artefact => {
  const tx = parsePsbt(psbt);
  const queue = [...signatures];
  view.inputs.forEach(({ own }, at) => {
    if (own === undefined) return;
    const signature = queue.shift();
    invariant(signature !== undefined, 'one signature per own input');
    if (key.scheme === 'ecdsa-secp256k1')
      tx.updateInput(
        at,
        {
          partialSig: [
            [key.publicKey, concatBytes(derSignature(key, signature), Uint8Array.of(own.sighash))],
          ],
        },
        true,
      );
    else
      tx.updateInput(
        at,
        { tapKeySig: own.sighash === 0 ? signature : concatBytes(signature, Uint8Array.of(own.sighash)) },
        true,
      );
    tx.finalizeIdx(at);
  });
  // What was described is what was signed is what comes out.
  invariant(bytesEqual(tx.unsignedTx, view.unsigned), 'the transaction is unchanged');
  return tx.isFinal ? extracted(tx, view) : partial(tx, view);
};

const extracted = (tx: Transaction, view: PsbtView): Artefact => {
  const bytes = tx.extract();
  const again = Transaction.fromRaw(bytes, { allowUnknownInputs: true, allowUnknownOutputs: true });
  invariant(bytesEqual(again.unsignedTx, view.unsigned), 'the extracted transaction is unchanged');
  const foreign = view.inputs.filter(({ own }) => own === undefined).length;
  return {
    bytes,
    text: tx.hex,
    mediaType: 'application/octet-stream',
    suffix: '.tx',
    summary: [
      `Signed Bitcoin transaction ${tx.id}`,
      ...(foreign === 0
        ? []
        : [`${counted(foreign, 'input')} signed by others: their signatures were not checked.`]),
    ],
  };
};

const partial = (tx: Transaction, view: PsbtView): Artefact => {
  const bytes = tx.toPSBT();
  const missing = view.inputs.filter(({ own, finalized }) => own === undefined && !finalized).length;
  return {
    bytes,
    text: toBase64(bytes),
    mediaType: 'application/octet-stream',
    suffix: '.psbt',
    summary: [
      `Signed PSBT of transaction ${tx.id}`,
      `${counted(missing, 'input')} still to be signed by others.`,
    ],
  };
};

import { keccak_256 } from '@noble/hashes/sha3.js';
import { KeepsetError, fromHex, toHex } from '@keepset/bytes';
import { decodeEip1559, encodeEip1559, parseEip1559Json, type Eip1559 } from './eip1559.ts';
import { checksummed, ethereumAddress } from './ethereum-address.ts';
import { describeCall, type CallView } from './ethereum-call.ts';
import type { DescriptionLine, Format } from './intent.ts';
import { peekJsonObject } from './json.ts';
import { maxMessageBytes, requireAtMost } from './limits.ts';
import { checkedSignatures } from './signature.ts';
import { counted, decimal, grouped, line, trimmedAscii } from './text.ts';

/**
 * Ethereum transactions of type 2, unsigned, as JSON, bytes or hex text.
 * @spec EIP-1559
 */
export const ethereumFormat: Format = {
  kind: 'ethereum',
  title: 'Ethereum transaction (EIP-1559)',
  schemes: ['ecdsa-secp256k1'],
  create(bytes, key) {
    requireAtMost(bytes, maxMessageBytes, 'The transaction');
    const from = ethereumAddress(key);
    const { tx, from: stated } = parse(bytes);
    if (stated !== undefined && checksummed(stated) !== from)
      throw new KeepsetError(
        'input/invalid-argument',
        `The transaction is from ${checksummed(stated)}, this key is ${from}.`,
      );
    const call = tx.data.length === 0 || tx.to === undefined ? undefined : describeCall(tx.data);
    const inputs = [{ message: encodeEip1559(tx), digest: 'keccak256' }] as const;
    return {
      kind: 'ethereum',
      description: describe(tx, from, call),
      warnings: [...warningsFor(tx), ...(call?.warnings ?? [])],
      inputs,
      finish(signatures) {
        const [signature = new Uint8Array()] = checkedSignatures(key, inputs, signatures);
        const recovery = signature[64];
        // 2 and 3 stand for an r above the group order, which Ethereum cannot express; probability 2^-128.
        if (recovery !== 0 && recovery !== 1)
          throw new KeepsetError('abort/bad-signature', 'Ethereum cannot express this recovery id.', {
            hint: 'Sign again.',
          });
        const raw = encodeEip1559(tx, {
          yParity: recovery,
          r: signature.subarray(0, 32),
          s: signature.subarray(32, 64),
        });
        return {
          bytes: raw,
          text: `0x${toHex(raw)}`,
          mediaType: 'application/octet-stream',
          suffix: '.tx',
          summary: [
            `Signed Ethereum transaction 0x${toHex(keccak_256(raw))}`,
            `From ${from}, chain ${tx.chainId}, nonce ${tx.nonce}`,
          ],
        };
      },
    };
  },
};

/** Whether the bytes look like an Ethereum transaction of any type or form. */
export const looksLikeEthereum = (bytes: Uint8Array): boolean => {
  if (bytes.length > maxMessageBytes) return false;
  const binary = hexOf(bytes) ?? bytes;
  if (binary[0] === 0x02) {
    try {
      decodeEip1559(binary);
      return true;
    } catch (error) {
      // Signed already: surely a transaction, and worth saying so.
      if (error instanceof KeepsetError && error.code === 'input/invalid-argument') return true;
    }
  }
  const json = peekJsonObject(bytes);
  if (json === undefined) return false;
  const has = (name: string): boolean => Object.hasOwn(json, name);
  return (
    ['maxFeePerGas', 'maxPriorityFeePerGas', 'gasPrice'].some(has) ||
    (has('chainId') && ['nonce', 'to', 'value'].some(has))
  );
};

/** The bytes that hex text stands for, with or without 0x; undefined for anything else. */
const hexOf = (bytes: Uint8Array): Uint8Array | undefined => {
  const text = trimmedAscii(bytes);
  if (text === undefined || !/^(?:0x)?(?:[0-9a-fA-F]{2})+$/.test(text)) return undefined;
  return fromHex(text.replace(/^0x/, '').toLowerCase());
};

const parse = (bytes: Uint8Array): { tx: Eip1559; from: Uint8Array | undefined } => {
  const hex = hexOf(bytes);
  if (hex !== undefined) return { tx: decodeEip1559(hex), from: undefined };
  if (/^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 64)))) return parseEip1559Json(bytes);
  if (bytes.length === 0) throw new KeepsetError('input/malformed', 'The transaction is empty.');
  return { tx: decodeEip1559(bytes), from: undefined };
};

/** Chains by id, with the name of the coin that amounts and fees are in. */
const chains: ReadonlyMap<bigint, readonly [name: string, coin: string]> = new Map([
  [1n, ['Ethereum', 'ETH']],
  [10n, ['OP Mainnet', 'ETH']],
  [56n, ['BNB Smart Chain', 'BNB']],
  [100n, ['Gnosis', 'xDAI']],
  [137n, ['Polygon', 'POL']],
  [8453n, ['Base', 'ETH']],
  [42161n, ['Arbitrum One', 'ETH']],
  [43114n, ['Avalanche C-Chain', 'AVAX']],
  [17000n, ['Holesky (test)', 'test ETH']],
  [560048n, ['Hoodi (test)', 'test ETH']],
  [11155111n, ['Sepolia (test)', 'test ETH']],
]);

const describe = (tx: Eip1559, from: string, call: CallView | undefined): readonly DescriptionLine[] => {
  const [name, coin] = chains.get(tx.chainId) ?? ['not known by name', 'coins'];
  const gwei = (wei: bigint): string => `${decimal(wei, 9, 0)} gwei`;
  const keys = tx.accessList.reduce((sum, { storageKeys }) => sum + storageKeys.length, 0);
  return [
    line('Format', 'Ethereum transaction (EIP-1559)'),
    line('Chain', `${tx.chainId}, ${name}`),
    line('From', `${from} (this key)`),
    line('To', tx.to === undefined ? 'nobody: it creates a contract' : checksummed(tx.to)),
    line('Amount', `${decimal(tx.value, 18, 0)} ${coin} (${grouped(tx.value)} wei)`),
    line(
      'Fee at most',
      `${decimal(maxFee(tx), 18, 0)} ${coin}: ${grouped(tx.gasLimit)} gas at up to ${gwei(tx.maxFeePerGas)}, ` +
        `of it up to ${gwei(tx.maxPriorityFeePerGas)} as a tip`,
    ),
    line('Nonce', tx.nonce.toString()),
    ...(tx.to === undefined ? describeCall(tx.data).description : (call?.description ?? [])),
    ...(tx.accessList.length === 0
      ? []
      : [
          line(
            'Access list',
            `${counted(tx.accessList.length, 'contract')}, ${counted(keys, 'storage slot')}`,
          ),
        ]),
  ];
};

const maxFee = (tx: Eip1559): bigint => tx.gasLimit * tx.maxFeePerGas;

const milliCoin = 10n ** 15n;
/** A maximum fee above both of these is warned of: 0.05 coins, and a tenth of the amount. */
const highFee = 50n * milliCoin;

const warningsFor = (tx: Eip1559): readonly string[] => {
  const warnings: string[] = [];
  if (!chains.has(tx.chainId)) warnings.push(`Chain ${tx.chainId} is not known here by name.`);
  if (tx.to === undefined)
    warnings.push('It creates a contract; what the contract does is not understood here.');
  if (tx.to?.every((b) => b === 0) === true)
    warnings.push('The recipient is the zero address: what goes there is lost.');
  if (maxFee(tx) > highFee && maxFee(tx) * 10n > tx.value)
    warnings.push('The fee may be high: more than a tenth of the amount.');
  if (tx.gasLimit < 21_000n) warnings.push('The gas limit is below 21,000: no node will accept it.');
  return warnings;
};

import { KeepsetError, bytesEqual, concatBytes, fromHex, printable } from '@keepset/bytes';
import { parseAddress } from './ethereum-address.ts';
import { parseJsonObject, type JsonObject } from './json.ts';
import { decodeRlp, encodeRlp, rlpInteger, type Rlp } from './rlp.ts';

/** An unsigned transaction. Amounts in wei. */
export interface Eip1559 {
  readonly chainId: bigint;
  readonly nonce: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly maxFeePerGas: bigint;
  readonly gasLimit: bigint;
  /** 20 bytes; undefined creates a contract. */
  readonly to: Uint8Array | undefined;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessList: readonly AccessEntry[];
}

interface AccessEntry {
  readonly address: Uint8Array;
  readonly storageKeys: readonly Uint8Array[];
}

/** What a signature adds. */
export interface Eip1559Signature {
  readonly yParity: 0 | 1;
  /** Big-endian, 32 bytes. */
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}

/**
 * The transaction in bytes: without a signature the preimage of what is signed, with one the raw transaction.
 * @spec EIP-2718, EIP-1559
 */
export const encodeEip1559 = (tx: Eip1559, signature?: Eip1559Signature): Uint8Array => {
  const fields: Rlp[] = [
    rlpInteger(tx.chainId),
    rlpInteger(tx.nonce),
    rlpInteger(tx.maxPriorityFeePerGas),
    rlpInteger(tx.maxFeePerGas),
    rlpInteger(tx.gasLimit),
    tx.to ?? new Uint8Array(),
    rlpInteger(tx.value),
    tx.data,
    tx.accessList.map(({ address, storageKeys }) => [address, storageKeys]),
  ];
  if (signature !== undefined)
    fields.push(
      rlpInteger(BigInt(signature.yParity)),
      withoutLeadingZeros(signature.r),
      withoutLeadingZeros(signature.s),
    );
  return concatBytes(Uint8Array.of(0x02), encodeRlp(fields));
};

/**
 * Reads an unsigned transaction in bytes.
 * @throws KeepsetError `input/malformed`, `input/unsupported` for another type, `input/invalid-argument` for a signed one.
 */
export const decodeEip1559 = (bytes: Uint8Array): Eip1559 => {
  if (bytes[0] !== 0x02) throw unsupportedType();
  const fields = decodeRlp(bytes.subarray(1));
  if (fields instanceof Uint8Array) throw malformed('it is not a list of fields');
  if (fields.length === 12) throw alreadySigned();
  if (fields.length !== 9) throw malformed(`it has ${fields.length} fields instead of 9`);
  const to = bytesAt(fields, 5, 'to');
  if (to.length !== 0 && to.length !== 20) throw malformed('to is not an address');
  const tx: Eip1559 = {
    chainId: integerAt(fields, 0, 'chainId'),
    nonce: integerAt(fields, 1, 'nonce'),
    maxPriorityFeePerGas: integerAt(fields, 2, 'maxPriorityFeePerGas'),
    maxFeePerGas: integerAt(fields, 3, 'maxFeePerGas'),
    gasLimit: integerAt(fields, 4, 'gas'),
    to: to.length === 0 ? undefined : to,
    value: integerAt(fields, 6, 'value'),
    data: bytesAt(fields, 7, 'data'),
    accessList: accessListOf(fields[8]),
  };
  // What is described must be what is signed: one meaning, one encoding.
  if (!bytesEqual(encodeEip1559(tx), bytes)) throw malformed('it is not in its shortest form');
  return checkedTransaction(tx);
};

/** A transaction and the sender that its JSON form names. */
export interface ParsedJson {
  readonly tx: Eip1559;
  /** 20 bytes. */
  readonly from: Uint8Array | undefined;
}

/**
 * Reads an unsigned transaction in JSON, as JSON-RPC and the common libraries write it. Quantities are hex
 * strings, decimal strings or whole numbers. Fields it does not know are refused, since they may carry meaning.
 * @throws KeepsetError as {@link decodeEip1559}
 */
export const parseEip1559Json = (bytes: Uint8Array): ParsedJson => {
  const json = parseJsonObject(bytes, 'The transaction');
  const has = (name: string): boolean => json[name] !== undefined && json[name] !== null;
  if (['r', 's', 'v', 'yParity'].some(has)) throw alreadySigned();
  if (
    has('gasPrice') ||
    (has('type') && !['0x2', '0x02', '2', 2, 'eip1559'].includes(json['type'] as string))
  )
    throw unsupportedType();
  for (const name of Object.keys(json))
    if (!known.has(name)) throw malformed(`it has the unknown field ${printable(name.slice(0, 40))}`);
  const either = (first: string, second: string): string => {
    if (has(first) && has(second)) throw malformed(`it has both ${first} and ${second}`);
    return has(second) ? second : first;
  };
  const tx = checkedTransaction({
    chainId: quantity(json, 'chainId'),
    nonce: quantity(json, 'nonce'),
    maxPriorityFeePerGas: quantity(json, 'maxPriorityFeePerGas'),
    maxFeePerGas: quantity(json, 'maxFeePerGas'),
    gasLimit: quantity(json, either('gas', 'gasLimit')),
    to: addressField(json, 'to'),
    value: has('value') ? quantity(json, 'value') : 0n,
    data: dataField(json, either('data', 'input')),
    accessList: accessListField(json['accessList']),
  });
  return { tx, from: addressField(json, 'from') };
};

const known: ReadonlySet<string> = new Set(
  (
    'type chainId nonce maxPriorityFeePerGas maxFeePerGas gas gasLimit from to value data input accessList ' +
    'r s v yParity gasPrice'
  ).split(' '),
);

/** Bounds that every node enforces. */
const checkedTransaction = (tx: Eip1559): Eip1559 => {
  const bound = (value: bigint, bits: number, name: string): void => {
    if (value >= 1n << BigInt(bits)) throw malformed(`${name} is out of range`);
  };
  bound(tx.chainId, 64, 'chainId');
  bound(tx.nonce, 64, 'nonce');
  bound(tx.gasLimit, 64, 'gas');
  bound(tx.maxPriorityFeePerGas, 256, 'maxPriorityFeePerGas');
  bound(tx.maxFeePerGas, 256, 'maxFeePerGas');
  bound(tx.value, 256, 'value');
  if (tx.chainId === 0n) throw malformed('chainId is 0, which would make it valid on no chain');
  if (tx.maxPriorityFeePerGas > tx.maxFeePerGas) throw malformed('the priority fee is above the maximum fee');
  if (tx.to === undefined && tx.data.length === 0)
    throw malformed('it has neither a recipient nor contract code');
  return tx;
};

const bytesAt = (fields: readonly Rlp[], at: number, name: string): Uint8Array => {
  const field = fields[at];
  if (!(field instanceof Uint8Array)) throw malformed(`${name} is not bytes`);
  return field;
};

const integerAt = (fields: readonly Rlp[], at: number, name: string): bigint => {
  const bytes = bytesAt(fields, at, name);
  if (bytes.length > 32 || bytes[0] === 0) throw malformed(`${name} is not a number`);
  return bytes.reduce((sum, b) => (sum << 8n) | BigInt(b), 0n);
};

const accessListOf = (item: Rlp | undefined): readonly AccessEntry[] => {
  if (item === undefined || item instanceof Uint8Array) throw malformed('accessList is not a list');
  return item.map((entry) => {
    if (entry instanceof Uint8Array || entry.length !== 2)
      throw malformed('accessList has a malformed entry');
    const [address, keys] = entry;
    if (
      !(address instanceof Uint8Array) ||
      address.length !== 20 ||
      keys === undefined ||
      keys instanceof Uint8Array
    )
      throw malformed('accessList has a malformed entry');
    return { address, storageKeys: keys.map(storageKey) };
  });
};

const storageKey = (key: Rlp): Uint8Array => {
  if (!(key instanceof Uint8Array) || key.length !== 32)
    throw malformed('accessList has a malformed storage key');
  return key;
};

const quantity = (json: JsonObject, name: string): bigint => {
  const value = json[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && value.length <= 80 && /^(?:0x[0-9a-fA-F]+|\d+)$/.test(value))
    return BigInt(value);
  throw malformed(`${name} is missing or not a whole number`);
};

const addressField = (json: JsonObject, name: string): Uint8Array | undefined => {
  const value = json[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw malformed(`${name} is not an address`);
  return parseAddress(value, name);
};

const dataField = (json: JsonObject, name: string): Uint8Array => {
  const value = json[name];
  return value === undefined || value === null ? new Uint8Array() : hexField(value, name);
};

const accessListField = (value: unknown): readonly AccessEntry[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed('accessList is not a list');
  return value.map((entry: unknown) => {
    const { address, storageKeys, ...rest } = (typeof entry === 'object' ? (entry ?? {}) : {}) as JsonObject;
    if (typeof address !== 'string' || !Array.isArray(storageKeys) || Object.keys(rest).length > 0)
      throw malformed('accessList has a malformed entry');
    return {
      address: parseAddress(address, 'accessList'),
      storageKeys: storageKeys.map((key: unknown) => storageKey(hexField(key, 'accessList'))),
    };
  });
};

const hexField = (value: unknown, name: string): Uint8Array => {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-fA-F]{2})*$/.test(value))
    throw malformed(`${name} is not 0x hex`);
  return fromHex(value.slice(2).toLowerCase());
};

const withoutLeadingZeros = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.findIndex((b) => b !== 0);
  return first < 0 ? new Uint8Array() : bytes.subarray(first);
};

const malformed = (why: string): KeepsetError =>
  new KeepsetError('input/malformed', `Not a transaction Keepset signs: ${why}.`);

const unsupportedType = (): KeepsetError =>
  new KeepsetError('input/unsupported', 'Only EIP-1559 (type 2) Ethereum transactions are signed.');

const alreadySigned = (): KeepsetError =>
  new KeepsetError('input/invalid-argument', 'The transaction is already signed.');

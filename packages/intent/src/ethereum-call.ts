import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '@keepset/bytes';
import { checksummed } from './ethereum-address.ts';
import type { DescriptionLine } from './intent.ts';
import { counted, grouped, line } from './text.ts';

/** What a call's data says, as far as it is understood. */
export interface CallView {
  readonly description: readonly DescriptionLine[];
  readonly warnings: readonly string[];
}

const shownBytes = 256;

/**
 * Describes the data of a contract call. The four calls that give tokens away are put in words, if their data
 * has exactly their form; everything else is shown as bytes with a warning. What the contract really does is
 * its own affair.
 * @spec ERC-20, ERC-721, Solidity ABI
 */
export const describeCall = (data: Uint8Array): CallView => {
  const words = wordsOf(data);
  const call = words === undefined ? undefined : calls.get(toHex(data.subarray(0, 4)))?.(words);
  const raw = [
    line('Data', `${counted(data.length, 'byte')}, SHA-256 ${toHex(sha256(data))}`),
    line(
      data.length > shownBytes ? `Data, first ${shownBytes} bytes` : 'Data, bytes',
      `0x${toHex(data.subarray(0, shownBytes))}`,
    ),
  ];
  if (call === undefined)
    return { description: raw, warnings: ['It calls a contract with data that is not understood here.'] };
  return { description: [line('Contract call', call.text), ...raw], warnings: call.warnings };
};

interface Call {
  readonly text: string;
  readonly warnings: readonly string[];
}

const units = "token units, by the contract's own count; its decimals are not known here";

/** By selector: the first four bytes of the Keccak-256 of the signature. */
const calls: ReadonlyMap<string, (words: readonly bigint[]) => Call | undefined> = new Map([
  // transfer(address,uint256)
  [
    'a9059cbb',
    ([to, amount, ...rest]: readonly bigint[]) =>
      given(to, amount, rest, (who, value) => ({
        text: `transfer ${grouped(value)} (${units}) to ${who}`,
        warnings: [],
      })),
  ],
  // approve(address,uint256)
  [
    '095ea7b3',
    ([spender, amount, ...rest]: readonly bigint[]) =>
      given(spender, amount, rest, (who, value) => ({
        text: `allow ${who} to take ${value >= unlimited ? 'unlimited' : grouped(value)} (${units})`,
        warnings:
          value >= unlimited ? ['It lets someone else take all tokens of this contract, now and later.'] : [],
      })),
  ],
  // transferFrom(address,address,uint256)
  [
    '23b872dd',
    ([from, ...others]: readonly bigint[]) => {
      const owner = addressWord(from);
      const [to, amount, ...rest] = others;
      if (owner === undefined) return undefined;
      return given(to, amount, rest, (who, value) => ({
        text: `transfer ${grouped(value)} (${units}, or a token's number) from ${owner} to ${who}`,
        warnings: [],
      }));
    },
  ],
  // setApprovalForAll(address,bool)
  [
    'a22cb465',
    ([operator, allowed, ...rest]: readonly bigint[]) =>
      given(operator, allowed, rest, (who, value) => {
        if (value > 1n) return undefined;
        return value === 1n
          ? {
              text: `allow ${who} to take every token of this contract`,
              warnings: ['It lets someone else take all tokens of this contract, now and later.'],
            }
          : { text: `no longer allow ${who} to take tokens of this contract`, warnings: [] };
      }),
  ],
]);

/** Amounts that contracts and wallets treat as without limit. */
const unlimited = 1n << 128n;

const given = (
  address: bigint | undefined,
  value: bigint | undefined,
  rest: readonly bigint[],
  tell: (who: string, value: bigint) => Call | undefined,
): Call | undefined => {
  const who = addressWord(address);
  return who === undefined || value === undefined || rest.length > 0 ? undefined : tell(who, value);
};

const addressWord = (word: bigint | undefined): string | undefined => {
  if (word === undefined || word >= 1n << 160n) return undefined;
  return checksummed(
    Uint8Array.from({ length: 20 }, (_, i) => Number((word >> BigInt(8 * (19 - i))) & 0xffn)),
  );
};

/** The 32-byte words after the selector, or undefined if the length does not fit. */
const wordsOf = (data: Uint8Array): readonly bigint[] | undefined => {
  const size = data.length - 4;
  if (size <= 0 || size % 32 !== 0 || size > 8 * 32) return undefined;
  return Array.from({ length: size / 32 }, (_, i) =>
    BigInt(`0x${toHex(data.subarray(4 + 32 * i, 36 + 32 * i))}`),
  );
};

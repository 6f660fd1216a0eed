import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFunctionData,
  erc20Abi,
  erc721Abi,
  getAddress,
  keccak256,
  parseTransaction,
  recoverMessageAddress,
  recoverTransactionAddress,
  serializeTransaction,
  type Hex,
  type TransactionSerializableEIP1559,
} from 'viem';
import { fromHex, toHex } from '@keepset/bytes';
import { createIntent, detectIntent, ethereumAddress } from '../src/index.ts';
import { checksummed } from '../src/ethereum-address.ts';
import { decodeRlp, encodeRlp, type Rlp } from '../src/rlp.ts';
import { caught, plainKey, schemes, shown, signAll, utf8, valuesOf } from './simulate.ts';

const signer = plainKey('ecdsa-secp256k1', 9);
const me = ethereumAddress(signer.key);
const you = getAddress('0x000000000000000000000000000000000000dEaD');
const base: TransactionSerializableEIP1559 = {
  type: 'eip1559',
  chainId: 1,
  nonce: 7,
  maxPriorityFeePerGas: 1_000_000_000n,
  maxFeePerGas: 20_000_000_000n,
  gas: 21_000n,
  to: you,
  value: 1_500_000_000_000_000_000n,
};
const bytesOf = (hex: Hex): Uint8Array => fromHex(hex.slice(2));
const json = (tx: object): Uint8Array =>
  utf8(JSON.stringify(tx, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
const finish = (bytes: Uint8Array) => {
  const intent = detectIntent(bytes, signer.key);
  return intent.finish(signAll(signer, intent));
};
const transfer = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [you, 1_234_567n] });

const transactions: readonly [string, TransactionSerializableEIP1559][] = [
  ['a payment', base],
  [
    'a first, free call with all zeros',
    { ...base, nonce: 0, value: 0n, maxPriorityFeePerGas: 0n, maxFeePerGas: 0n, data: transfer },
  ],
  ['a contract creation', { ...base, to: null, value: 0n, data: `0x60${'00'.repeat(400)}` }],
  [
    'an access list',
    {
      ...base,
      accessList: [
        { address: you, storageKeys: [`0x${'ab'.repeat(32)}`] },
        { address: you, storageKeys: [] },
      ],
    },
  ],
  [
    'the largest numbers',
    {
      ...base,
      chainId: 2 ** 32,
      nonce: 2 ** 40,
      gas: 2n ** 64n - 1n,
      maxFeePerGas: 2n ** 256n - 1n,
      value: 2n ** 256n - 1n,
    },
  ],
];

describe.each(transactions)('Ethereum: %s', (_, tx) => {
  const unsigned = bytesOf(serializeTransaction(tx));
  const { gas, type: _type, ...rest } = tx;
  const forms = {
    bytes: unsigned,
    hex: utf8(`0x${toHex(unsigned)}\n`),
    'bare hex': utf8(toHex(unsigned)),
    json: json(tx),
    'json with other names': json({ ...rest, type: '0x2', gasLimit: `0x${gas!.toString(16)}`, from: me }),
  };

  it.each(Object.entries(forms))(
    'as %s: the preimage is that of viem, and viem recovers our address',
    async (_form, bytes) => {
      const intent = detectIntent(bytes, signer.key);
      expect(intent.inputs).toEqual([{ message: unsigned, digest: 'keccak256' }]);
      const { text, bytes: raw, summary } = intent.finish(signAll(signer, intent));
      const serialized = text as `0x02${string}`;
      expect(await recoverTransactionAddress({ serializedTransaction: serialized })).toBe(me);
      const { r, s, v, yParity, ...parsed } = parseTransaction(serialized);
      expect(serializeTransaction(parsed as TransactionSerializableEIP1559)).toBe(`0x${toHex(unsigned)}`);
      expect(
        serializeTransaction(parsed as TransactionSerializableEIP1559, {
          r: r!,
          s: s!,
          yParity: yParity!,
          v: v!,
        }),
      ).toBe(text);
      expect(toHex(raw)).toBe(text!.slice(2));
      expect(summary[0]).toContain(keccak256(serialized));
    },
  );
});

describe('Ethereum transactions', () => {
  const code = (bytes: Uint8Array) => caught(() => createIntent('ethereum', bytes, signer.key)).code;

  it('survive signatures with leading zeros', async () => {
    // About one signature in 128 has a leading zero byte in r or s.
    for (let nonce = 0; nonce < 300; nonce++) {
      const { text, bytes } = finish(bytesOf(serializeTransaction({ ...base, nonce })));
      if (bytes.length < 117 || nonce === 0)
        expect(await recoverTransactionAddress({ serializedTransaction: text as `0x02${string}` })).toBe(me);
    }
  });

  it('say what they do', () => {
    const intent = detectIntent(json(base), signer.key);
    expect(intent.description.map(({ label, value }) => `${label}: ${value}`)).toEqual([
      'Format: Ethereum transaction (EIP-1559)',
      'Chain: 1, Ethereum',
      `From: ${me} (this key)`,
      `To: ${you}`,
      'Amount: 1.5 ETH (1,500,000,000,000,000,000 wei)',
      'Fee at most: 0.00042 ETH: 21,000 gas at up to 20 gwei, of it up to 1 gwei as a tip',
      'Nonce: 7',
    ]);
    expect(intent.warnings).toEqual([]);
  });

  it.each([
    [
      transfer,
      `transfer 1,234,567 (token units, by the contract's own count; its decimals are not known here) to ${you}`,
      0,
    ],
    [
      encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [you, 5n] }),
      `allow ${you} to take 5 (`,
      0,
    ],
    [
      encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [you, 2n ** 256n - 1n] }),
      `allow ${you} to take unlimited (`,
      1,
    ],
    [
      encodeFunctionData({ abi: erc20Abi, functionName: 'transferFrom', args: [me as Hex, you, 5n] }),
      `from ${me} to ${you}`,
      0,
    ],
    [
      encodeFunctionData({ abi: erc721Abi, functionName: 'setApprovalForAll', args: [you, true] }),
      `allow ${you} to take every token`,
      1,
    ],
    [
      encodeFunctionData({ abi: erc721Abi, functionName: 'setApprovalForAll', args: [you, false] }),
      `no longer allow ${you}`,
      0,
    ],
  ] as const)('put the call %s in words', (data, words, warnings) => {
    const intent = detectIntent(json({ ...base, data }), signer.key);
    expect(valuesOf(intent, 'Contract call')[0]).toContain(words);
    expect(valuesOf(intent, 'Data, bytes')).toEqual([data]);
    expect(intent.warnings).toHaveLength(warnings);
  });

  it.each([
    ['an unknown selector', '0xdeadbeef'],
    ['bytes after the arguments', `${transfer}00`],
    ['a word too many', `${transfer}${'00'.repeat(32)}`],
    ['a dirty address', transfer.replace('0xa9059cbb00', '0xa9059cbb01')],
    ['a cut selector', '0xa905'],
  ])('do not put calls with %s in words, but warn', (_, data) => {
    const intent = detectIntent(json({ ...base, data }), signer.key);
    expect(valuesOf(intent, 'Contract call')).toEqual([]);
    expect(valuesOf(intent, 'Data, bytes')).toEqual([data]);
    expect(intent.warnings).toEqual(['It calls a contract with data that is not understood here.']);
  });

  it('warn of high fees, unknown chains, contract creation and the zero address', () => {
    const warnings = (change: object) => detectIntent(json({ ...base, ...change }), signer.key).warnings;
    expect(warnings({ maxFeePerGas: '20000000000000' })).toEqual([
      expect.stringContaining('fee may be high'),
    ]);
    expect(warnings({ chainId: 424242 })).toEqual(['Chain 424242 is not known here by name.']);
    expect(warnings({ to: null, data: '0x6000' })).toEqual([expect.stringContaining('creates a contract')]);
    expect(warnings({ to: `0x${'00'.repeat(20)}` })).toEqual([expect.stringContaining('zero address')]);
    expect(warnings({ gas: 20_999 })).toEqual([expect.stringContaining('below 21,000')]);
  });

  it.each([
    ['a field it does not have', { blobVersionedHashes: [] }],
    ['a missing nonce', { nonce: undefined }],
    ['a negative number', { nonce: -1 }],
    ['a fraction', { nonce: 1.5 }],
    ['an empty quantity', { value: '0x' }],
    ['white space in a quantity', { value: ' 1' }],
    ['a number that JSON rounds', { value: 2 ** 60 }],
    ['a nonce of 65 bits', { nonce: (2n ** 64n).toString() }],
    ['a value of 257 bits', { value: (2n ** 256n).toString() }],
    ['chain 0', { chainId: 0 }],
    ['a tip above the maximum', { maxPriorityFeePerGas: '0x4a817c801' }],
    ['an address that is too short', { to: '0x00' }],
    ['a wrong checksum', { to: '0x000000000000000000000000000000000000dEAD' }],
    ['no recipient and no data', { to: null }],
    ['data of half a byte', { data: '0xabc' }],
    ['data under two names', { data: '0x', input: '0x' }],
    ['gas under two names', { gasLimit: 21_000 }],
    ['an access list that is none', { accessList: {} }],
    ['an access list of something else', { accessList: [{ address: you, storageKeys: ['0xab'] }] }],
    ['an access list with more in it', { accessList: [{ address: you, storageKeys: [], more: 1 }] }],
    ['an access list of null', { accessList: [null] }],
  ])('are refused with %s', (_, change) => {
    expect(code(json({ ...base, ...change }))).toBe('input/malformed');
  });

  it('are refused if a name stands twice', () => {
    const text = new TextDecoder().decode(json(base));
    expect(code(utf8(text.replace('{', `{"to":"${me}",`)))).toBe('input/malformed');
  });

  it('are refused if from is someone else', () => {
    expect(code(json({ ...base, from: you }))).toBe('input/invalid-argument');
    expect(detectIntent(json({ ...base, from: me.toLowerCase() }), signer.key).kind).toBe('ethereum');
  });

  it('are refused if already signed', () => {
    const { bytes, text } = finish(json(base));
    expect(code(bytes)).toBe('input/invalid-argument');
    expect(caught(() => detectIntent(utf8(text!), signer.key)).code).toBe('input/invalid-argument');
    expect(code(json({ ...base, r: '0x1', s: '0x1', yParity: 0 }))).toBe('input/invalid-argument');
  });

  it('are refused if of another type', () => {
    const plain = { chainId: 1, nonce: 7, gas: 21_000n, to: you, value: 1n } as const;
    expect(code(bytesOf(serializeTransaction({ ...plain, type: 'eip2930', gasPrice: 1n })))).toBe(
      'input/unsupported',
    );
    expect(code(bytesOf(serializeTransaction({ ...plain, type: 'legacy', gasPrice: 1n })))).toBe(
      'input/unsupported',
    );
    expect(
      caught(() => detectIntent(json({ ...plain, type: 'legacy', gasPrice: 1n }), signer.key)).code,
    ).toBe('input/unsupported');
    expect(code(json({ ...base, type: '0x3' }))).toBe('input/unsupported');
  });

  it('are refused empty, truncated at every byte, with bytes after the end, in longer encodings, too large', () => {
    const good = bytesOf(serializeTransaction(transactions[3]![1]));
    expect(code(new Uint8Array())).toBe('input/malformed');
    for (let at = 1; at < good.length; at++) expect(code(good.subarray(0, at))).toBe('input/malformed');
    expect(code(Uint8Array.from([...good, 0]))).toBe('input/malformed');
    expect(code(utf8('{'))).toBe('input/malformed');
    expect(code(utf8('{}'))).toBe('input/malformed');
    expect(code(new Uint8Array(600_000))).toBe('wire/too-large');
    // The nonce 7 as 0x8107, and as 0x820007.
    const fields = decodeRlp(bytesOf(serializeTransaction(base)).subarray(1)) as readonly Rlp[];
    const zeroPadded = encodeRlp(fields.map((f, i) => (i === 1 ? Uint8Array.of(0, 7) : f)));
    expect(code(Uint8Array.from([2, ...zeroPadded]))).toBe('input/malformed');
  });

  it('answer random bytes with a typed error or a faithful reading', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => {
        expect(caught(() => createIntent('ethereum', Uint8Array.from([2, ...tail]), signer.key)).family).toBe(
          'input',
        );
      }),
    );
  });

  it('refuse wrong signatures', () => {
    const intent = detectIntent(json(base), signer.key);
    const other = detectIntent(json({ ...base, nonce: 8 }), signer.key);
    expect(caught(() => intent.finish(signAll(signer, other))).code).toBe('abort/bad-signature');
    expect(caught(() => intent.finish(signAll(plainKey('ecdsa-secp256k1', 1), intent))).code).toBe(
      'abort/bad-signature',
    );
  });

  it('name the scheme that fits', () => {
    for (const scheme of schemes.filter((s) => s !== 'ecdsa-secp256k1')) {
      const error = caught(() => detectIntent(json(base), plainKey(scheme, 1).key));
      expect(error.code).toBe('input/unsupported');
      expect(error.message).toContain('takes a key of ecdsa-secp256k1');
    }
  });
});

describe('Ethereum personal messages', () => {
  const signed = (bytes: Uint8Array) => {
    const intent = createIntent('ethereum-message', bytes, signer.key);
    return intent.finish(signAll(signer, intent)).text as Hex;
  };

  it('are recovered by viem, text and bytes', async () => {
    for (const message of ['hello', 'hällo\nwörld', 'x'.repeat(1000)])
      expect(await recoverMessageAddress({ message, signature: signed(utf8(message)) })).toBe(me);
    const raw = Uint8Array.of(0xff, 0, 1);
    expect(await recoverMessageAddress({ message: { raw }, signature: signed(raw) })).toBe(me);
  });

  it('are shown whole, line by line, without what acts on a terminal', () => {
    const intent = createIntent('ethereum-message', utf8('first\n\u001b[31msecond\u202e'), signer.key);
    expect(valuesOf(intent, 'Line 1')).toEqual(['first']);
    expect(valuesOf(intent, 'Line 2')).toEqual(['\\u{1b}[31msecond\\u{202e}']);
  });

  it('that are not text are shown as bytes, with a warning', () => {
    const intent = createIntent('ethereum-message', Uint8Array.of(0xff, 0xfe), signer.key);
    expect(valuesOf(intent, 'Message, bytes')).toEqual(['0xfffe']);
    expect(intent.warnings).toHaveLength(1);
    expect(shown(intent).join('')).toContain(me);
  });

  it('are refused empty, too large or wrongly signed', () => {
    expect(caught(() => signed(new Uint8Array())).code).toBe('input/malformed');
    expect(caught(() => signed(new Uint8Array(17_000))).code).toBe('wire/too-large');
    const intent = createIntent('ethereum-message', utf8('a'), signer.key);
    const other = createIntent('ethereum-message', utf8('b'), signer.key);
    expect(caught(() => intent.finish(signAll(signer, other))).code).toBe('abort/bad-signature');
  });
});

describe('Ethereum addresses and RLP', () => {
  it('have the checksum that viem computes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (bytes) => {
        expect(checksummed(bytes)).toBe(getAddress(`0x${toHex(bytes)}`));
      }),
    );
  });

  it('decode what they encode', () => {
    const { item } = fc.letrec<{ item: Rlp }>((tie) => ({
      item: fc.oneof(
        { maxDepth: 4 },
        fc.uint8Array({ maxLength: 300 }),
        fc.array(tie('item'), { maxLength: 5 }),
      ),
    }));
    fc.assert(
      fc.property(item, (value) => {
        expect(decodeRlp(encodeRlp(value))).toEqual(value);
      }),
    );
  });

  it('have one encoding only: what decodes encodes to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        let item: Rlp;
        try {
          item = decodeRlp(bytes);
        } catch (error) {
          expect(
            caught(() => {
              throw error;
            }).code,
          ).toBe('input/malformed');
          return;
        }
        expect(encodeRlp(item)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

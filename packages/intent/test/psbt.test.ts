import { describe, expect, it } from 'vitest';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { Address, NETWORK, OutScript, TEST_NETWORK, Transaction, p2tr, p2wpkh } from '@scure/btc-signer';
import { bytesEqual, concatBytes, fromHex, toBase64, toHex } from '@keepset/bytes';
import { address, createIntent, detectIntent, type IntentKey } from '../src/index.ts';
import { hash160 } from '../src/bitcoin.ts';
import { bip143Preimage, sha256d } from '../src/bip143.ts';
import { bip341Sighash, type PlainTransaction } from './bip341.ts';
import { caught, plainKey, schemes, shown, sign, signAll, utf8, valuesOf } from './simulate.ts';

const taproot = plainKey('schnorr-secp256k1', 6);
const segwit = plainKey('ecdsa-secp256k1', 6);
const xOnly = taproot.key.publicKey.subarray(1);
const stranger = p2wpkh(plainKey('ecdsa-secp256k1', 7).key.publicKey).script;
const tapScript = p2tr(xOnly).script;
const wpkhScript = p2wpkh(segwit.key.publicKey).script;
const merkleRoot = new Uint8Array(32).fill(0x5a);
const opReturn = concatBytes(Uint8Array.of(0x6a, 0x05), utf8('hello'));

/** The script of the key with `merkleRoot`, by the BIP's formula. */
const rootedScript = ((): Uint8Array => {
  const { Point } = secp256k1;
  const t = schnorr.utils.taggedHash('TapTweak', concatBytes(xOnly, merkleRoot));
  const output = Point.fromBytes(concatBytes(Uint8Array.of(2), xOnly)).add(
    Point.BASE.multiply(BigInt(`0x${toHex(t)}`)),
  );
  return concatBytes(Uint8Array.of(0x51, 0x20), output.toBytes().subarray(1));
})();

interface Extra {
  readonly tapInternalKey?: Uint8Array;
  readonly tapMerkleRoot?: Uint8Array;
  readonly sighashType?: number;
  readonly previous?: boolean;
  readonly noUtxo?: boolean;
}

const input = (script: Uint8Array, amount: bigint, n: number, sequence = 0xfffffffd) => ({
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

const psbtOf = (plain: PlainTransaction, extra: readonly Extra[] = [], version: 0 | 2 = 0): Uint8Array => {
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
const proven = (plain: PlainTransaction): PlainTransaction => ({
  ...plain,
  inputs: plain.inputs.map((i, n) => ({ ...i, index: 0, txid: previous(i.script, i.amount, n).id })),
});

const taprootSpend: PlainTransaction = {
  version: 2,
  lockTime: 850_000,
  inputs: [input(tapScript, 70_000n, 1), input(rootedScript, 50_000n, 2), input(tapScript, 30_000n, 3)],
  outputs: [
    { script: stranger, amount: 100_000n },
    { script: opReturn, amount: 0n },
    { script: tapScript, amount: 49_000n },
  ],
};
const taprootExtra: Extra[] = [
  { tapInternalKey: xOnly },
  { tapInternalKey: xOnly, tapMerkleRoot: merkleRoot },
  { sighashType: 1 },
];

const segwitSpend = proven({
  version: 2,
  lockTime: 0,
  inputs: [input(wpkhScript, 70_000n, 0, 0xffffffff), input(wpkhScript, 50_000n, 0, 0xffffffff)],
  outputs: [{ script: stranger, amount: 119_000n }],
});
const segwitExtra: Extra[] = [{ previous: true }, { previous: true }];

describe('Taproot PSBTs', () => {
  it.each([0, 2] as const)('version %i: asks for the hashes that BIP 341 gives', (version) => {
    const intent = detectIntent(psbtOf(taprootSpend, taprootExtra, version), taproot.key);
    expect(intent.inputs).toEqual([
      {
        message: bip341Sighash(taprootSpend, 0, 0),
        digest: 'none',
        taproot: { merkleRoot: new Uint8Array() },
      },
      { message: bip341Sighash(taprootSpend, 1, 0), digest: 'none', taproot: { merkleRoot } },
      {
        message: bip341Sighash(taprootSpend, 2, 1),
        digest: 'none',
        taproot: { merkleRoot: new Uint8Array() },
      },
    ]);
  });

  it.each([0, 2] as const)(
    'version %i: gives the transaction that btc-signer makes with the whole key',
    (version) => {
      const psbt = psbtOf(taprootSpend, taprootExtra, version);
      const intent = detectIntent(psbt, taproot.key);
      const made = intent.finish(signAll(taproot, intent));
      // btc-signer signs an input only if it names the internal key.
      const named = taprootExtra.map((e) => ({ ...e, tapInternalKey: xOnly }));
      const whole = Transaction.fromPSBT(psbtOf(taprootSpend, named), { allowUnknownOutputs: true });
      whole.sign(taproot.secret, [0, 1], new Uint8Array(32));
      whole.finalize();
      expect(toHex(made.bytes)).toBe(toHex(whole.extract()));
      expect(made.text).toBe(toHex(made.bytes));
      expect(made.summary[0]).toContain(whole.id);
      expect(made.suffix).toBe('.tx');
    },
  );

  it('puts signatures that verify under the output keys into the witnesses', () => {
    const intent = detectIntent(psbtOf(taprootSpend, taprootExtra), taproot.key);
    const { bytes } = intent.finish(signAll(taproot, intent));
    const tx = Transaction.fromRaw(bytes, { allowUnknownOutputs: true });
    taprootSpend.inputs.forEach(({ script }, i) => {
      const [witness, ...rest] = tx.getInput(i).finalScriptWitness ?? [];
      expect(rest).toEqual([]);
      expect(witness).toHaveLength(i === 2 ? 65 : 64);
      const sighash = bip341Sighash(taprootSpend, i, i === 2 ? 1 : 0);
      expect(schnorr.verify(witness!.subarray(0, 64), sighash, script.subarray(2))).toBe(true);
    });
  });

  it('takes base64, with line ends too', () => {
    const text = toBase64(psbtOf(taprootSpend, taprootExtra));
    for (const form of [text, `${text}\n`, text.replaceAll(/.{64}/g, '$&\r\n')])
      expect(detectIntent(utf8(form), taproot.key).inputs).toHaveLength(3);
  });

  it('describes every input and output, the sums and the fee', () => {
    const intent = detectIntent(psbtOf(taprootSpend, taprootExtra), taproot.key, { network: 'testnet' });
    const me = address(taproot.key, 'testnet');
    const other = Address(TEST_NETWORK).encode(OutScript.decode(stranger));
    expect(intent.description.map(({ label, value }) => `${label}: ${value}`)).toEqual([
      'Format: Bitcoin transaction (PSBT)',
      'Network: testnet',
      'Leaves this key: 0.00101000 BTC (101,000 sat), fee included',
      `Output 1 of 3: 0.00100000 BTC (100,000 sat) to ${other}`,
      `Output 2 of 3: 0.00000000 BTC (0 sat) as data that nobody can spend: ${toHex(opReturn)} ("hello")`,
      `Output 3 of 3: 0.00049000 BTC (49,000 sat) to ${me} (back to this key)`,
      expect.stringMatching(/^Fee: 0\.00001000 BTC \(1,000 sat\), 3\.\d sat\/vB, 0\.66 % of the inputs$/),
      expect.stringContaining(
        `Input 1 of 3: 0.00070000 BTC (70,000 sat) from ${me} (this key), ${taprootSpend.inputs[0]!.txid}:1`,
      ),
      expect.stringContaining('(this key, by the key path; it has a script path too)'),
      expect.stringContaining('Input 3 of 3: 0.00030000 BTC (30,000 sat)'),
      'Sum of inputs: 0.00150000 BTC (150,000 sat)',
      'Sum of outputs: 0.00149000 BTC (149,000 sat)',
      'Signatures: 3, each over all inputs and outputs',
      'Not valid before: block 850,000',
      'Replaceable: yes: until it is mined, its signers can replace it',
      'Version: 2',
    ]);
    expect(intent.warnings).toEqual([]);
  });

  it('says when inputs have to wait', () => {
    const value = (sequence: number, version = 2) => {
      const plain = { ...taprootSpend, version, inputs: [input(tapScript, 200_000n, 1, sequence)] };
      return valuesOf(detectIntent(psbtOf(plain), taproot.key), 'Input 1 of 1')[0];
    };
    expect(value(144)).toMatch(/, sequence 0x90: not before 144 blocks after what it spends$/);
    expect(value(0x400001)).toMatch(/, sequence 0x400001: not before 512 seconds after what it spends$/);
    expect(value(144, 1)).toMatch(/, sequence 0x90$/);
    expect(value(0xffffffff)).toMatch(/, sequence 0xffffffff$/);
  });

  it('states the fee rate that the finished transaction has', () => {
    const intent = detectIntent(psbtOf(taprootSpend, taprootExtra), taproot.key);
    const { bytes } = intent.finish(signAll(taproot, intent));
    const { vsize } = Transaction.fromRaw(bytes, { allowUnknownOutputs: true });
    expect(valuesOf(intent, 'Fee')[0]).toContain(`${(1000 / vsize).toFixed(1)} sat/vB`);
  });

  it('hides no output, whatever its script', () => {
    const scripts = [
      new Uint8Array(),
      fromHex('51'),
      fromHex('6aff'),
      fromHex('5a02abcd'),
      fromHex('ac'.repeat(90)),
      stranger,
    ];
    const plain = {
      ...taprootSpend,
      outputs: scripts.map((script, i) => ({ script, amount: BigInt(1000 + i) })),
    };
    const intent = detectIntent(psbtOf(plain, taprootExtra), taproot.key);
    scripts.forEach((script, i) => {
      const value = valuesOf(intent, `Output ${i + 1} of 6`)[0]!;
      expect(value).toContain(`(1,00${i} sat)`);
      if (i < 5) {
        expect(value).toContain(toHex(script));
        expect(intent.warnings.some((w) => w.startsWith(`Output ${i + 1} `))).toBe(true);
      }
    });
  });

  it('shows data outputs without control characters', () => {
    const evil = concatBytes(Uint8Array.of(0x6a, 0x07), utf8('\u001b[2Jabc'));
    const plain = { ...taprootSpend, outputs: [{ script: evil, amount: 0n }] };
    for (const part of shown(detectIntent(psbtOf(plain, taprootExtra), taproot.key)))
      expect(part).not.toMatch(/[\p{C}"]/u);
  });

  it('warns of high fees', () => {
    const plain = { ...taprootSpend, outputs: [{ script: stranger, amount: 50_000n }] };
    const { warnings } = detectIntent(psbtOf(plain, taprootExtra), taproot.key);
    expect(warnings).toEqual([
      expect.stringContaining('The fee rate is high'),
      'The fee is high: 66.66 % of the inputs.',
    ]);
  });

  it('refuses every signature but the right ones in the right order', () => {
    const intent = detectIntent(psbtOf(taprootSpend, taprootExtra), taproot.key);
    const [a, b, c] = signAll(taproot, intent);
    const refused = (...signatures: Uint8Array[]) => caught(() => intent.finish(signatures)).code;
    expect(refused(b!, a!, c!)).toBe('abort/bad-signature');
    expect(
      refused(
        a!,
        b!,
        Uint8Array.from(c!, (x, i) => (i === 40 ? x ^ 4 : x)),
      ),
    ).toBe('abort/bad-signature');
    expect(refused(a!, b!, concatBytes(c!, Uint8Array.of(1)))).toBe('abort/bad-signature');
    expect(refused(a!, b!)).toBe('input/invalid-argument');
    const untweaked = sign(taproot, { message: intent.inputs[0]!.message, digest: 'none' });
    expect(refused(untweaked, b!, c!)).toBe('abort/bad-signature');
    expect(intent.finish([a!, b!, c!]).suffix).toBe('.tx');
  });

  it('is not moved by what happens to the bytes it was made from', () => {
    const psbt = psbtOf(taprootSpend, taprootExtra);
    const key = { ...taproot.key, publicKey: Uint8Array.from(taproot.key.publicKey) };
    const intent = detectIntent(psbt, key);
    const before = intent.finish(signAll(taproot, intent)).text;
    psbt.fill(0);
    key.publicKey.fill(0);
    expect(intent.finish(signAll(taproot, intent)).text).toBe(before);
  });
});

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

describe('PSBTs that are refused', () => {
  const code = (bytes: Uint8Array, key: IntentKey = taproot.key) =>
    caught(() => createIntent('psbt', bytes, key)).code;
  const good = psbtOf(taprootSpend, taprootExtra);

  it.each([2, 3, 0x81, 0x82, 0x83, 0x80, 0xff])('with signature hash type %i', (sighashType) => {
    expect(code(psbtOf(taprootSpend, [{ sighashType }]))).toBe('policy/forbidden');
    expect(code(psbtOf(segwitSpend, [{ ...segwitExtra[0], sighashType }, segwitExtra[1]!]), segwit.key)).toBe(
      'policy/forbidden',
    );
  });

  it('empty, garbage, truncated at every byte, with bytes after the end, too large', () => {
    expect(code(new Uint8Array())).toBe('input/malformed');
    expect(code(utf8('cHNidP8='))).toBe('input/malformed');
    expect(code(utf8('cHNidP8*'))).toBe('input/malformed');
    expect(code(new Uint8Array(100).fill(0xff))).toBe('input/malformed');
    for (let at = 0; at < good.length; at += 5) expect(code(good.subarray(0, at))).toBe('input/malformed');
    expect(code(concatBytes(good, Uint8Array.of(0)))).toBe('input/malformed');
    expect(code(concatBytes(good, Uint8Array.of(1, 0x77, 0, 0)))).toBe('input/malformed');
    expect(code(new Uint8Array(5 * 1024 * 1024))).toBe('wire/too-large');
  });

  it('or, after any change of one byte that changes what is signed, described differently', () => {
    const honest = detectIntent(good, taproot.key);
    // Every byte of the transaction itself, then every fifth.
    for (let at = 0; at < good.length; at += at < 270 ? 1 : 5) {
      const bad = Uint8Array.from(good);
      bad[at]! ^= 0x11;
      let intent;
      try {
        intent = createIntent('psbt', bad, taproot.key);
      } catch (error) {
        expect(
          caught(() => {
            throw error;
          }).family,
        ).toMatch(/^(?:input|policy)$/);
        continue;
      }
      const same = intent.inputs.every((x, i) =>
        bytesEqual(x.message, honest.inputs[i]?.message ?? new Uint8Array()),
      );
      if (!same) expect(shown(intent)).not.toEqual(shown(honest));
    }
  });

  it('with a field that stands twice', () => {
    // The first input's witness UTXO: key 0x01, then 8 bytes of amount and the script.
    const field = (amount: string) => fromHex(`01012b${amount}22${toHex(tapScript)}`);
    const at = Buffer.from(good).indexOf(field('7011010000000000'));
    expect(at).toBeGreaterThan(0);
    const twice = concatBytes(good.subarray(0, at), field('0011010000000000'), good.subarray(at));
    expect(caught(() => createIntent('psbt', twice, taproot.key)).message).toBe(
      'The PSBT has a field twice.',
    );
  });

  it('without the spent outputs, without outputs, spending twice, or more than there is', () => {
    expect(code(psbtOf(taprootSpend, [{}, { noUtxo: true }]))).toBe('input/invalid-argument');
    expect(code(psbtOf({ ...taprootSpend, outputs: [] }, taprootExtra))).toBe('input/malformed');
    const [first] = taprootSpend.inputs;
    expect(code(psbtOf({ ...taprootSpend, inputs: [first!, first!, first!] }))).toBe('input/malformed');
    const rich = [{ script: stranger, amount: 150_001n }];
    expect(code(psbtOf({ ...taprootSpend, outputs: rich }, taprootExtra))).toBe('input/malformed');
    const impossible = { ...first!, amount: 2_100_000_000_000_001n };
    expect(code(psbtOf({ ...taprootSpend, inputs: [impossible] }))).toBe('input/malformed');
  });

  it('with a previous transaction that is not the one spent', () => {
    const lie = { ...segwitSpend, inputs: segwitSpend.inputs.map((i) => ({ ...i, amount: i.amount + 1n })) };
    expect(() => psbtOf(lie, segwitExtra)).toThrow('wrong txid');
    const bytes = psbtOf(segwitSpend, segwitExtra);
    const amount = fromHex('7011010000000000');
    const at = Buffer.from(bytes).indexOf(amount);
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0x71;
    expect(code(bytes, segwit.key)).toBe('input/malformed');
  });

  it('already signed by this key', () => {
    const intent = detectIntent(
      psbtOf({ ...taprootSpend, inputs: [...taprootSpend.inputs, input(stranger, 1000n, 8)] }, taprootExtra),
      taproot.key,
    );
    const made = intent.finish(signAll(taproot, intent));
    expect(code(made.bytes)).toBe('input/invalid-argument');
  });

  it('with more inputs of this key than one request may sign', () => {
    const inputs = Array.from({ length: 257 }, (_, i) => ({ ...input(tapScript, 1000n, 1), index: i }));
    expect(code(psbtOf({ ...taprootSpend, inputs }))).toBe('wire/too-large');
  });

  it('for keys of other schemes, naming those that fit', () => {
    for (const scheme of schemes.filter((s) => !s.endsWith('secp256k1'))) {
      const error = caught(() => detectIntent(good, plainKey(scheme, 6).key));
      expect(error.code).toBe('input/unsupported');
      expect(error.message).toContain('schnorr-secp256k1 or ecdsa-secp256k1');
    }
  });
});

describe('addresses', () => {
  const key = (scheme: IntentKey['scheme'], publicKey: string): IntentKey => ({
    scheme,
    publicKey: fromHex(publicKey),
  });

  it('are those of the test vectors of BIP 86 and BIP 84', () => {
    const internal = 'cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115';
    for (const prefix of ['02', '03'])
      expect(address(key('schnorr-secp256k1', prefix + internal))).toBe(
        'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr',
      );
    expect(
      address(key('ecdsa-secp256k1', '0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c')),
    ).toBe('bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu');
  });

  it('differ by network', () => {
    const of = (network: 'mainnet' | 'testnet' | 'signet' | 'regtest') => address(segwit.key, network);
    expect([
      of('mainnet').slice(0, 4),
      of('testnet').slice(0, 4),
      of('signet').slice(0, 4),
      of('regtest').slice(0, 6),
    ]).toEqual(['bc1q', 'tb1q', 'tb1q', 'bcrt1q']);
    expect(of('mainnet')).toBe(Address(NETWORK).encode(OutScript.decode(wpkhScript)));
    expect(caught(() => address(segwit.key, 'moon' as 'mainnet')).code).toBe('input/unsupported');
  });

  it('are only for keys on secp256k1', () => {
    expect(caught(() => address(plainKey('ed25519', 1).key)).code).toBe('input/unsupported');
  });
});

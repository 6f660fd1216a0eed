/** PSBTs that spend by Taproot’s key path: what is signed, what is shown, and what comes out. */
import { describe, expect, it } from 'vitest';
import { schnorr } from '@noble/curves/secp256k1.js';
import { Address, OutScript, TEST_NETWORK, Transaction } from '@scure/btc-signer';
import { concatBytes, fromHex, toBase64, toHex } from '@keepset/bytes';
import { address, detectIntent } from '../src/index.ts';
import { bip341Sighash } from './bip341.ts';
import {
  input,
  merkleRoot,
  opReturn,
  psbtOf,
  stranger,
  tapScript,
  taproot,
  taprootExtra,
  taprootSpend,
  xOnly,
} from './psbt-maker.ts';
import { caught, shown, sign, signAll, utf8, valuesOf } from './simulate.ts';

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

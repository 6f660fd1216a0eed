/** PSBTs that nobody should sign: malformed, altered, incomplete, signed already, or asking for other signatures. */
import { describe, expect, it } from 'vitest';
import { bytesEqual, concatBytes, fromHex, toHex } from '@keepset/bytes';
import { createIntent, detectIntent, type IntentKey } from '../src/index.ts';
import {
  input,
  psbtOf,
  segwit,
  segwitExtra,
  segwitSpend,
  stranger,
  tapScript,
  taproot,
  taprootExtra,
  taprootSpend,
} from './psbt-maker.ts';
import { caught, plainKey, schemes, shown, signAll, utf8 } from './simulate.ts';

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

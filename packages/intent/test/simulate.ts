import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { KeepsetError, concatBytes } from '@keepset/bytes';
import type { Intent, IntentKey, KeyScheme, SignInput } from '../src/index.ts';

/** A key in one piece: stands in for the parties that sign together. */
export interface PlainKey {
  readonly secret: Uint8Array;
  readonly key: IntentKey;
}

export const schemes: readonly KeyScheme[] = [
  'ed25519',
  'schnorr-secp256k1',
  'ecdsa-secp256k1',
  'ecdsa-p256',
];

export const plainKey = (scheme: KeyScheme, seed: number): PlainKey => {
  const secret = sha256(Uint8Array.of(seed, schemes.indexOf(scheme)));
  const publicKey =
    scheme === 'ed25519'
      ? ed25519.getPublicKey(secret)
      : (scheme === 'ecdsa-p256' ? p256 : secp256k1).getPublicKey(secret, true);
  return { secret, key: { scheme, publicKey } };
};

/** BIP 341 taproot_tweak_seckey, written from the BIP. */
const tweakSecret = (secret: Uint8Array, merkleRoot: Uint8Array): Uint8Array => {
  const { Point } = secp256k1;
  const point = Point.BASE.multiply(bytesToNumberBE(secret)).toAffine();
  const d = point.y % 2n === 0n ? bytesToNumberBE(secret) : Point.Fn.ORDER - bytesToNumberBE(secret);
  const tag = sha256(new TextEncoder().encode('TapTweak'));
  const t = bytesToNumberBE(sha256(concatBytes(tag, tag, numberToBytesBE(point.x, 32), merkleRoot)));
  return numberToBytesBE((d + t) % Point.Fn.ORDER, 32);
};

const digests = {
  none: (m: Uint8Array) => m,
  sha256: (m: Uint8Array) => sha256(m),
  sha256d: (m: Uint8Array) => sha256(sha256(m)),
  keccak256: (m: Uint8Array) => keccak_256(m),
};

/** What the ceremony would return for one input. */
export const sign = ({ secret, key }: PlainKey, { message, digest, taproot }: SignInput): Uint8Array => {
  if (key.scheme === 'ed25519') return ed25519.sign(message, secret);
  if (key.scheme === 'schnorr-secp256k1')
    return schnorr.sign(
      message,
      taproot === undefined ? secret : tweakSecret(secret, taproot.merkleRoot),
      new Uint8Array(32),
    );
  const curve = key.scheme === 'ecdsa-p256' ? p256 : secp256k1;
  const recovered = curve.sign(digests[digest](message), secret, {
    prehash: false,
    lowS: true,
    format: 'recovered',
  });
  return concatBytes(recovered.subarray(1), recovered.subarray(0, 1));
};

export const signAll = (key: PlainKey, intent: Intent): Uint8Array[] =>
  intent.inputs.map((input) => sign(key, input));

/** The KeepsetError that `act` throws. */
export const caught = (act: () => unknown): KeepsetError => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

/** Everything of an intent that may reach a screen. */
export const shown = (intent: Intent): string[] => [
  ...intent.description.flatMap(({ label, value }) => [label, value]),
  ...intent.warnings,
];

/** The values of the lines with this label. */
export const valuesOf = (intent: Intent, label: string): string[] =>
  intent.description.filter((l) => l.label === label).map((l) => l.value);

/** Runs a program in a fresh folder that holds `files`; returns its exit code and everything it printed. */
export const runWith = (
  files: Readonly<Record<string, string | Uint8Array>>,
  command: readonly [string, ...string[]],
  stdin?: Uint8Array,
): { status: number | null; output: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'keepset-intent-'));
  try {
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, name), content, { mode: 0o600 });
    const [program, ...args] = command;
    const run = spawnSync(program, args, { cwd: folder, input: stdin ?? '', encoding: 'utf8' });
    if (run.error !== undefined) throw run.error;
    return { status: run.status, output: run.stdout + run.stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

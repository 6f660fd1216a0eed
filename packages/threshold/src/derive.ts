/**
 * Child keys of a group key, by public derivation: everyone who knows the public key and the chain code derives the
 * same child, and the parties sign for it by adding the tweak to the sum of their shares.
 * @spec BIP 32 CKDpub; SLIP-0010 for curves other than secp256k1
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes } from '@keepset/bytes';
import type { CurvePort } from './curve/port.ts';
import type { GroupKey } from './key.ts';

/** A derived key. */
export interface ChildKey {
  readonly publicKey: Uint8Array;
  readonly chainCode: Uint8Array;
  /** child private key = group private key + tweak */
  readonly tweak: bigint;
}

const hardened = 0x80000000;

/**
 * Whether a path can be derived along: at most 255 indices below 2^31.
 * @throws KeepsetError `input/invalid-argument`
 */
export const checkPath = (path: readonly number[]): void => {
  if (path.length > 255)
    throw new KeepsetError('input/invalid-argument', 'A derivation path has at most 255 steps.');
  if (path.some((index) => !Number.isSafeInteger(index) || index < 0 || index >= hardened))
    throw new KeepsetError('input/invalid-argument', 'A derivation index is an integer from 0 to 2^31 − 1.', {
      hint: 'A threshold key has no hardened children: no party knows the private key.',
    });
};

/**
 * Derives along a path of non-hardened indices from the group key; the empty path is the group key itself.
 * @throws KeepsetError `input/invalid-argument` for hardened or impossible indices.
 */
export const deriveChild = (
  curve: CurvePort,
  group: Pick<GroupKey, 'publicKey' | 'chainCode'>,
  path: readonly number[],
): ChildKey => {
  checkPath(path);
  let { publicKey, chainCode } = group;
  let tweak = 0n;
  for (const index of path) {
    const suffix = new Uint8Array(4);
    new DataView(suffix.buffer).setUint32(0, index);
    let digest = hmac(sha512, chainCode, concatBytes(publicKey, suffix));
    // SLIP-0010 hashes on where BIP 32 skips the index.
    while (curve.name === 'p256' && curve.decodeScalar(digest.subarray(0, 32)) === undefined)
      digest = hmac(sha512, chainCode, concatBytes(Uint8Array.of(1), digest.subarray(32), suffix));
    const step = curve.decodeScalar(digest.subarray(0, 32));
    const parent = curve.decodePoint(publicKey);
    if (parent === undefined) throw new KeepsetError('place/damaged', 'The public key is damaged.');
    const child =
      step === undefined ? undefined : curve.add(parent, curve.multiplyVarTime(curve.generator, step));
    // BIP 32 says to take the next index. It happens with probability 2^-127.
    if (step === undefined || child === undefined || curve.isIdentity(child))
      throw new KeepsetError(
        'input/invalid-argument',
        `There is no child with index ${index}; take the next.`,
      );
    publicKey = curve.encodePoint(child);
    chainCode = digest.subarray(32);
    tweak = curve.reduce(tweak + step);
  }
  return { publicKey, chainCode, tweak };
};

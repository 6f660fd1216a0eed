/** Real share files for tests. */
import type { KeyShare } from '@keepset/threshold';
import { encodeShareFile, generateIdentity, openingKeyOf, signerOf, type FileSigner } from '@keepset/wire';
import { makeKey } from '../../wire/test/keys.ts';

export interface Writer {
  readonly share: KeyShare;
  readonly signer: FileSigner;
  /** Opens what `write` writes. */
  readonly key: string;
  /** A share file of the given generation. */
  readonly write: (generation: number) => Promise<Uint8Array>;
}

/** A party's share, and a device that writes copies of it. */
export const makeWriter = async (): Promise<Writer> => {
  const [, share] = makeKey('schnorr-secp256k1', ['server', 'phone'], 2) as [KeyShare, KeyShare];
  const device = await generateIdentity();
  const signer = signerOf(device);
  return {
    share,
    signer,
    key: openingKeyOf(device),
    write: (generation) =>
      encodeShareFile(share, { generation, createdAt: '2026-11-22T08:00:00Z' }, [device.recipient], signer),
  };
};

/**
 * Share file v1: one party's share at one epoch as a standard age file.
 * @spec spec/share-file.md
 */
import { KeepsetError, Secret, bytesEqual, toHex } from '@keepset/bytes';
import { protocolFor, type GroupKey, type KeyShare } from '@keepset/threshold';
import { maxAgeBytes, openAge, sealAge, type OpeningKey, type Recipients } from './age.ts';
import { checkContent, decodeContent, encodeContent, signedBytes, type ShareContent } from './content.ts';
import { verifySigner, type FileSigner } from './signer.ts';

/** Neither file nor plaintext is larger, in bytes. */
export const maxShareFileBytes: number = maxAgeBytes;

/** What the caller says about the copy. */
export interface ShareFileMeta {
  /** Counts the copies written of this party's share, across epochs: a higher one is newer. */
  readonly generation: number;
  /** UTC instant, `2026-01-31T12:00:00Z`, milliseconds allowed. */
  readonly createdAt: string;
}

/** A share as it was read. The caller wipes `share.secret`. */
export interface OpenedShare extends ShareFileMeta {
  readonly share: KeyShare;
  /** Key of the device that wrote the file; see {@link FileSigner.publicKey}. */
  readonly signerKey: Uint8Array;
}

/** How strict to be on opening. */
export interface OpenOptions {
  /** Refuse a file by any other writer. Left out when recovering on a new device, which knows no writer yet. */
  readonly expectedSigner?: Uint8Array;
}

/**
 * Writes a share file. The share is checked first, so that nothing is written that would not open again.
 * @throws KeepsetError `input/invalid-argument` (share, meta or recipients unfit), `input/unsupported` (scheme),
 * `wire/too-large`, `abort/bad-signature` (the signer's answer does not verify).
 */
export const encodeShareFile = async (
  share: KeyShare,
  meta: ShareFileMeta,
  recipients: Recipients,
  signer: FileSigner,
): Promise<Uint8Array> => {
  if (!protocolFor(share.group.scheme).checkShare(share))
    throw new KeepsetError('input/invalid-argument', 'The share does not fit its key.');
  const content = contentOf(share, meta, signer.publicKey);
  checkContent(content);
  const message = signedBytes(content);
  let plaintext: Uint8Array | undefined;
  try {
    const signature = await signer.sign(message);
    if (!verifySigner(signer.publicKey, message, signature))
      throw new KeepsetError('abort/bad-signature', 'The device key made a signature that does not verify.');
    plaintext = encodeContent({ ...content, signature });
    return await sealAge(plaintext, recipients);
  } finally {
    message.fill(0);
    plaintext?.fill(0);
  }
};

const contentOf = (share: KeyShare, meta: ShareFileMeta, signerKey: Uint8Array): ShareContent => {
  const { group } = share;
  return {
    v: 1,
    type: 'share',
    scheme: group.scheme,
    keyId: group.keyId,
    epoch: group.epoch,
    generation: meta.generation,
    policy: group.policy,
    parties: group.parties,
    threshold: group.threshold,
    party: share.party,
    publicKey: group.publicKey,
    commitments: group.commitments,
    verifyingShares: group.verifyingShares,
    chainCode: group.chainCode,
    secret: share.secret.reveal(),
    createdAt: meta.createdAt,
    signerKey,
  };
};

/**
 * Reads a share file: opens it, verifies the writer's signature, and checks the secret against the public data.
 * @throws KeepsetError as {@link openAge}; `place/damaged` also for a wrong signature or an inconsistent share,
 * `wire/unsupported-version` also for a later share format, `place/foreign` for an unexpected writer,
 * `input/unsupported` for a scheme this version cannot use.
 */
export const openShareFile = async (
  file: Uint8Array,
  keys: readonly OpeningKey[],
  options: OpenOptions = {},
): Promise<OpenedShare> => {
  const plaintext = await openAge(file, keys);
  try {
    return readContent(plaintext, options);
  } finally {
    plaintext.fill(0);
  }
};

const readContent = (plaintext: Uint8Array, options: OpenOptions): OpenedShare => {
  const { signature, ...content } = decodeContent(plaintext);
  const secret = new Secret(Uint8Array.from(content.secret));
  const message = signedBytes(content);
  try {
    const { expectedSigner } = options;
    if (!verifySigner(content.signerKey, message, signature))
      throw new KeepsetError('place/damaged', 'The signature inside the share file is wrong.');
    if (expectedSigner !== undefined && !bytesEqual(expectedSigner, content.signerKey))
      throw new KeepsetError('place/foreign', 'Another device wrote this share file.', {
        hint: `Its writer is ${toHex(content.signerKey)}. Accept it only if you know why.`,
      });
    const share: KeyShare = { group: groupOf(content), party: content.party, secret };
    if (!protocolFor(content.scheme).checkShare(share))
      throw new KeepsetError('place/damaged', 'The share does not fit its key.');
    return {
      share,
      generation: content.generation,
      createdAt: content.createdAt,
      signerKey: Uint8Array.from(content.signerKey),
    };
  } catch (error) {
    secret.wipe();
    throw error;
  } finally {
    message.fill(0);
    content.secret.fill(0);
  }
};

/** Copies every array: what the decoder returned may be views into the plaintext, which is wiped. */
const groupOf = (content: ShareContent): GroupKey => ({
  scheme: content.scheme,
  keyId: content.keyId,
  epoch: content.epoch,
  policy: content.policy,
  parties: content.parties,
  threshold: content.threshold,
  publicKey: Uint8Array.from(content.publicKey),
  commitments: content.commitments.map((point) => Uint8Array.from(point)),
  verifyingShares: content.verifyingShares.map((point) => Uint8Array.from(point)),
  chainCode: Uint8Array.from(content.chainCode),
});

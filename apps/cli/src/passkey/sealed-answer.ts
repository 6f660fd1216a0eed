/**
 * Answers that only the command opens which served the page: whoever listens at its port later reads nothing.
 * The page seals with what every browser has: P-256, HKDF-SHA256 and AES-256-GCM.
 */
import { createDecipheriv, createECDH, hkdfSync } from 'node:crypto';
import { concatBytes, toBase64Url, utf8ToBytes } from '@keepset/bytes';

/** The key of one command. */
export interface AnswerKey {
  /** For the page: an uncompressed point in base64url. */
  readonly publicKey: string;
  /**
   * Opens the answer to a question. The caller wipes it.
   * @returns undefined for what was not sealed to this key, for this question.
   */
  open(sealed: Uint8Array, id: number): Uint8Array | undefined;
}

const pointLength = 65;
const tagLength = 16;
/** By how much a sealed answer is longer. */
export const sealLength: number = pointLength + tagLength;

/** A new key, which is nowhere but in memory. */
export const newAnswerKey = (): AnswerKey => {
  const own = createECDH('prime256v1');
  const publicKey = new Uint8Array(own.generateKeys());
  return {
    publicKey: toBase64Url(publicKey),
    open: (sealed, id) => {
      if (sealed.length < sealLength) return undefined;
      const theirs = sealed.subarray(0, pointLength);
      const box = sealed.subarray(pointLength, -tagLength);
      const answer = new Uint8Array(box.length);
      const salt = concatBytes(theirs, publicKey);
      const info = utf8ToBytes(`keepset/passkey-answer/v1/${id}`);
      try {
        const shared = own.computeSecret(theirs);
        const key = new Uint8Array(hkdfSync('sha256', shared, salt, info, 32));
        shared.fill(0);
        // Each answer has a key of its own, so that the nonce may be zero.
        const opener = createDecipheriv('aes-256-gcm', key, new Uint8Array(12));
        key.fill(0);
        const opened = opener.setAuthTag(sealed.subarray(-tagLength)).update(box);
        answer.set(opened);
        opened.fill(0);
        opener.final();
        return answer;
      } catch {
        answer.fill(0);
        return undefined;
      }
    },
  };
};

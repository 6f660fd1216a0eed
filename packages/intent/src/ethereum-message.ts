import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, concatBytes, fromUtf8, toHex, utf8ToBytes } from '@keepset/bytes';
import { ethereumAddress } from './ethereum-address.ts';
import type { Format } from './intent.ts';
import { maxTokenBytes, requireAtMost } from './limits.ts';
import { checkedSignatures } from './signature.ts';
import { counted, line } from './text.ts';

/**
 * Ethereum personal messages (`personal_sign`). The whole message is shown.
 * @spec EIP-191 version 0x45
 */
export const ethereumMessageFormat: Format = {
  kind: 'ethereum-message',
  title: 'Ethereum personal message (EIP-191)',
  schemes: ['ecdsa-secp256k1'],
  create(bytes, key) {
    if (bytes.length === 0) throw new KeepsetError('input/malformed', 'The message is empty.');
    requireAtMost(bytes, maxTokenBytes, 'The message');
    const from = ethereumAddress(key);
    const text = textOf(bytes);
    const prefix = utf8ToBytes(`\u0019Ethereum Signed Message:\n${bytes.length}`);
    const inputs = [{ message: concatBytes(prefix, bytes), digest: 'keccak256' }] as const;
    return {
      kind: 'ethereum-message',
      description: [
        line('Format', 'Ethereum personal message (EIP-191)'),
        line('Signer', `${from} (this key)`),
        line('Size', counted(bytes.length, 'byte')),
        line('SHA-256', toHex(sha256(bytes))),
        ...(text === undefined
          ? [line('Message, bytes', `0x${toHex(bytes)}`)]
          : text.split('\n').map((part, i) => line(`Line ${i + 1}`, part))),
      ],
      warnings: text === undefined ? ['The message is not text: what it means is not understood here.'] : [],
      inputs,
      finish(signatures) {
        const [signature = new Uint8Array()] = checkedSignatures(key, inputs, signatures);
        // Verifiers take 27 and 28 for the recovery id; 2 and 3 cannot be expressed.
        const recovery = signature[64] ?? 0;
        if (recovery > 1)
          throw new KeepsetError('abort/bad-signature', 'Ethereum cannot express this recovery id.', {
            hint: 'Sign again.',
          });
        const out = concatBytes(signature.subarray(0, 64), Uint8Array.of(27 + recovery));
        return {
          bytes: out,
          text: `0x${toHex(out)}`,
          mediaType: 'application/octet-stream',
          suffix: '.sig',
          summary: [`Ethereum personal message signed by ${from}`],
        };
      },
    };
  },
};

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return fromUtf8(bytes);
  } catch {
    return undefined;
  }
};

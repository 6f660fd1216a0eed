import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '@keepset/bytes';
import type { DescriptionLine, IntentOptions } from './intent.ts';
import { grouped, line } from './text.ts';

/** What is said of a file whose content is not understood: name if given, size, SHA-256. */
export const describeFile = (bytes: Uint8Array, options: IntentOptions): readonly DescriptionLine[] => [
  ...(options.fileName === undefined ? [] : [line('File', options.fileName)]),
  line('Size', `${grouped(bytes.length)} ${bytes.length === 1 ? 'byte' : 'bytes'}`),
  line('SHA-256', toHex(sha256(bytes))),
];

/** Warnings that hold for any file. */
export const fileWarnings = (bytes: Uint8Array): readonly string[] =>
  bytes.length === 0 ? ['The file is empty.'] : [];

import { toBase32 } from '@keepset/bytes';
import type { LogHead } from '@keepset/wire';

/** A log head in a form that people pass on: its size and 16 bytes of its root. */
export const printLogHead = ({ size, root }: LogHead): string => `${size}-${toBase32(root.subarray(0, 16))}`;

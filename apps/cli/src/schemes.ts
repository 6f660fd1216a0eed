import type { Scheme } from '@keepset/ceremony';

/** What the parties of a key do together. */
export const verbOf = (scheme: Scheme): 'sign' | 'open' => (scheme === 'ecdh-p256' ? 'open' : 'sign');

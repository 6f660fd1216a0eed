/** Copies in the keyring of this desktop, and how a device that did not write them knows them. @spec spec/health.md §5 */
import { KeepsetError, hashValue, toBase32 } from '@keepset/bytes';
import { keyringPlace } from '@keepset/places';
import type { KitAbout } from './adopt.ts';
import { systemKeyring } from './look.ts';

/**
 * All share files in the keyring. Alters nothing.
 * @throws KeepsetError `place/locked`, `place/unreachable` (no keyring), `place/not-found` (no share file), `place/damaged`
 */
export const copiesInKeyring = async (): Promise<readonly Uint8Array[]> => {
  const place = keyringPlace(systemKeyring());
  const copies: Uint8Array[] = [];
  let damage: unknown;
  for (const name of await place.list())
    try {
      const copy = await place.get(name);
      if (copy !== null) copies.push(copy.bytes);
    } catch (error) {
      // One that is damaged hides none of the others.
      damage ??= error;
    }
  if (copies.length > 0) return copies;
  throw (
    damage ??
    new KeepsetError('place/not-found', 'There is no copy in the keyring of this desktop.', {
      hint: 'It is that of the user who is logged in. Another copy may lie elsewhere: see `keepset recover --help`.',
    })
  );
};

/** What is known of a copy there. */
export const aboutKeyringCopy: KitAbout = (recipient) => ({ kind: 'keyring', kit: keyringKitOf(recipient) });

/** A keyring says nothing of kits, so the id follows from the code: whoever opens the copy with it knows it again. */
export const keyringKitOf = (recipient: string): string =>
  toBase32(hashValue('keepset/keyring-kit/v1', { recipient }).subarray(0, 16));

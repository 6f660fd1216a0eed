/**
 * The port every place implements. A place keeps copies of share files as opaque bytes: it never opens them.
 *
 * What all places promise (packages/places/test/contract.ts holds each to it):
 * - `put` is atomic and durable: whatever stops it at whatever point, `get` afterwards gives the old copy or the new
 *   one, whole. When `put` returned, it is the new one, and it was read back.
 * - A repeated `put` of the same bytes is harmless, so a caller that does not know the outcome repeats it.
 * - Reading alters nothing.
 * - Files of others, and copies of other names, are left alone.
 *
 * Codes any method may throw: `place/unreachable` (medium gone), `place/full`, `place/read-only`, `place/foreign`
 * (something in the copy's way is not ours: a link, a folder), `place/damaged`, `input/invalid-argument`.
 */
import type { ErrorCode } from '@keepset/bytes';
import type { PlaceKind, PlaceProperties } from './properties.ts';

/** Which copy: the holder's share of one key at one epoch. */
export interface CopyName {
  /** 26 base32 characters; see `keyIdOf`. */
  readonly keyId: string;
  readonly epoch: number;
}

/** What stands beside a copy, readable without opening it. The truth is signed inside the copy. */
export interface CopyMeta {
  /** As inside the copy. A place refuses to go back to a lower one. */
  readonly generation: number;
}

/** A copy as it was read. */
export interface StoredCopy extends CopyMeta {
  readonly bytes: Uint8Array;
}

/** A line of {@link SharePlace.list}. */
export interface CopyEntry extends CopyMeta, CopyName {
  /** `pending`: made by a ceremony that is not known to be complete. */
  readonly state: 'current' | 'pending';
}

/** What can be said of a copy without a key. */
export type CopyHealth =
  | { readonly status: 'missing' }
  | {
      readonly status: 'readable';
      readonly generation: number;
      readonly size: number;
      /** Of the bytes as read back. */
      readonly sha256: Uint8Array;
      /** `sync-off`: the copy can be read here, but is nowhere else although the place promises it. */
      readonly warning?: 'sync-off';
    }
  | { readonly status: 'damaged'; readonly code: ErrorCode; readonly reason: string }
  | { readonly status: 'unreachable'; readonly code: ErrorCode; readonly reason: string };

/** One place. */
export interface SharePlace {
  readonly kind: PlaceKind;
  describe(): PlaceProperties;
  /**
   * Stores a copy, replacing the current one of that name.
   * @throws KeepsetError `place/stale` if a higher generation is there, `place/exists` if the same generation is there
   * with other bytes, `wire/too-large`, and the common codes. Nothing is changed then.
   */
  put(name: CopyName, bytes: Uint8Array, meta: CopyMeta): Promise<void>;
  /** The current copy, or null if there is none. @throws the common codes; `place/damaged` for an empty copy. */
  get(name: CopyName): Promise<StoredCopy | null>;
  /** All copies, current and pending, sorted by key id, epoch and state. */
  list(): Promise<readonly CopyEntry[]>;
  /** Removes the current copy, all its generations. Does nothing if there is none. */
  remove(name: CopyName): Promise<void>;
  /** Reads the current copy back. A verdict, never a throw, except `input/invalid-argument`. */
  health(name: CopyName): Promise<CopyHealth>;
}

/**
 * A place that can hold a copy back until the ceremony that made it is known to be complete. Each method is atomic
 * and durable, and may be repeated.
 */
export interface PendingPlace extends SharePlace {
  /** Stores a pending copy. Replaces a pending copy of the same name; leaves the current one alone. */
  putPending(name: CopyName, bytes: Uint8Array, meta: CopyMeta): Promise<void>;
  /**
   * Makes the pending copy the current one. Does nothing if there is none and a current one exists.
   * @throws KeepsetError `place/not-found` if there is neither; as {@link SharePlace.put} otherwise.
   */
  promote(name: CopyName): Promise<void>;
  /** Removes the pending copy. Does nothing if there is none. */
  discard(name: CopyName): Promise<void>;
}

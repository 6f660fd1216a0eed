/** What the device's side of a ceremony needs from the world. */
import type { KeyShare, Presignature, Rng } from '@keepset/threshold';
import type { PartyTransport } from '@keepset/transport';
import type { LogHead, ScryptWork } from '@keepset/wire';

/** Where this device keeps its shares. A share is pending until the ceremony that made it is known to be complete. */
export interface ShareVault {
  /**
   * Makes a pending share durable before it returns. Replaces a pending share of the same key and epoch.
   * @returns its generation, which is above every one that copies were made from.
   */
  putPending(share: KeyShare): Promise<number>;
  /** Makes a pending share the key's current one. Does nothing if it already is. */
  promote(keyId: string, epoch: number): Promise<void>;
  /** Destroys a pending share. Does nothing if there is none. */
  discard(keyId: string, epoch: number): Promise<void>;
  /**
   * Destroys the key's shares of epochs before `epoch`. They sign nothing any more, but enough of them still make the
   * key: call this after each change of the shares, once copies kept elsewhere are rewritten. May be repeated.
   */
  retire(keyId: string, epoch: number): Promise<void>;
  /** The newest share. @throws KeepsetError `input/unknown-key` or of family `place/` */
  open(keyId: string): Promise<KeyShare>;
  /** Ids of the keys that have a current share. */
  list(): Promise<readonly string[]>;
}

/** A ceremony that may have been completed by the other side without this device knowing. */
export interface OpenSession {
  /** 32 bytes. */
  readonly session: Uint8Array;
  readonly kind: 'keygen' | 'refresh' | 'reshare' | 'repair';
  readonly keyId: string;
  /** The epoch it leads to. */
  readonly epoch: number;
  /** Set where it leaves this device without a share of the key. */
  readonly leaves?: boolean;
}

/** What a presignature must fit. */
export interface PresignatureUse {
  readonly keyId: string;
  readonly epoch: number;
  readonly quorum: readonly string[];
  readonly path: readonly number[];
}

/** This device's halves of presignatures. */
export interface PresignatureShelf {
  /** Durable before it returns. */
  put(presignature: Presignature): Promise<void>;
  /** Hands one out that fits, having destroyed the stored one durably; undefined when there is none. */
  take(use: PresignatureUse): Promise<Presignature | undefined>;
}

/** The set-up with a party that a ban closes: it may not be used again, only made anew by a refresh. */
export interface Ban {
  readonly keyId: string;
  readonly epoch: number;
  readonly party: string;
}

/** Parties that failed a consistency check with this device. */
export interface BanList {
  /** Durable before it returns. */
  add(ban: Ban): Promise<void>;
  /** Parties banned at this epoch of the key. */
  list(keyId: string, epoch: number): Promise<readonly string[]>;
}

/** Durable list of open sessions. */
export interface SessionJournal {
  /** Durable before it returns. */
  add(entry: OpenSession): Promise<void>;
  remove(session: Uint8Array): Promise<void>;
  list(): Promise<readonly OpenSession[]>;
}

/** The newest log head this device has verified: the pin that uncovers a server that was rolled back. */
export interface LogPin {
  load(): Promise<LogHead | undefined>;
  /** Durable before it returns. Keeps the larger head when another process has saved one meanwhile. */
  save(head: LogHead): Promise<void>;
  /**
   * Pins a head whatever is pinned now, and keeps a record of that. Only for a log that its owner has confirmed: see
   * `acceptRestoredLog`. Durable before it returns.
   */
  replace(head: LogHead): Promise<void>;
}

/** What a ceremony is doing, for a progress display. */
export interface Progress {
  readonly step: number;
  readonly of: number;
  readonly text: string;
}

/** A device as a party. */
export interface DeviceParty {
  /** Its name in policies. */
  readonly party: string;
  /** The server's name in policies. */
  readonly serverParty: string;
  /** What the server knows this device as. */
  readonly account: { readonly tenant: string; readonly device: string };
  /** Log verifier key (C2SP vkey) pinned at enrolment. */
  readonly logKey: string;
  readonly transport: PartyTransport;
  readonly vault: ShareVault;
  readonly journal: SessionJournal;
  readonly presignatures: PresignatureShelf;
  readonly bans: BanList;
  readonly logPin: LogPin;
  /**
   * Runs `work` while no other work of this device runs, in whatever process. For short work that waits for nobody, and
   * not within itself. Whoever dies in it frees it.
   */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  readonly rng?: Rng;
  /** Where scrypt runs; in the calling thread unless told. */
  readonly scrypt?: ScryptWork;
  readonly onProgress?: (progress: Progress) => void;
}

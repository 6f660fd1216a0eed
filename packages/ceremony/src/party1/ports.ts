/** What Party 1 needs from the world. The server implements these over its database and key-encryption key. */
import type { GroupKey, KeyShare, Rng, Scheme } from '@keepset/threshold';
import type { LogEvidence, LogHead } from '@keepset/wire';
import type { SessionAct } from '../act.ts';

/** Who asks. Established by the transport, never by the message. */
export interface Caller {
  readonly tenant: string;
  readonly device: string;
  /** The party it was enrolled as; it speaks for no other. */
  readonly party: string;
}

/** What is durable about a session. */
export interface SessionRow {
  /** `consumed`: written into the log, the answer not yet kept. */
  readonly state: 'consumed' | 'committed' | 'void';
  readonly step: number;
  /** SHA-256 of the step's request. */
  readonly requestHash: Uint8Array;
  readonly answer?: Uint8Array;
  readonly keyId?: string;
}

/** A step and what was answered to it. */
export interface Answered {
  readonly step: number;
  /** SHA-256 of the step's request. */
  readonly requestHash: Uint8Array;
  readonly answer: Uint8Array;
}

/** A key as Party 1 stores it. */
export interface KeyRow {
  readonly group: Pick<GroupKey, 'keyId' | 'scheme' | 'epoch' | 'policy' | 'publicKey'>;
  readonly state: 'active' | 'frozen';
  /** Number of the log entry by which it was frozen. */
  readonly frozenBy?: number;
  /** Party 1's own share, sealed; missing where it holds none and only witnesses what devices do with the key. */
  readonly sealedShare?: Uint8Array;
  /** Of a witnessed key: the hash of its public data, as all its devices have confirmed them. */
  readonly groupHash?: Uint8Array;
  /** Unix seconds. */
  readonly createdAt: number;
}

/** A key to be kept. */
export type KeyWrite = Omit<KeyRow, 'state' | 'frozenBy' | 'createdAt'>;

/**
 * What a session does to a key. `replace` takes the key from `epoch` to what `key` says. A key that was frozen by log
 * entry `thaws` may be changed too, and is active again once its epoch has advanced.
 */
export type KeyChange =
  | { readonly kind: 'create'; readonly key: KeyWrite }
  | {
      readonly kind: 'replace';
      readonly epoch: number;
      readonly key: KeyWrite;
      readonly thaws?: number | undefined;
    }
  | { readonly kind: 'keep' };

/** What a durable step of a session writes besides its result. */
export interface SessionWrite {
  readonly caller: Caller;
  readonly session: Uint8Array;
  readonly step: number;
  readonly requestHash: Uint8Array;
  readonly act: SessionAct;
  readonly head?: LogHead;
}

/** What a conditional write found: it took place, or the session already had an end. */
export type Written<T> =
  { readonly written: true; readonly value: T } | { readonly written: false; readonly row: SessionRow };

/**
 * Durable state. Every operation is atomic and durable when it returns; each is scoped to one tenant.
 * @throws KeepsetError of family `store/`.
 */
export interface Party1Store {
  findSession(tenant: string, session: Uint8Array): Promise<SessionRow | undefined>;
  /** Makes a session void unless it already has an end; returns its end. */
  voidSession(tenant: string, session: Uint8Array): Promise<SessionRow>;
  findKey(tenant: string, keyId: string): Promise<KeyRow | undefined>;
  listKeys(tenant: string): Promise<readonly KeyRow[]>;
  /**
   * In one transaction: freezes the key, voids the approvals that were given for it, and appends to the log. A key that
   * is frozen already stays as it is, and the entry that froze it is proven.
   * @throws KeepsetError `input/unknown-key`
   */
  freeze(
    by: Pick<Caller, 'tenant' | 'device'>,
    keyId: string,
    head: LogHead | undefined,
  ): Promise<{ readonly epoch: number; readonly evidence: LogEvidence }>;
  /**
   * Appends to the log that the key is about to be put together.
   * @throws KeepsetError `input/unknown-key`
   */
  logExport(
    by: Pick<Caller, 'tenant' | 'device'>,
    keyId: string,
    head: LogHead | undefined,
  ): Promise<{ readonly epoch: number; readonly evidence: LogEvidence }>;
  /** Those of the devices that are revoked. */
  revoked(tenant: string, devices: readonly string[]): Promise<readonly string[]>;
  /**
   * Spends an approval its operator gave for this key, durably: to `change` a key of this tenant, or to `adopt` one that
   * this server does not know, or not as far as its devices do.
   * @returns false when there is none with this code, or it is spent or expired.
   */
  spendApproval(tenant: string, keyId: string, code: string, what: 'change' | 'adopt'): Promise<boolean>;
  /** Notes durably that a party cheated in a session about this key at this epoch. */
  ban(tenant: string, keyId: string, epoch: number, party: string): Promise<void>;
  /** Parties banned at this epoch of the key. */
  banned(tenant: string, keyId: string, epoch: number): Promise<readonly string[]>;
  /**
   * In one transaction: ends the session as committed, changes the key, appends to the log, and keeps the answer
   * that `answer` makes of the log's evidence.
   * @throws KeepsetError `abort/wrong-epoch` when the key to be changed is not at the epoch it must be at,
   * `policy/frozen` when it was frozen meanwhile.
   */
  commit(
    write: SessionWrite,
    change: KeyChange,
    answer: (evidence: LogEvidence) => Uint8Array,
  ): Promise<Written<Uint8Array>>;
  /**
   * In one transaction: ends the session as consumed if the key is active at this epoch, and appends to the log.
   * From then on no other run can start under this session, whatever becomes of this one.
   */
  consume(write: SessionWrite): Promise<Written<undefined>>;
  /**
   * Proves the log entry of a session that is in the log.
   * @param head the newest head the asking device has seen.
   */
  prove(tenant: string, session: Uint8Array, head: LogHead | undefined): Promise<LogEvidence>;
  /**
   * Ends a consumed session as committed and keeps the answer to its last step, so that a repeat gets the same bytes.
   */
  keepAnswer(tenant: string, session: Uint8Array, last: Answered): Promise<void>;
}

/** Seals shares at rest; the associated data is tenant, key, party and epoch. */
export interface ShareSealer {
  seal(tenant: string, share: KeyShare): Promise<Uint8Array>;
  /** @throws KeepsetError `store/damaged`, or `bug/invariant` for a key without a share here */
  open(tenant: string, row: KeyRow): Promise<KeyShare>;
}

/** Party 1. */
export interface Party1 {
  /** Its name in policies. */
  readonly party: string;
  readonly schemes: readonly Scheme[];
  readonly store: Party1Store;
  readonly sealer: ShareSealer;
  /** Milliseconds, monotonic enough to expire idle sessions. */
  readonly now: () => number;
  /** Resolves after so many milliseconds, or sooner: whoever waits is then told to ask again. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly rng?: Rng;
}

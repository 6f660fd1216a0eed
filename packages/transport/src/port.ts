import type {
  FrozenKey,
  KeySummary,
  KitNote,
  KnownKit,
  LoggedExport,
  ResolveRequest,
  SessionOutcome,
  StepRequest,
  StepResponse,
} from '@keepset/wire';

/** How a device reaches Party 1. Implementations authenticate both sides; they need not hide or order anything. */
export interface PartyTransport {
  /**
   * Sends one step of a session and returns Party 1's answer. Repeating a step with the same content is safe
   * and returns the same answer.
   * @throws KeepsetError of family `transport/` when no trusted answer came; whatever Party 1 reports otherwise.
   */
  step(request: StepRequest): Promise<StepResponse>;
  /**
   * Asks what became of a session and, unless it is committed, makes it void for ever.
   * @param withinMs how long the whole answer may take; by default as long as it goes on
   * @throws KeepsetError of family `transport/`.
   */
  resolve(session: Uint8Array, request?: ResolveRequest, withinMs?: number): Promise<SessionOutcome>;
  /** Party 1's view of this tenant's keys. */
  keys(): Promise<readonly KeySummary[]>;
  /** Stops a key, until the operator of the server opens it again. */
  freeze(keyId: string, request?: ResolveRequest): Promise<FrozenKey>;
  /** The newest signed checkpoint of its log, as anyone may read it. The caller verifies the signature. */
  checkpoint(): Promise<string>;
  /** Has it written into the log that a key is about to be put together from copies. */
  announceExport(keyId: string, request?: ResolveRequest): Promise<LoggedExport>;
  /** Makes a one-time code with which another device of the same user can enrol. */
  invite(): Promise<string>;
}

/** What the server keeps of sticks, printed kits and folders. */
export interface KitNotes {
  /**
   * Tells of the newest copy on a kit. Telling it again changes nothing.
   * @throws KeepsetError `place/stale` when a newer one is known, `store/conflict` when another of the same generation is,
   * `place/full` when too many kits are.
   */
  noteKit(note: KitNote): Promise<KnownKit>;
  /** The newest copy on a kit that any device of this tenant told of. */
  kit(kit: string): Promise<KnownKit>;
}

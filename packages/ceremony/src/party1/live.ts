import { KeepsetError, toHex } from '@keepset/bytes';
import type { ProtocolMessage, Step } from '@keepset/threshold';
import type { RelayedBlob } from '@keepset/wire';
import type { Commit } from './open.ts';
import type { KeyReference } from './rules.ts';

/** A device in a session, as Party 1 keeps track of it. */
export interface LiveMember {
  readonly party: string;
  /** The device that speaks for the party; bound by its first request. */
  device: string | undefined;
  /** The last request taken, its hash, and its answer once there is one. */
  step: number;
  requestHash: Uint8Array;
  answer: Uint8Array | undefined;
  /** Whether it was told that the session is committed. */
  told: boolean;
  /** What it has not had yet. */
  messages: ProtocolMessage[];
  relay: RelayedBlob[];
}

/** A session in progress. It lives in memory only: a restart makes it void. */
export interface LiveSession {
  /** The key it uses; none yet for a key generation. */
  readonly about: KeyReference | undefined;
  /** Number of the log entry that froze the key, where the operator approved this session all the same. */
  readonly thaws: number | undefined;
  /** Whether it uses the pairwise set-up of that key, which a ban closes. */
  readonly usesSetup: boolean;
  /** Whether it uses the key: then a freeze ends it even if Party 1 has done its part, as others may still be at theirs. */
  readonly usesKey: boolean;
  readonly members: ReadonlyMap<string, LiveMember>;
  /** The protocol as it stands. */
  state: Step<unknown>;
  /** How to end the session if `state` is its end for Party 1. */
  conclude(state: Step<unknown>): Commit | undefined;
  abandon(): void;
  /** Set once the session is durable: from then on answers say so. */
  committed: boolean;
  /** Set once a member has left it: the others get what waits for them, and then hear of it. */
  left: boolean;
  /** Wakes requests that wait for something to answer. */
  wake: () => void;
  woken: Promise<void>;
}

const lifetimeMs = 10 * 60 * 1000;
const perTenant = 100;

interface Entry {
  readonly session: LiveSession;
  expires: number;
}

/** Sessions in progress, by tenant. */
export interface LiveSessions {
  find(tenant: string, session: Uint8Array): LiveSession | undefined;
  /** @throws KeepsetError `transport/overloaded` when the tenant has too many. */
  keep(tenant: string, session: Uint8Array, live: LiveSession): void;
  /** Forgets a session and wakes whoever waits in it. */
  drop(tenant: string, session: Uint8Array): void;
  /** Bytes that wait to be passed on between the tenant's devices. */
  waitingBytes(tenant: string): number;
  /** Runs `work` while no other work under the same name runs: a session's, or a key's. */
  exclusively<T>(tenant: string, name: Uint8Array, work: () => Promise<T>): Promise<T>;
}

/** @param now milliseconds */
export const liveSessions = (now: () => number): LiveSessions => {
  const tenants = new Map<string, Map<string, Entry>>();
  const queues = new Map<string, Promise<unknown>>();
  const drop = (tenant: string, session: string): void => {
    const entries = tenants.get(tenant);
    const entry = entries?.get(session);
    if (entry === undefined) return;
    entries?.delete(session);
    if (entries?.size === 0) tenants.delete(tenant);
    entry.session.abandon();
    entry.session.wake();
  };
  const sweep = (tenant: string): void => {
    for (const [session, { expires }] of tenants.get(tenant) ?? [])
      if (expires <= now()) drop(tenant, session);
  };
  return {
    find: (tenant, session) => {
      sweep(tenant);
      return tenants.get(tenant)?.get(toHex(session))?.session;
    },
    keep: (tenant, session, live) => {
      sweep(tenant);
      const entries = tenants.get(tenant) ?? new Map<string, Entry>();
      if (entries.size >= perTenant)
        throw new KeepsetError('transport/overloaded', 'Too many sessions are open at once.', {
          hint: 'Wait a few minutes: unfinished sessions expire.',
        });
      tenants.set(tenant, entries);
      entries.set(toHex(session), { session: live, expires: now() + lifetimeMs });
    },
    drop: (tenant, session) => drop(tenant, toHex(session)),
    waitingBytes: (tenant) => {
      let sum = 0;
      for (const { session } of tenants.get(tenant)?.values() ?? [])
        for (const member of session.members.values()) sum += relayedBytes(member);
      return sum;
    },
    exclusively: async (tenant, of, work) => {
      const name = `${tenant}/${toHex(of)}`;
      const before = queues.get(name) ?? Promise.resolve();
      const mine = before.then(work, work);
      const settled = mine.then(
        () => undefined,
        () => undefined,
      );
      queues.set(name, settled);
      try {
        return await mine;
      } finally {
        if (queues.get(name) === settled) queues.delete(name);
      }
    },
  };
};

/** Bytes that wait to be passed on to a device. */
export const relayedBytes = ({ relay }: LiveMember): number =>
  relay.reduce((sum, { sealed }) => sum + sealed.length, 0);

/** Wakes all waiting requests of a session and lets later ones wait anew. */
export const rouse = (live: LiveSession): void => {
  live.wake();
  ({ promise: live.woken, resolve: live.wake } = Promise.withResolvers<void>());
};

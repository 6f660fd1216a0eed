import { KeepsetError, toHex } from '@keepset/bytes';
import type { StepContext } from './handler.ts';

/** A session between two of its steps. */
export interface LiveSession {
  /** The last step taken, its request and its answer. */
  readonly step: number;
  readonly requestHash: Uint8Array;
  readonly answer: Uint8Array;
  /** Takes the next step; may be called once. */
  readonly next: (context: StepContext) => Promise<Progressed>;
}

/** What a step leads to: an answer that ends the session, or a session that goes on. */
export type Progressed = { readonly answer: Uint8Array } | { readonly live: LiveSession };

const lifetimeMs = 10 * 60 * 1000;
const perTenant = 100;

interface Entry {
  readonly session: LiveSession;
  readonly expires: number;
}

/** Sessions that go on. They live in memory only: a restart makes them void. */
export interface LiveSessions {
  find(tenant: string, session: Uint8Array): LiveSession | undefined;
  /** @throws KeepsetError `transport/overloaded` when the tenant has too many. */
  keep(tenant: string, session: Uint8Array, live: LiveSession): void;
  drop(tenant: string, session: Uint8Array): void;
  /** Runs `work` while no other work on the same session runs. */
  exclusively<T>(tenant: string, session: Uint8Array, work: () => Promise<T>): Promise<T>;
}

/** @param now milliseconds */
export const liveSessions = (now: () => number): LiveSessions => {
  const tenants = new Map<string, Map<string, Entry>>();
  const queues = new Map<string, Promise<unknown>>();
  const sweep = (entries: Map<string, Entry>): void => {
    for (const [name, { expires }] of entries) if (expires <= now()) entries.delete(name);
  };
  return {
    find: (tenant, session) => {
      const entry = tenants.get(tenant)?.get(toHex(session));
      return entry !== undefined && entry.expires > now() ? entry.session : undefined;
    },
    keep: (tenant, session, live) => {
      const entries = tenants.get(tenant) ?? new Map<string, Entry>();
      tenants.set(tenant, entries);
      sweep(entries);
      if (entries.size >= perTenant)
        throw new KeepsetError('transport/overloaded', 'Too many sessions are open at once.', {
          hint: 'Wait a few minutes: unfinished sessions expire.',
        });
      entries.set(toHex(session), { session: live, expires: now() + lifetimeMs });
    },
    drop: (tenant, session) => {
      const entries = tenants.get(tenant);
      entries?.delete(toHex(session));
      if (entries?.size === 0) tenants.delete(tenant);
    },
    exclusively: async (tenant, session, work) => {
      const name = `${tenant}/${toHex(session)}`;
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

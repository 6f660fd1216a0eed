import { KeepsetError, bytesEqual, type ErrorCode } from '@keepset/bytes';
import {
  byName,
  checkCopy,
  checkName,
  checkRead,
  healthOf,
  nothingPending,
  refuseOlder,
  sameGeneration,
} from '../copy.ts';
import type { CopyEntry, CopyName, PendingPlace, StoredCopy } from '../port.ts';
import { propertiesOf } from '../properties.ts';

/** An in-memory place for tests, and the handles a test needs to hurt it. */
export interface MemoryPlace extends PendingPlace {
  /** Every method fails with this code until told otherwise. */
  failWith(code: ErrorCode | undefined): void;
  /** Replaces the stored bytes of a current copy, as rot would. */
  overwrite(name: CopyName, bytes: Uint8Array): void;
}

const keyOf = ({ keyId, epoch }: CopyName): string => `${keyId}.${epoch}`;

/** A place that forgets everything with the process. Keeps the whole contract otherwise. */
export const memoryPlace = (): MemoryPlace => {
  const current = new Map<string, StoredCopy & CopyName>();
  const pending = new Map<string, StoredCopy & CopyName>();
  let fault: ErrorCode | undefined;
  const reach = (): void => {
    if (fault !== undefined) throw new KeepsetError(fault, 'The memory place was told to fail.');
  };

  const get = async (name: CopyName): Promise<StoredCopy | null> => {
    checkName(name);
    reach();
    const copy = current.get(keyOf(name));
    if (copy === undefined) return null;
    checkRead(copy.bytes);
    return { generation: copy.generation, bytes: Uint8Array.from(copy.bytes) };
  };

  const replace = (name: CopyName, { generation, bytes }: StoredCopy): void => {
    const before = current.get(keyOf(name));
    if (before !== undefined) {
      refuseOlder(generation, before.generation);
      if (generation === before.generation && !bytesEqual(bytes, before.bytes))
        throw sameGeneration(generation);
    }
    current.set(keyOf(name), { ...name, generation, bytes });
  };

  return {
    kind: 'memory',
    describe: () => propertiesOf('memory'),
    get,
    put: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      reach();
      replace(name, { ...meta, bytes: Uint8Array.from(bytes) });
    },
    list: async () => {
      reach();
      const lines = (map: typeof current, state: CopyEntry['state']): CopyEntry[] =>
        [...map.values()].map(({ keyId, epoch, generation }) => ({ keyId, epoch, generation, state }));
      return [...lines(current, 'current'), ...lines(pending, 'pending')].sort(byName);
    },
    remove: async (name) => {
      checkName(name);
      reach();
      current.delete(keyOf(name));
    },
    health: (name) => healthOf(name, get),
    putPending: async (name, bytes, meta) => {
      checkCopy(name, bytes, meta);
      reach();
      pending.set(keyOf(name), { ...name, ...meta, bytes: Uint8Array.from(bytes) });
    },
    promote: async (name) => {
      checkName(name);
      reach();
      const copy = pending.get(keyOf(name));
      if (copy === undefined) {
        if (current.has(keyOf(name))) return;
        throw nothingPending();
      }
      replace(name, copy);
      pending.delete(keyOf(name));
    },
    discard: async (name) => {
      checkName(name);
      reach();
      pending.delete(keyOf(name));
    },
    failWith: (code) => {
      fault = code;
    },
    overwrite: (name, bytes) => {
      const copy = current.get(keyOf(name));
      if (copy === undefined) throw new RangeError('no such copy');
      current.set(keyOf(name), { ...copy, bytes });
    },
  };
};

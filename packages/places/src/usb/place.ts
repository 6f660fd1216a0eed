/**
 * A container behind the place port. The stick says nothing of keys and epochs in clear, so the device remembers in a
 * ledger which bytes it wrote under which name; what the ledger does not know needs a key to open.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import type { FileSigner } from '@keepset/wire';
import { byName, checkCopy, checkName, checkRead, healthOf, refuseOlder, sameGeneration } from '../copy.ts';
import type { CopyEntry, CopyMeta, CopyName, SharePlace, StoredCopy } from '../port.ts';
import { propertiesOf } from '../properties.ts';
import { candidatesOf, inspectContainer, type Candidate, type ContainerReport } from './inspect.ts';
import { findContainers, type ContainerRef } from './layout.ts';
import { createContainer, mirrorCopy, newestOf, removeContainer, saveCopy } from './write.ts';

/** Bytes this device wrote to a container. */
export interface UsbLedgerEntry extends CopyName, CopyMeta {
  readonly sha256: Uint8Array;
}

/** What this device remembers of its sticks. Durable. */
export interface UsbLedger {
  load(kit: string): Promise<readonly UsbLedgerEntry[]>;
  save(kit: string, entries: readonly UsbLedgerEntry[]): Promise<void>;
}

/** A copy of the ledger that is on the stick. */
interface Known {
  readonly entry: UsbLedgerEntry;
  readonly candidate: Candidate;
}

/**
 * The container as a place. It is made by the first `put`. It holds the copies of the last two puts: putting a third
 * name overwrites the oldest.
 */
export const usbPlace = (container: ContainerRef, signer: FileSigner, ledger: UsbLedger): SharePlace => {
  const { files, root, kit, party } = container;

  const inspect = async (): Promise<ContainerReport | null> => {
    const all = await findContainers(files, root);
    if (all.some((found) => found.kit === kit && found.party === party)) return inspectContainer(container);
    if ((await ledger.load(kit)).length === 0) return null;
    throw new KeepsetError('place/foreign', `Kit ${kit} is not on this stick.`, {
      hint: 'Plug in the stick this copy was saved to. If it is this one, keepset usb rescue may find the share.',
    });
  };
  const knownIn = async (report: ContainerReport | null): Promise<Known[]> => {
    if (report === null) return [];
    const candidates = candidatesOf(report);
    return (await ledger.load(kit)).flatMap((entry) => {
      const candidate = candidates.find((found) => bytesEqual(found.sha256, entry.sha256));
      return candidate === undefined ? [] : [{ entry, candidate }];
    });
  };
  const forget = async (keep: (entry: UsbLedgerEntry) => boolean): Promise<void> =>
    ledger.save(kit, (await ledger.load(kit)).filter(keep));

  const get = async (name: CopyName): Promise<StoredCopy | null> => {
    checkName(name);
    const best = bestOf(await knownIn(await inspect()), name);
    if (best !== undefined) {
      checkRead(best.candidate.bytes);
      return { generation: best.entry.generation, bytes: Uint8Array.from(best.candidate.bytes) };
    }
    if ((await ledger.load(kit)).some((entry) => isOf(entry, name)))
      throw new KeepsetError('place/damaged', 'The copy on this stick is damaged beyond repair.');
    return null;
  };

  const put = async (name: CopyName, bytes: Uint8Array, meta: CopyMeta): Promise<void> => {
    checkCopy(name, bytes, meta);
    const report = await inspect();
    const best = bestOf(await knownIn(report), name);
    if (best !== undefined) {
      refuseOlder(meta.generation, best.entry.generation);
      const isSame = bytesEqual(best.candidate.bytes, bytes);
      if (meta.generation === best.entry.generation && !isSame) throw sameGeneration(meta.generation);
      if (isSame && best.candidate.source === 'as-is') return;
    }
    // Before the write: an entry without a copy is harmless, a copy without an entry would be a stranger's.
    const entry: UsbLedgerEntry = { ...name, ...meta, sha256: sha256(bytes) };
    await ledger.save(kit, [...(await ledger.load(kit)), entry]);
    const after =
      report === null
        ? await createContainer(container, bytes, signer)
        : await saveCopy(report, bytes, signer);
    const present = await knownIn(after);
    await forget((written) => present.some((known) => bytesEqual(known.entry.sha256, written.sha256)));
  };

  const remove = async (name: CopyName): Promise<void> => {
    checkName(name);
    const report = await inspect();
    const known = await knownIn(report);
    if (report !== null && known.some(({ entry }) => isOf(entry, name))) {
      const kept = known.find(({ entry }) => !isOf(entry, name));
      if (kept === undefined) await removeContainer(container);
      else await mirrorCopy(report, signer, kept.candidate);
    }
    await forget((entry) => !isOf(entry, name));
  };

  return {
    kind: 'usb',
    describe: () => propertiesOf('usb'),
    put,
    get,
    list: async () => {
      const known = await knownIn(await inspect());
      const best = known.filter((one) => bestOf(known, one.entry) === one);
      return best
        .map(({ entry }): CopyEntry => ({
          keyId: entry.keyId,
          epoch: entry.epoch,
          generation: entry.generation,
          state: 'current',
        }))
        .sort(byName);
    },
    remove,
    health: (name) => healthOf(name, get),
  };
};

const isOf = (entry: CopyName, name: CopyName): boolean =>
  entry.keyId === name.keyId && entry.epoch === name.epoch;

const bestOf = (known: readonly Known[], name: CopyName): Known | undefined =>
  known
    .filter(({ entry }) => isOf(entry, name))
    .reduce<Known | undefined>(
      (best, one) => (best === undefined || one.entry.generation > best.entry.generation ? one : best),
      undefined,
    );

/** Whether both slots hold the newest copy. The old one is gone from the stick then. */
export const isMirrored = (report: ContainerReport): boolean => {
  const newest = newestOf(report);
  return (
    newest !== undefined &&
    (['enc', 'bak'] as const).every((slot) =>
      report.slots[slot].candidates.some(
        ({ source, sha256: hash }) => source === 'as-is' && bytesEqual(hash, newest.sha256),
      ),
    )
  );
};
